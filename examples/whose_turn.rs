//! Shows what two clients at once run on: the same handler, on the engine that is named.
//!
//! `whose_turn [ENGINE]`. The handler says in which process and thread it runs, and then talks with
//! its client until that leaves. The second client comes while the first is still there.

use socket::{Address, Socket, errors};
use std::io::{self, Read, Write};
use std::time::Duration;
use switchboard::{Connection, Engine, Server};

fn whoami(connection: &mut Connection) -> io::Result<()> {
    let thread = std::thread::current().id();
    writeln!(connection, "{} {thread:?}", std::process::id())?;
    connection.flush()?;
    io::copy(connection, &mut io::sink()).map(drop)
}

/// Where the client is served: process and thread. Nothing if that takes long.
fn served(client: &mut Socket) -> io::Result<Option<(String, String)>> {
    client.set_timeout(Some(Duration::from_secs(3)))?;
    let mut answer = [0; 64];
    match client.read(&mut answer) {
        Err(error) if errors::is_timeout(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(count) => {
            let answer = String::from_utf8_lossy(&answer[..count]);
            Ok(answer.trim_end().split_once(' ').map(|(p, t)| (p.to_owned(), t.to_owned())))
        }
    }
}

fn connect(address: &Address) -> io::Result<Socket> {
    socket::create_connection(address, &Default::default()).map_err(Into::into)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine: Engine = std::env::args().nth(1).unwrap_or("serial".into()).parse()?;
    let mut server = Server::new().with_engine(engine).with_workers(1);
    let address = server.bind("127.0.0.1:0", whoami)?.addresses().remove(0);
    let control = server.control();
    let serving = std::thread::spawn(move || server.serve_forever());

    let mut first = connect(&address)?;
    let mut second = connect(&address)?;
    let one = served(&mut first)?.ok_or("nobody serves the first client")?;
    let mut other = served(&mut second)?;
    if other.is_none() {
        println!("the second client waits; the first one leaves");
        first.shutdown(std::net::Shutdown::Both)?;
        other = served(&mut second)?;
    }
    let other = other.ok_or("nobody serves the second client")?;
    let word = |same| if same { "the same" } else { "another" };
    println!("the second client has {} process", word(one.0 == other.0));
    println!("the second client has {} thread", word(one == other));
    drop((first, second));
    control.shutdown();
    serving.join().map_err(|_| "the server panicked")??;
    Ok(())
}
