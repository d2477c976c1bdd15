//! Sends `hello`, prints what comes back, and hangs up.
//!
//! `upper_once_client [HOST [PORT]]`. For [`upper_once_server`](upper_once_server.rs), chapter 5.

use socket::create_connection;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.9", String::as_str);
    let port = args.get(2).map_or(Ok(8888), |port| port.parse())?;

    let phone = create_connection((host, port), &Default::default())?;
    phone.send_all("hello".as_bytes())?;
    println!("has send===========>");
    let mut data = [0; 1024];
    let count = phone.recv(&mut data)?;
    println!("has recv===========>");
    println!("b'{}'", data[..count].escape_ascii());
    phone.close()?;
    Ok(())
}
