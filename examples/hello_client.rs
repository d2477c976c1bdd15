//! Gives three names to the greeting server, prints its answers, and says `exit`.
//!
//! `hello_client [HOST [PORT]]`. For [`hello_server`](hello_server.rs), chapter 4.

use socket::TcpStream;
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.1", String::as_str);
    let port = args.get(2).map_or(Ok(9999), |port| port.parse())?;

    let mut s = TcpStream::connect((host, port))?;
    let mut answer = [0; 1024];
    let count = s.read(&mut answer)?;
    println!("{}", String::from_utf8_lossy(&answer[..count]).replace(char::is_control, "?"));
    for name in ["michael", "tracy", "sarah"] {
        s.write_all(name.as_bytes())?;
        let count = s.read(&mut answer)?;
        println!("{}", String::from_utf8_lossy(&answer[..count]).replace(char::is_control, "?"));
    }
    s.write_all(b"exit")?;
    Ok(())
}
