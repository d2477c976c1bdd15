//! TCP: [`TcpStream`] and [`TcpListener`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{everyday, inet, inet_endpoints, stream};
use crate::create_connection::{ConnectOptions, create_connection};
use crate::create_server::{ServerOptions, create_server};
use crate::endpoints::ToEndpoints;
use crate::kinds::Type;
use crate::socket::Socket;

/// A TCP connection. See `tcp(7)` and [`everyday`](crate::everyday).
///
/// ```
/// use socket::{TcpListener, TcpStream};
/// use std::io::{Read, Write};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (mut server, _) = listener.accept()?;
///
/// client.write_all(b"hello")?;
/// let mut buffer = [0; 5];
/// server.read_exact(&mut buffer)?;
/// assert_eq!(&buffer, b"hello");
/// # std::io::Result::Ok(())
/// ```
pub struct TcpStream {
    socket: Socket,
}

everyday!(TcpStream);
stream!(TcpStream);

impl TcpStream {
    /// Connects to an address, trying all that it means, within the default timeout. For other
    /// limits and more there is [`create_connection`].
    ///
    /// # Errors
    /// A [`ConnectError`](crate::ConnectError) inside; `InvalidInput` for an address that is not
    /// one of TCP.
    pub fn connect(address: impl ToEndpoints) -> io::Result<TcpStream> {
        let endpoints = inet_endpoints(address, Type::STREAM)?;
        Ok(create_connection(endpoints, &ConnectOptions::default())?.into())
    }

    /// Connects to one address within `limit`, whatever the default timeout, which is the
    /// stream's afterwards.
    ///
    /// # Errors
    /// As [`connect`](TcpStream::connect); `InvalidInput` for a limit of zero.
    pub fn connect_timeout(address: &SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        let options = ConnectOptions { timeout: Some(limit), ..ConnectOptions::default() };
        let socket = create_connection(address, &options)?;
        socket.set_timeout(crate::default_timeout())?;
        Ok(socket.into())
    }

    /// This end's address.
    ///
    /// # Errors
    /// `InvalidData` if it is not a TCP socket at all.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(&self.socket.getsockname()?)
    }

    /// The other end's address.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        inet(&self.socket.getpeername()?)
    }

    /// Whether small segments leave at once, see [`Socket::tcp_nodelay`].
    ///
    /// # Errors
    /// None on a TCP socket.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.tcp_nodelay()
    }

    /// Sets whether small segments leave at once, see [`Socket::set_tcp_nodelay`].
    ///
    /// # Errors
    /// None on a TCP socket.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_tcp_nodelay(nodelay)
    }
}

/// A socket that takes TCP connections. See [`everyday`](crate::everyday).
pub struct TcpListener {
    socket: Socket,
}

everyday!(TcpListener);

impl TcpListener {
    /// Listens on the first address of `address` that can be bound, as [`create_server`] does with
    /// its defaults. Port 0 takes a free one.
    ///
    /// # Errors
    /// As [`create_server`].
    pub fn bind(address: impl ToEndpoints) -> io::Result<TcpListener> {
        let endpoints = inet_endpoints(address, Type::STREAM)?;
        Ok(create_server(endpoints, &ServerOptions::default())?.into())
    }

    /// Waits for a connection and takes it.
    ///
    /// # Errors
    /// As [`Socket::accept`].
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = self.socket.accept()?;
        Ok((socket.into(), inet(&peer)?))
    }

    /// Connection after connection, without an end. An error is an item, not the end either.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<TcpStream>> + '_ {
        std::iter::repeat_with(|| self.accept().map(|(stream, _)| stream))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// `InvalidData` if it is not a TCP socket at all.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(&self.socket.getsockname()?)
    }
}
