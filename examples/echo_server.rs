//! Echo server with a time limit: one message of each client comes back behind `Echo=>`.
//!
//! `echo_server [HOST [PORT]]`. A client that sends nothing at all and closes ends the server, as
//! it does in the original: chapter 2 says why, and chapter 4 mends it.

use socket::names::inet_address;
use socket::{Family, Protocol, Socket, Type, errors};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let my_host = args.get(1).map_or("localhost", String::as_str);
    let my_port = args.get(2).map_or(Ok(50014), |port| port.parse())?;

    let sockobj = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT)?;
    sockobj.bind(&inet_address(Family::INET, my_host, my_port)?)?;
    sockobj.listen(5)?;

    loop {
        println!("I am listenning");
        let (conn, addr) = sockobj.accept()?;
        let addr = addr.as_inet().expect("a client of an AF_INET socket has an IP address");
        println!("Connected By: ('{}', {})", addr.ip(), addr.port());

        conn.set_timeout(Some(Duration::from_secs(5)))?;
        let mut data = [0; 1024];
        match conn.recv(&mut data) {
            Ok(0) => break,
            Ok(count) => conn.send_all(&[b"Echo=>", &data[..count]].concat())?,
            Err(error) if errors::is_timeout(&error) => println!("Time Out"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
