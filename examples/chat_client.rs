//! A line from the server, a line to the server, in turns, until one of them says goodbye.
//!
//! `chat_client [HOST [PORT]]`. For [`chat_server`](chat_server.rs), chapter 12.

use socket::create_connection;
use std::io::{BufRead, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.1", String::as_str);
    let port = args.get(2).map_or(Ok(8010), |port| port.parse())?;

    let server = create_connection((host, port), &Default::default())?;
    for line in server.reader()?.lines() {
        let line = line?;
        println!("{}", line.replace(char::is_control, "?"));
        if line.starts_with("goodbye") {
            break;
        }
        print!(">>: ");
        std::io::stdout().flush()?;
        let mut msg = String::new();
        if std::io::stdin().read_line(&mut msg)? == 0 {
            break;
        }
        server.send_all(msg.as_bytes())?;
    }
    Ok(())
}
