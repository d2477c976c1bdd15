//! Echo client: says `Hello,Server` and prints what comes back.
//!
//! `echo_client [HOST [PORT]]`. For [`echo_server`](echo_server.rs), chapter 2.

use socket::names::inet_address;
use socket::{Family, Protocol, Socket, Type};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let server_host = args.get(1).map_or("localhost", String::as_str);
    let server_port = args.get(2).map_or(Ok(50014), |port| port.parse())?;

    let sockobj = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT)?;
    sockobj.connect(&inet_address(Family::INET, server_host, server_port)?)?;
    sockobj.send(b"Hello,Server")?;

    let mut data = [0; 1024];
    let count = sockobj.recv(&mut data)?;
    println!("{}", String::from_utf8_lossy(&data[..count]).replace(char::is_control, "?"));
    sockobj.close()?;
    Ok(())
}
