//! The everyday types: a [`Socket`] that says what it is, with std's names.
//!
//! | type | makes | is like |
//! |---|---|---|
//! | [`TcpStream`] | `connect(address)`: every address, Happy Eyeballs | `std::net::TcpStream` |
//! | [`TcpListener`] | `bind(address)`: address reuse on | `std::net::TcpListener` |
//! | [`UdpSocket`] | `bind(address)` | `std::net::UdpSocket` |
//! | [`UnixStream`] | `connect(path)`, `pair()` | `std::os::unix::net::UnixStream` |
//! | [`UnixListener`] | `bind(path)`: replaces a stale one | `std::os::unix::net::UnixListener` |
//! | [`UnixDatagram`] | `bind(path)`, `unbound()`, `pair()` | `std::os::unix::net::UnixDatagram` |
//! | [`UnixSeqpacket`] | `connect(path)`, `pair()` | (std has none) |
//! | [`UnixSeqpacketListener`] | `bind(path)` | (std has none) |
//!
//! They differ from std's where a socket of this crate does: every call blocks its caller, thread
//! or coroutine; there is one time limit for all calls, `set_timeout`, and a whole `write_all` or
//! `connect` keeps within it; its passing is `TimedOut`. New ones begin with the
//! [default timeout](crate::default_timeout()).
//!
//! Everything else a socket can do, each option above all, is reached by `socket()`. They turn
//! into a [`Socket`], an `OwnedFd` and std's types by `into()`, and back. Coming from std, one that
//! is non-blocking stays so; a time limit does not travel in either direction.

mod convert;
mod seqpacket;
mod tcp;
mod udp;
mod unix;
mod unix_datagram;

pub use seqpacket::{UnixSeqpacket, UnixSeqpacketListener};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixListener, UnixStream};
pub use unix_datagram::UnixDatagram;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use crate::endpoints::ToEndpoints;
use crate::kinds::{Family, Protocol, Type};
use crate::names::Endpoint;
use crate::seam::{self, Operation};
use crate::sockaddr::{SockAddr, UnixAddr};
use crate::socket::Socket;
use crate::unix_path::BoundPath;

/// Makes what every everyday type has: the ways to and from a socket, its limit and its copies.
/// Types with a `path` field are told apart by the word at the end.
macro_rules! everyday {
    ($type:ident $(, $path:ident)?) => {
        impl $type {
            /// The socket itself, for everything that has no method here.
            #[must_use]
            pub fn socket(&self) -> &$crate::Socket {
                &self.socket
            }

            /// Limits every later call that waits, each as a whole; `None` waits for as long as it
            /// takes, zero is non-blocking.
            ///
            /// # Errors
            /// None on a socket.
            pub fn set_timeout(&self, limit: Option<std::time::Duration>) -> std::io::Result<()> {
                self.socket.set_timeout(limit)
            }

            /// The limit of `set_timeout`.
            #[must_use]
            pub fn timeout(&self) -> Option<std::time::Duration> {
                self.socket.timeout()
            }

            /// Whether calls that would have to wait fail with `WouldBlock` instead. Either way
            /// a time limit is forgotten.
            ///
            /// # Errors
            /// None on a socket.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.socket.set_blocking(!nonblocking)
            }

            /// A second descriptor for the same socket, with the same time limit.
            ///
            /// # Errors
            /// `EMFILE` out of descriptors.
            pub fn try_clone(&self) -> std::io::Result<$type> {
                self.socket.try_clone().map($type::from)
            }

            /// The error waiting on the socket, taken by asking; `None` when all is well.
            ///
            /// # Errors
            /// None on a socket.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.socket.so_error()
            }
        }

        /// Whether it is a socket of this type is not asked; what it cannot do will fail.
        impl From<$crate::Socket> for $type {
            fn from(socket: $crate::Socket) -> $type {
                $type { $($path: None,)? socket }
            }
        }

        /// A path stays in the file system, whatever was asked for.
        impl From<$type> for $crate::Socket {
            fn from(this: $type) -> $crate::Socket {
                $(
                    if let Some(mut path) = this.$path {
                        path.set_unlink_on_drop(false);
                    }
                )?
                this.socket
            }
        }

        /// Whether it is a socket of this type is not asked; what it cannot do will fail.
        impl From<std::os::fd::OwnedFd> for $type {
            fn from(fd: std::os::fd::OwnedFd) -> $type {
                $crate::Socket::from(fd).into()
            }
        }

        impl From<$type> for std::os::fd::OwnedFd {
            fn from(this: $type) -> std::os::fd::OwnedFd {
                $crate::Socket::from(this).into()
            }
        }

        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket.as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket.as_raw_fd()
            }
        }

        impl std::os::fd::IntoRawFd for $type {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                std::os::fd::OwnedFd::from(self).into_raw_fd()
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self.socket).finish()
            }
        }
    };
}

