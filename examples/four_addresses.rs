//! Shows what makes a connection itself: two IP addresses and two ports.
//!
//! `four_addresses [HOST [PORT]]`. A listener and two clients in one program; each end is asked.

use socket::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.1", String::as_str);
    let port = args.get(2).map_or(Ok(9999), |port| port.parse())?;

    let listener = TcpListener::bind((host, port))?;
    let address = listener.local_addr()?;
    println!("the listener is at {address} and has no other end");
    let mut open = Vec::new();
    for number in 1..=2 {
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        println!("connection {number}");
        println!(
            "  the client says: I am {}, you are {}",
            client.local_addr()?,
            client.peer_addr()?
        );
        println!(
            "  the server says: I am {}, you are {}",
            server.local_addr()?,
            server.peer_addr()?
        );
        open.push((client, server));
    }
    Ok(())
}
