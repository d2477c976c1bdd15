//! Unix streams: [`UnixStream`] and [`UnixListener`].

use std::io;
use std::path::Path;

use super::{connect_unix, everyday, listen_unix, path_name, set_unlink_on_drop, stream, unix};
use crate::kinds::{Family, Protocol, Type};
use crate::sockaddr::UnixAddr;
use crate::socket::Socket;
use crate::unix_path::BoundPath;

/// A stream between two processes of one machine. See `unix(7)` and [`everyday`](crate::everyday).
///
/// ```
/// use socket::{UnixListener, UnixStream};
/// use std::io::{Read, Write};
///
/// let path = std::env::temp_dir().join(format!("unix-stream-{}", std::process::id()));
/// let mut listener = UnixListener::bind(&path)?;
/// listener.set_unlink_on_drop(true);
///
/// let mut client = UnixStream::connect(&path)?;
/// let (mut server, _) = listener.accept()?;
/// client.write_all(b"hello")?;
/// let mut buffer = [0; 5];
/// server.read_exact(&mut buffer)?;
/// assert_eq!(&buffer, b"hello");
///
/// drop(listener);
/// assert!(!path.exists());
/// # std::io::Result::Ok(())
/// ```
pub struct UnixStream {
    socket: Socket,
}

everyday!(UnixStream);
stream!(UnixStream);

impl UnixStream {
    /// Connects to the listener at `path`.
    ///
    /// # Errors
    /// `NotFound` when nothing is there, `ConnectionRefused` when nobody listens, `EACCES`,
    /// `EPROTOTYPE` for a socket of another type; `TimedOut` by the default timeout, while the
    /// listener's queue is full.
    pub fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&path_name(path.as_ref()))
    }

    /// Connects to the listener with this name, which may be abstract.
    ///
    /// # Errors
    /// As [`connect`](UnixStream::connect).
    pub fn connect_addr(name: &UnixAddr) -> io::Result<UnixStream> {
        Ok(connect_unix(Type::STREAM, name)?.into())
    }

    /// Two streams, connected to each other.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` out of descriptors.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Protocol::DEFAULT)?;
        Ok((left.into(), right.into()))
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

/// A socket that takes Unix streams. See [`everyday`](crate::everyday).
pub struct UnixListener {
    /// Before the socket, so that it is removed while the inode is certainly ours.
    path: Option<BoundPath>,
    socket: Socket,
}

everyday!(UnixListener, path);

impl UnixListener {
    /// Listens at `path`. One that a dead server left there is replaced, see
    /// [`Socket::bind_path`].
    ///
    /// # Errors
    /// As [`Socket::bind_path`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&path_name(path.as_ref()))
    }

    /// Listens on a name, which may be abstract; [`UnixAddr::Unnamed`] takes a free abstract one.
    ///
    /// # Errors
    /// As [`Socket::bind_path`]; `AddrInUse` for an abstract name that is taken.
    pub fn bind_addr(name: &UnixAddr) -> io::Result<UnixListener> {
        let (path, socket) = listen_unix(Type::STREAM, name)?;
        Ok(UnixListener { path, socket })
    }

    /// Whether the path is removed when this is dropped. Starts off.
    pub fn set_unlink_on_drop(&mut self, unlink: bool) {
        set_unlink_on_drop(&mut self.path, unlink);
    }

    /// Waits for a connection and takes it.
    ///
    /// # Errors
    /// As [`Socket::accept`].
    pub fn accept(&self) -> io::Result<(UnixStream, UnixAddr)> {
        let (socket, peer) = self.socket.accept()?;
        Ok((socket.into(), unix(peer)?))
    }

    /// Connection after connection, without an end. An error is an item, not the end either.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<UnixStream>> + '_ {
        std::iter::repeat_with(|| self.accept().map(|(stream, _)| stream))
    }

    /// The name that it listens on.
    ///
    /// # Errors
    /// `InvalidData` if it is not a Unix socket at all.
    pub fn local_addr(&self) -> io::Result<UnixAddr> {
        unix(self.socket.getsockname()?)
    }
}
