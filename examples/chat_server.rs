//! Talks with many clients at once, and knows for each with whom and how long already.
//!
//! `chat_server [ADDRESS]`. One line is one message, of at most 1024 bytes; at most a hundred
//! clients, and one that is silent for a minute is hung up on.

use std::io::{self, Write};
use std::time::Duration;
use switchboard::{Connection, Engine, Guards, Handler, Server, per_connection};

/// One conversation: made for a connection, gone with it.
#[derive(Default)]
struct Chat {
    name: String,
    messages: u32,
}

impl Handler for Chat {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.write_all(b"what is your name?\n")?;
        connection.read_line(&mut self.name)?;
        self.name.truncate(self.name.trim_end().len());
        writeln!(connection, "hello, {}", self.name)
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut line = String::new();
        while connection.read_line(&mut line)? > 0 && line.trim_end() != "bye" {
            self.messages += 1;
            println!("{:?} says {:?}", self.name, line.trim_end());
            writeln!(connection, "{}, that was message {}", self.name, self.messages)?;
            line.clear();
        }
        Ok(())
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        println!("{:?} has left after {} messages", self.name, self.messages);
        writeln!(connection, "goodbye, {}", self.name)
    }
}

fn main() -> switchboard::Result {
    let guards = Guards {
        limit_connections: Some(100),
        limit_per_address: Some(100),
        limit_line: 1024,
        deadline_idle: Some(Duration::from_secs(60)),
        ..Guards::default()
    };
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8010".into());
    Server::new()
        .with_engine(Engine::Threads)
        .with_guards(guards)
        .bind(address, per_connection(Chat::default))?
        .serve_forever()
}
