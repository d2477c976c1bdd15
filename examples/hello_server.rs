//! Greets each message of each client, with a thread for each connection.
//!
//! `hello_server [HOST [PORT]]`. A message is what one `recv` brings, as in the original; a real
//! protocol says where a message ends (chapter 10).

use socket::{ServerOptions, Socket, create_server};
use std::net::SocketAddr;
use std::time::Duration;
use std::{io, thread};

fn tcplink(sock: Socket, addr: SocketAddr) -> io::Result<()> {
    println!("accept new connection from {addr}...");
    sock.send_all(b"welcome!")?;
    let mut data = [0; 1024];
    loop {
        let count = sock.recv(&mut data)?;
        thread::sleep(Duration::from_secs(1));
        let data = String::from_utf8_lossy(&data[..count]);
        if data.is_empty() || data == "exit" {
            break;
        }
        sock.send_all(format!("hello, {data}!").as_bytes())?;
    }
    sock.close()?;
    println!("connection from {addr} closed.");
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.1", String::as_str);
    let port = args.get(2).map_or(Ok(9999), |port| port.parse())?;

    let options = ServerOptions { backlog: 5, ..Default::default() };
    let s = create_server((host, port), &options)?;
    println!("waiting for connection...");
    loop {
        let (sock, addr) = s.accept()?;
        let addr = addr.as_inet().expect("a client of a TCP socket has an IP address");
        thread::spawn(move || {
            tcplink(sock, addr).unwrap_or_else(|error| eprintln!("{addr}: {error}"));
        });
    }
}
