//! A pair of TCP sockets, for which no kernel has a call: a connection over loopback.
//!
//! Between `listen` and `accept` any program on the machine may connect to the listener first. So
//! the two ends are compared: each must be the other's peer. Who came uninvited is shown the door.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::kinds::{Family, Protocol, Type};
use crate::sockaddr::SockAddr;
use crate::socket::Socket;

/// The address on which to make a pair of this kind; `None` where that is the kernel's business.
pub(crate) fn address(family: Family, kind: Type, protocol: Protocol) -> Option<SockAddr> {
    if kind != Type::STREAM || !matches!(protocol, Protocol::DEFAULT | Protocol::TCP) {
        return None;
    }
    match family {
        Family::INET => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()),
        Family::INET6 => Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into()),
        _ => None,
    }
}

/// How many connections may wait at the listener: ours and that of anybody who is quicker.
const BACKLOG: i32 = 128;

/// Makes the pair.
pub(crate) fn pair(loopback: SockAddr) -> io::Result<(Socket, Socket)> {
    let listener = Socket::new(loopback.family(), Type::STREAM, Protocol::DEFAULT)?;
    listener.bind(&loopback)?;
    listener.listen(BACKLOG)?;
    let left = Socket::new(loopback.family(), Type::STREAM, Protocol::DEFAULT)?;
    let limit = left.timeout();
    // Over loopback a handshake ends within the call: blocking in it waits for nobody.
    left.set_blocking(true)?;
    left.connect(&listener.getsockname()?)?;
    // From here on the connection is among those that wait.
    listener.set_blocking(true)?;
    for _ in 0..=BACKLOG {
        let (right, peer) = listener.accept()?;
        if peer == left.getsockname()? && right.getsockname()? == left.getpeername()? {
            left.set_timeout(limit)?;
            return Ok((left, right));
        }
    }
    Err(io::Error::new(io::ErrorKind::ConnectionAborted, "other programs connected first"))
}
