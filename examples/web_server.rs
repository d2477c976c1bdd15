//! The smallest web server that a browser is content with, on bare sockets.
//!
//! `web_server [HOST [PORT]]`. It answers one request of a connection, one connection after the
//! other, and gives each five seconds and 8 KiB for its request.

use socket::{TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::time::Duration;

const REQUEST_BYTES: usize = 8 * 1024;

/// Reads to the blank line that ends the header, however many pieces it comes in.
fn request(client: &mut TcpStream) -> io::Result<String> {
    let (mut data, mut piece) = (Vec::new(), [0; 1024]);
    while !data.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match client.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if data.len() > REQUEST_BYTES => return Err(io::Error::other("too long")),
            count => data.extend_from_slice(&piece[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&data).into_owned())
}

fn answer(client: &mut TcpStream) -> io::Result<()> {
    client.set_timeout(Some(Duration::from_secs(5)))?;
    let request = request(client)?;
    let first_line = request.lines().next().unwrap_or_default();
    println!("{}", first_line.replace(char::is_control, "?"));
    let (status, page) = match first_line.split(' ').nth(1) {
        Some("/") => ("200 OK", "<h1>Hello, World</h1>\n"),
        _ => ("404 Not Found", "<h1>There is nothing here</h1>\n"),
    };
    let header = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        page.len(),
    );
    client.write_all(&[header.as_bytes(), page.as_bytes()].concat())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.1", String::as_str);
    let port = args.get(2).map_or(Ok(8080), |port| port.parse())?;

    let listener = TcpListener::bind((host, port))?;
    loop {
        let (mut client, addr) = listener.accept()?;
        if let Err(error) = answer(&mut client) {
            eprintln!("{addr}: {error}");
        }
    }
}
