//! Unix connections of whole messages: [`UnixSeqpacket`] and [`UnixSeqpacketListener`].

use std::io;
use std::net::Shutdown;
use std::path::Path;

use super::{connect_unix, everyday, listen_unix, path_name, set_unlink_on_drop, unix};
use crate::kinds::{Family, Protocol, Type};
use crate::sockaddr::UnixAddr;
use crate::socket::Socket;
use crate::unix_path::BoundPath;

/// A connection between two processes of one machine that keeps messages apart: each `recv` is one
/// `send`. See `unix(7)` and [`everyday`](crate::everyday).
///
/// It is no `Read` or `Write`, since those may cut and join what they move.
///
/// ```
/// use socket::UnixSeqpacket;
///
/// let (left, right) = UnixSeqpacket::pair()?;
/// left.send(b"one")?;
/// left.send(b"three")?;
/// let mut buffer = [0; 16];
/// assert_eq!(right.recv(&mut buffer)?, 3);
/// assert_eq!(right.recv(&mut buffer)?, 5);
/// # std::io::Result::Ok(())
/// ```
pub struct UnixSeqpacket {
    socket: Socket,
}

everyday!(UnixSeqpacket);

impl UnixSeqpacket {
    /// Connects to the listener at `path`.
    ///
    /// # Errors
    /// As [`UnixStream::connect`](crate::UnixStream::connect).
    pub fn connect(path: impl AsRef<Path>) -> io::Result<UnixSeqpacket> {
        UnixSeqpacket::connect_addr(&path_name(path.as_ref()))
    }

    /// Connects to the listener with this name, which may be abstract.
    ///
    /// # Errors
    /// As [`connect`](UnixSeqpacket::connect).
    pub fn connect_addr(name: &UnixAddr) -> io::Result<UnixSeqpacket> {
        Ok(connect_unix(Type::SEQPACKET, name)?.into())
    }

    /// Two ends, connected to each other.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` out of descriptors.
    pub fn pair() -> io::Result<(UnixSeqpacket, UnixSeqpacket)> {
        let (left, right) = Socket::pair(Family::UNIX, Type::SEQPACKET, Protocol::DEFAULT)?;
        Ok((left.into(), right.into()))
    }

    /// Sends one message, whole.
    ///
    /// # Errors
    /// As [`Socket::send`]; `EMSGSIZE` for one that does not fit the send buffer.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(bytes)
    }

    /// Receives one message. What does not fit in `buffer` is lost. Zero is an empty message or
    /// the end, which cannot be told apart: a protocol that needs the end sends no empty ones.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    /// Ends one or both directions for every descriptor of the connection, and wakes whoever waits
    /// there.
    ///
    /// # Errors
    /// `NotConnected` when there is no connection, or no longer.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    /// This end's name, of clients [`UnixAddr::Unnamed`].
    ///
    /// # Errors
    /// `InvalidData` if it is not a Unix socket at all.
    pub fn local_addr(&self) -> io::Result<UnixAddr> {
        unix(self.socket.getsockname()?)
    }

    /// The other end's name.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<UnixAddr> {
        unix(self.socket.getpeername()?)
    }
}

/// A socket that takes [`UnixSeqpacket`] connections. See [`everyday`](crate::everyday).
pub struct UnixSeqpacketListener {
    /// Before the socket, so that it is removed while the inode is certainly ours.
    path: Option<BoundPath>,
    socket: Socket,
}

everyday!(UnixSeqpacketListener, path);

impl UnixSeqpacketListener {
    /// Listens at `path`. One that a dead server left there is replaced, see
    /// [`Socket::bind_path`].
    ///
    /// # Errors
    /// As [`Socket::bind_path`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixSeqpacketListener> {
        UnixSeqpacketListener::bind_addr(&path_name(path.as_ref()))
    }

    /// Listens on a name, which may be abstract; [`UnixAddr::Unnamed`] takes a free abstract one.
    ///
    /// # Errors
    /// As [`Socket::bind_path`]; `AddrInUse` for an abstract name that is taken.
    pub fn bind_addr(name: &UnixAddr) -> io::Result<UnixSeqpacketListener> {
        let (path, socket) = listen_unix(Type::SEQPACKET, name)?;
        Ok(UnixSeqpacketListener { path, socket })
    }

    /// Whether the path is removed when this is dropped. Starts off.
    pub fn set_unlink_on_drop(&mut self, unlink: bool) {
        set_unlink_on_drop(&mut self.path, unlink);
    }

    /// Waits for a connection and takes it.
    ///
    /// # Errors
    /// As [`Socket::accept`].
    pub fn accept(&self) -> io::Result<(UnixSeqpacket, UnixAddr)> {
        let (socket, peer) = self.socket.accept()?;
        Ok((socket.into(), unix(peer)?))
    }

    /// Connection after connection, without an end. An error is an item, not the end either.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<UnixSeqpacket>> + '_ {
        std::iter::repeat_with(|| self.accept().map(|(connection, _)| connection))
    }

    /// The name that it listens on.
    ///
    /// # Errors
    /// `InvalidData` if it is not a Unix socket at all.
    pub fn local_addr(&self) -> io::Result<UnixAddr> {
        unix(self.socket.getsockname()?)
    }
}
