//! Unix datagrams: [`UnixDatagram`].

use std::io;
use std::net::Shutdown;
use std::path::Path;

use super::{bind_unix, everyday, path_name, set_unlink_on_drop, unix};
use crate::kinds::{Family, Protocol, Type};
use crate::sockaddr::{SockAddr, UnixAddr};
use crate::socket::Socket;
use crate::unix_path::BoundPath;

/// Datagrams between processes of one machine: whole, in order, never lost; a sender waits while
/// the receiver's queue is full. See `unix(7)` and [`everyday`](crate::everyday).
///
/// ```
/// use socket::UnixDatagram;
///
/// let (left, right) = UnixDatagram::pair()?;
/// left.send(b"one")?;
/// left.send(b"two")?;
/// let mut buffer = [0; 16];
/// assert_eq!(right.recv(&mut buffer)?, 3);
/// # std::io::Result::Ok(())
/// ```
pub struct UnixDatagram {
    /// Before the socket, so that it is removed while the inode is certainly ours.
    path: Option<BoundPath>,
    socket: Socket,
}

everyday!(UnixDatagram, path);

impl UnixDatagram {
    /// Makes a socket without a name: it can send, and nobody can answer it.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` out of descriptors.
    pub fn unbound() -> io::Result<UnixDatagram> {
        Ok(Socket::new(Family::UNIX, Type::DGRAM, Protocol::DEFAULT)?.into())
    }

    /// Makes a socket that receives at `path`. One that a dead process left there is replaced,
    /// see [`Socket::bind_path`].
    ///
    /// # Errors
    /// As [`Socket::bind_path`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&path_name(path.as_ref()))
    }

    /// Makes a socket with a name, which may be abstract; [`UnixAddr::Unnamed`] takes a free
    /// abstract one.
    ///
    /// # Errors
    /// As [`Socket::bind_path`]; `AddrInUse` for an abstract name that is taken.
    pub fn bind_addr(name: &UnixAddr) -> io::Result<UnixDatagram> {
        let (path, socket) = bind_unix(Type::DGRAM, name)?;
        Ok(UnixDatagram { path, socket })
    }

    /// Two sockets, connected to each other.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` out of descriptors.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Protocol::DEFAULT)?;
        Ok((left.into(), right.into()))
    }

    /// Whether the path is removed when this is dropped. Starts off.
    pub fn set_unlink_on_drop(&mut self, unlink: bool) {
        set_unlink_on_drop(&mut self.path, unlink);
    }

    /// Fixes the peer: from now on [`send`](UnixDatagram::send) goes there and nothing else is
    /// received.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused` when no socket is there; `EPROTOTYPE` for another type.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&path_name(path.as_ref()))
    }

    /// [`connect`](UnixDatagram::connect) to a name, which may be abstract.
    ///
    /// # Errors
    /// As [`connect`](UnixDatagram::connect).
    pub fn connect_addr(&self, name: &UnixAddr) -> io::Result<()> {
        self.socket.connect(&SockAddr::Unix(name.clone()))
    }

    /// Sends one datagram to the peer.
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(bytes)
    }

    /// Receives one datagram. What does not fit in `buffer` is lost; zero is an empty datagram.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    /// Sends one datagram to the socket at `path`.
    ///
    /// # Errors
    /// As [`Socket::send_to`]; `NotFound`, `ConnectionRefused` when no socket is there.
    pub fn send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.send_to_addr(bytes, &path_name(path.as_ref()))
    }

    /// Sends one datagram to a name, which may be abstract.
    ///
    /// # Errors
    /// As [`send_to`](UnixDatagram::send_to).
    pub fn send_to_addr(&self, bytes: &[u8], name: &UnixAddr) -> io::Result<usize> {
        self.socket.send_to(bytes, &SockAddr::Unix(name.clone()))
    }

    /// Receives one datagram and its sender's name. What does not fit in `buffer` is lost.
    ///
    /// # Errors
    /// As [`Socket::recv_from`].
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        let (count, sender) = self.socket.recv_from(buffer)?;
        match sender {
            // A sender without a name has no address at all, not even a family.
            SockAddr::Other { data, .. } if data.is_empty() => Ok((count, UnixAddr::Unnamed)),
            sender => Ok((count, unix(sender)?)),
        }
    }

    /// The socket's own name.
    ///
    /// # Errors
    /// `InvalidData` if it is not a Unix socket at all.
    pub fn local_addr(&self) -> io::Result<UnixAddr> {
        unix(self.socket.getsockname()?)
    }

    /// The peer's name.
    ///
    /// # Errors
    /// `NotConnected` when [`connect`](UnixDatagram::connect) has not fixed one.
    pub fn peer_addr(&self) -> io::Result<UnixAddr> {
        unix(self.socket.getpeername()?)
    }

    /// Ends one or both directions and wakes whoever waits there.
    ///
    /// # Errors
    /// `NotConnected` without a peer.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }
}
