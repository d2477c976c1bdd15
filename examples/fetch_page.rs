//! Fetches a page over HTTP by hand: prints the header and saves the rest.
//!
//! `fetch_page [HOST [PORT [FILE]]]`. It speaks just enough HTTP/1.1 to be answered: one request
//! after which the server closes, so that the end of the connection is the end of the page.

use socket::TcpStream;
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("www.sina.com.cn", String::as_str);
    let port = args.get(2).map_or(Ok(80), |port| port.parse())?;
    let file = args.get(3).map_or("sina.html", String::as_str);

    let mut s = TcpStream::connect((host, port))?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    s.write_all(request.as_bytes())?;

    let mut data = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let count = s.read(&mut piece)?;
        if count == 0 {
            break;
        }
        data.extend_from_slice(&piece[..count]);
    }
    drop(s);

    let blank_line = b"\r\n\r\n";
    let end = data.windows(blank_line.len()).position(|bytes| bytes == blank_line);
    let (header, html) = data.split_at(end.ok_or("the answer has no end of its header")?);
    let is_odd = |c: char| c.is_control() && c != '\n';
    println!("{}", std::str::from_utf8(header)?.replace(is_odd, ""));
    std::fs::write(file, &html[blank_line.len()..])?;
    Ok(())
}
