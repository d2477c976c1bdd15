//! The ceiling for a thread per connection: std::net, one read, one write, nothing else.
//!
//! No limits, no deadlines, no counting: what the product's guards cost is the distance to this
//! loop. The buffer (16 KiB) and TCP_NODELAY, which comes from the
//! listener, are the same for every peer.

use super::{A_THREAD_EACH, ACCEPT_PAUSE, BUFFER_BYTES, Body, Peer, Service, nothing};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

pub(super) const PEER: Peer = Peer {
    name: "bare-threads",
    summary: "blocking std::net loop, a thread per connection",
    holds: A_THREAD_EACH,
    library: None,
    needs: nothing,
    bodies: &[(Service::Echo, Body::Inside(serve))],
};

fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(ACCEPT_PAUSE);
            continue;
        };
        // A failure is this connection's own: it closes with the stream.
        let spawned = thread::Builder::new().spawn(move || drop(echo(stream)));
        if spawned.is_err() {
            thread::sleep(ACCEPT_PAUSE);
        }
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
    }
}
