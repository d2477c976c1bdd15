//! The echo server on the framework: no accept loop, a thread for each connection, many at once.
//!
//! `threaded_echo_server [ADDRESS]`. It runs until Ctrl-C.

use std::io::{Read, Write};
use switchboard::{Connection, Engine, Server};

fn my_tcp_server(connection: &mut Connection) -> std::io::Result<()> {
    let client = connection.peer_address().as_inet().expect("a client of TCP has an IP address");
    let mut server_recv = [0; 1024];
    loop {
        println!("NEW: ('{}', {})", client.ip(), client.port());
        let count = connection.read(&mut server_recv)?;
        if count == 0 {
            return Ok(()); // the line that the original lacks
        }
        let text = String::from_utf8_lossy(&server_recv[..count]);
        println!("client: {}", text.trim_end().replace(char::is_control, "?"));
        connection.write_all(&server_recv[..count])?;
    }
}

fn main() -> switchboard::Result {
    let address = std::env::args().nth(1).unwrap_or("tcp4://localhost:5007".into());
    Server::new().with_engine(Engine::Threads).bind(address, my_tcp_server)?.serve_forever()
}
