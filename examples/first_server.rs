//! The smallest server: lines come in, lines go out in capitals. Try `nc 127.0.0.1 7007`.

use std::io::Write;
use switchboard::{Connection, Server};

fn shout(connection: &mut Connection) -> std::io::Result<()> {
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 {
        connection.write_all(std::mem::take(&mut line).to_uppercase().as_bytes())?;
    }
    Ok(())
}

fn main() -> switchboard::Result {
    Server::new().bind(std::env::args().nth(1).unwrap_or("7007".into()), shout)?.serve_forever()
}
