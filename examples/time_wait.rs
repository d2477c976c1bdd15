//! Shows when a port can be bound again that an old connection still holds in `TIME_WAIT`.
//!
//! `time_wait`. Four servers, each of which closes a connection first and is then restarted, with
//! and without `SO_REUSEADDR` before and after; and a fifth that is not over at all.

use socket::{Family, Protocol, Socket, TcpStream, Type, names::inet_address};
use std::io::{self, Read};

/// Binds and listens, with or without address reuse.
fn server(port: u16, reuse: bool) -> io::Result<Socket> {
    let socket = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT)?;
    socket.set_so_reuseaddr(reuse)?;
    socket.bind(&inet_address(Family::INET, "127.0.0.1", port)?)?;
    socket.listen(5)?;
    Ok(socket)
}

fn show(old: &str, new: &str, outcome: io::Result<Socket>) {
    let outcome = outcome.map_or_else(|error| error.to_string(), |_| "bound".into());
    println!("{old:<16} {new:<12} {outcome}");
}

fn main() -> io::Result<()> {
    println!("{:<16} {:<12} the restart", "old server", "new server");
    let word = |reuse| if reuse { "reuse" } else { "no reuse" };
    for (old, new) in [(false, false), (false, true), (true, false), (true, true)] {
        let listener = server(0, old)?;
        let port = listener.getsockname()?.port().expect("TCP has ports");
        let mut client = TcpStream::connect(("127.0.0.1", port))?;
        let (connection, _) = listener.accept()?;
        drop(connection); // who closes first has TIME_WAIT
        client.read_to_end(&mut Vec::new())?;
        drop((client, listener));
        show(word(old), word(new), server(port, new));
    }
    let listener = server(0, true)?;
    let port = listener.getsockname()?.port().expect("TCP has ports");
    show("reuse, listening", "reuse", server(port, true));
    Ok(())
}