/// Makes what every stream has: `Read` and `Write`, also on `&`, and half-closing.
macro_rules! stream {
    ($type:ident) => {
        impl $type {
            /// Ends one or both directions for every descriptor of the connection, and wakes
            /// whoever waits there.
            ///
            /// # Errors
            /// `NotConnected` when there is no connection, or no longer.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                self.socket.shutdown(how)
            }

            /// Receives without taking: the next call receives the same bytes again.
            ///
            /// # Errors
            /// As [`Socket::recv`](crate::Socket::recv).
            pub fn peek(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                $crate::everyday::peek(&self.socket, buffer)
            }
        }

        $crate::read_write::read_write!($type, socket);
        $crate::read_write::read_write!(&$type, socket);
    };
}

use {everyday, stream};

/// Receives without taking.
fn peek(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let mut operation = Operation::Recv { buffer, flags: libc::MSG_PEEK };
    seam::perform(socket.target(), &mut operation, socket.deadline())
}

/// An address of a socket of the internet families.
fn inet(address: &SockAddr) -> io::Result<SocketAddr> {
    let why = || io::Error::new(ErrorKind::InvalidData, "not a socket of the internet families");
    address.as_inet().ok_or_else(why)
}

/// The endpoints of an address, all of which must be internet ones of this type.
fn inet_endpoints(address: impl ToEndpoints, kind: Type) -> io::Result<Vec<Endpoint>> {
    let endpoints = address.to_endpoints(kind)?;
    match endpoints.iter().find(|one| one.kind != kind || one.address.as_inet().is_none()) {
        None => Ok(endpoints),
        Some(other) => Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!("{} is {} of {}, here is {kind}", other.address, other.kind, other.family),
        )),
    }
}

/// The name of a Unix socket.
fn unix(address: SockAddr) -> io::Result<UnixAddr> {
    match address {
        SockAddr::Unix(name) => Ok(name),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "not a Unix socket")),
    }
}

/// A Unix socket connected to `name`.
fn connect_unix(kind: Type, name: &UnixAddr) -> io::Result<Socket> {
    let socket = Socket::new(Family::UNIX, kind, Protocol::DEFAULT)?;
    socket.connect(&SockAddr::Unix(name.clone()))?;
    Ok(socket)
}

/// A Unix socket bound to `name`, with its path if it has one.
fn bind_unix(kind: Type, name: &UnixAddr) -> io::Result<(Option<BoundPath>, Socket)> {
    let socket = Socket::new(Family::UNIX, kind, Protocol::DEFAULT)?;
    let path = match name {
        UnixAddr::Path(path) => Some(socket.bind_path(path)?),
        name => {
            socket.bind(&SockAddr::Unix(name.clone()))?;
            None
        }
    };
    Ok((path, socket))
}

/// A Unix socket that listens on `name`, with its path if it has one.
fn listen_unix(kind: Type, name: &UnixAddr) -> io::Result<(Option<BoundPath>, Socket)> {
    let (mut path, socket) = bind_unix(kind, name)?;
    // Until it listens the path is of no use to anybody.
    set_unlink_on_drop(&mut path, true);
    socket.listen(crate::DEFAULT_BACKLOG)?;
    set_unlink_on_drop(&mut path, false);
    Ok((path, socket))
}

fn set_unlink_on_drop(path: &mut Option<BoundPath>, unlink: bool) {
    if let Some(path) = path {
        path.set_unlink_on_drop(unlink);
    }
}

/// A path as a name.
fn path_name(path: &Path) -> UnixAddr {
    UnixAddr::Path(path.to_owned())
}
