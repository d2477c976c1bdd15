//! UDP: [`UdpSocket`].

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use super::{everyday, inet, inet_endpoints, peek};
use crate::endpoints::ToEndpoints;
use crate::errors::BindError;
use crate::kinds::Type;
use crate::names::Endpoint;
use crate::seam::{self, Operation, Peer};
use crate::sockaddr::SockAddr;
use crate::socket::Socket;
use crate::sys::sockaddr::RawSockAddr;

/// A UDP socket. See `udp(7)` and [`everyday`](crate::everyday).
///
/// ```
/// use socket::UdpSocket;
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"hello", server.local_addr()?)?;
/// let mut buffer = [0; 16];
/// let (count, sender) = server.recv_from(&mut buffer)?;
/// assert_eq!((&buffer[..count], sender), (&b"hello"[..], client.local_addr()?));
/// # std::io::Result::Ok(())
/// ```
pub struct UdpSocket {
    socket: Socket,
}

everyday!(UdpSocket);

impl UdpSocket {
    /// Makes a socket with an address of its own, the first of `address` that can be bound.
    ///
    /// # Errors
    /// A [`BindError`] inside; `InvalidInput` for an address that is not one of UDP.
    pub fn bind(address: impl ToEndpoints) -> io::Result<UdpSocket> {
        let bind = |endpoint: &Endpoint| {
            let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol)?;
            socket.bind(&endpoint.address)?;
            Ok(socket.into())
        };
        first(address, |endpoint| {
            bind(endpoint)
                .map_err(|error: io::Error| BindError::new(endpoint.address.clone(), error).into())
        })
    }

    /// Fixes the peer: from now on [`send`](UdpSocket::send) goes there and nothing else is
    /// received. Nothing is sent.
    ///
    /// # Errors
    /// `ENETUNREACH`; `EAFNOSUPPORT` for an address of the other family.
    pub fn connect(&self, address: impl ToEndpoints) -> io::Result<()> {
        first(address, |endpoint| self.socket.connect(&endpoint.address))
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

    /// Sends one datagram to the first address of `address`. A name is looked up each time.
    ///
    /// # Errors
    /// As [`Socket::send_to`].
    pub fn send_to(&self, bytes: &[u8], address: impl ToEndpoints) -> io::Result<usize> {
        match inet_endpoints(address, Type::DGRAM)?.first() {
            Some(endpoint) => self.socket.send_to(bytes, &endpoint.address),
            None => Err(no_address()),
        }
    }

    /// Receives one datagram and its sender. What does not fit in `buffer` is lost.
    ///
    /// # Errors
    /// As [`Socket::recv_from`].
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (count, sender) = self.socket.recv_from(buffer)?;
        Ok((count, inet(&sender)?))
    }

    /// Receives one datagram without taking it.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        peek(&self.socket, buffer)
    }

    /// Receives one datagram and its sender without taking it.
    ///
    /// # Errors
    /// As [`Socket::recv_from`].
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut from = Peer(RawSockAddr::room());
        let mut operation = Operation::RecvFrom { buffer, flags: libc::MSG_PEEK, from: &mut from };
        let count = seam::perform(self.socket.target(), &mut operation, self.socket.deadline())?;
        let sender: SockAddr = from.0.decode();
        Ok((count, inet(&sender)?))
    }

    /// The socket's own address.
    ///
    /// # Errors
    /// `InvalidData` if it is not a UDP socket at all.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(&self.socket.getsockname()?)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// `NotConnected` when [`connect`](UdpSocket::connect) has not fixed one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        inet(&self.socket.getpeername()?)
    }

    /// Whether datagrams may go to a broadcast address, see [`Socket::so_broadcast`].
    ///
    /// # Errors
    /// None on a UDP socket.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.so_broadcast()
    }

    /// Sets whether datagrams may go to a broadcast address, see [`Socket::set_so_broadcast`].
    ///
    /// # Errors
    /// None on a UDP socket.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.socket.set_so_broadcast(broadcast)
    }
}

/// Does something with the first address for which it goes well; else answers the last error.
fn first<T>(
    address: impl ToEndpoints,
    mut attempt: impl FnMut(&Endpoint) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = no_address();
    for endpoint in inet_endpoints(address, Type::DGRAM)? {
        match attempt(&endpoint) {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn no_address() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "there is no address")
}
