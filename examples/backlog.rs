//! Shows how many clients a listener keeps waiting, and what happens to one more.
//!
//! `backlog [N]`. It listens with a backlog of N and never accepts.

use socket::{ServerOptions, Socket, create_server, errors};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backlog = std::env::args().nth(1).map_or(Ok(5), |backlog| backlog.parse())?;
    let options = ServerOptions { backlog, ..Default::default() };
    let listener = create_server(("127.0.0.1", 0), &options)?;
    let address = listener.getsockname()?;

    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(address.family(), listener.kind()?, listener.protocol()?)?;
        client.set_timeout(Some(Duration::from_secs(1)))?;
        match client.connect(&address) {
            Ok(()) => waiting.push(client),
            Err(error) => {
                println!("listen({backlog}), clients that are connected: {}", waiting.len());
                match errors::is_timeout(&error) {
                    true => println!("the next one is not refused, it gets no answer"),
                    false => println!("the next one: {error}"),
                }
                return Ok(());
            }
        }
    }
}
