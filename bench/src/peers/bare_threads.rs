//! The ceiling for a thread per connection: std::net, one read, one write, nothing else.
//!
//! No limits, no deadlines, no counting: what the product's guards cost is the distance to this
//! loop. The buffer (16 KiB) and TCP_NODELAY are the same for every peer.

use super::{A_THREAD_EACH, Body, Peer};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

pub(super) const PEER: Peer = Peer {
    name: "bare-threads",
    summary: "blocking std::net loop, a thread per connection",
    holds: A_THREAD_EACH,
    body: Body::Inside(serve),
};

fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of descriptors, most likely: the listener stays readable, so do not spin.
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
    stream.set_nodelay(true)?;
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const BUFFER_BYTES: usize = 16 * 1024;
