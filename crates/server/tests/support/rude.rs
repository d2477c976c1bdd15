//! Peers that do what no polite peer does, and how to see what became of them.
//!
//! All of it works while a forked process still has a copy of the descriptor.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

use switchboard::socket::{Family, SockAddr, Type};
use switchboard::{Address, Connection, Engine, Socket};

use crate::support::{Client, Serving};

/// Everything back, as it comes.
pub fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => connection.write_all(&buffer[..count])?,
        }
    }
}

/// More than anybody reads.
pub fn flood(connection: &mut Connection) -> io::Result<()> {
    loop {
        connection.write_all(&[7; 4096])?;
    }
}

/// The socket address of a listener.
pub fn place(address: &Address) -> SockAddr {
    address.resolve().unwrap().remove(0).address
}

/// A socket that can be connected to `address`.
pub fn unconnected(address: &Address) -> Socket {
    let endpoint = address.resolve().unwrap().remove(0);
    Socket::new(endpoint.family, endpoint.kind, endpoint.protocol).unwrap()
}

/// A client whose own address is `from`, one of the many of the loopback network.
pub fn client_from(from: [u8; 4], address: &Address) -> Client {
    let socket = unconnected(address);
    socket.bind(&SockAddr::from(SocketAddr::new(IpAddr::from(from), 0))).unwrap();
    socket.connect(&place(address)).unwrap();
    Client::from(socket)
}

/// Resets the connection. An address of no family is how `connect(2)` ends one; closing with
/// `SO_LINGER` would have to be the last to close.
pub fn reset(client: &Socket) {
    client.connect(&SockAddr::Other { family: Family::UNSPEC, data: vec![0; 14] }).unwrap();
}

/// Sends `text` to an echo, and says whether it came back; if not, the server has closed.
///
/// # Panics
/// If neither happens: then the client was left hanging.
pub fn is_answered(client: &Socket, text: &str) -> bool {
    let mut answer = vec![0; text.len()];
    let sent = client.send_all(text.as_bytes());
    match sent.and_then(|()| client.recv_exact(&mut answer)) {
        Ok(()) => {
            assert_eq!(answer, text.as_bytes());
            true
        }
        Err(error) => {
            assert_ne!(error.kind(), io::ErrorKind::TimedOut, "left hanging");
            false
        }
    }
}

/// How many accept loops a server of this engine has: each rests, retries and fails by itself.
pub fn accept_loops(engine: Engine) -> u64 {
    match engine {
        Engine::Coroutines => std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        _ => 1,
    }
}

/// How many events with `text` in them have been told.
pub fn times_told(server: &Serving, text: &str) -> u64 {
    let events = server.events.lock().unwrap();
    events.iter().filter(|event| event.contains(text)).count() as u64
}

/// A pair of datagram sockets' one end, bound to a port of its own.
pub fn datagram_socket() -> Socket {
    let socket = Socket::new(Family::INET, Type::DGRAM, Default::default()).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 66], 0)))).unwrap();
    socket
}
