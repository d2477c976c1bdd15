//! First improvement: the client asks for one message after the other. An empty one hangs it.
//!
//! `upper_prompt_client [HOST [PORT]]`. For [`upper_once_server`](upper_once_server.rs), chapter 6.

use socket::create_connection;
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.9", String::as_str);
    let port = args.get(2).map_or(Ok(8888), |port| port.parse())?;

    let phone = create_connection((host, port), &Default::default())?;
    loop {
        print!(">>: ");
        std::io::stdout().flush()?;
        let mut msg = String::new();
        if std::io::stdin().read_line(&mut msg)? == 0 {
            return Ok(());
        }
        let msg = msg.trim();
        phone.send(msg.as_bytes())?;
        println!("has send===========>");
        let mut data = [0; 1024];
        let count = phone.recv(&mut data)?;
        println!("has recv===========>");
        println!("b'{}'", data[..count].escape_ascii());
    }
}
