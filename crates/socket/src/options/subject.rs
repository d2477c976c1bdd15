//! The sockets that options are tried on and asked of.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::kinds::{Family, Protocol, Type};
use crate::sockaddr::SockAddr;
use crate::socket::Socket;

/// A kind of socket that has an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Its address family.
    pub family: Family,
    /// Its type.
    pub kind: Type,
    /// Its protocol.
    pub protocol: Protocol,
    /// What must have happened to it.
    pub state: State,
}

/// How far a socket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Made, nothing more.
    New,
    /// Connected to another socket on this machine.
    Connected,
    /// Waiting for connections on the loopback address. Streams only.
    Listening,
}

impl Subject {
    /// Makes such a socket, on the loopback address where it needs one. The first is the one to
    /// ask; the others are its peers, and end their connection when dropped.
    ///
    /// # Errors
    /// As [`Socket::new`]: `EAFNOSUPPORT` and its kin where this kernel does not have the kind,
    /// `EPERM` where it needs a privilege.
    pub fn open(&self) -> io::Result<(Socket, Vec<Socket>)> {
        match self.state {
            State::New => Ok((self.fresh()?, Vec::new())),
            State::Listening => Ok((self.listening()?, Vec::new())),
            State::Connected if self.family == Family::UNIX => {
                let (socket, peer) = Socket::pair(self.family, self.kind, self.protocol)?;
                Ok((socket, vec![peer]))
            }
            State::Connected if self.kind == Type::STREAM => {
                let (socket, listener) = (self.fresh()?, self.listening()?);
                socket.connect(&listener.getsockname()?)?;
                let (accepted, _) = listener.accept()?;
                Ok((socket, vec![accepted, listener]))
            }
            State::Connected => {
                let (socket, peer) = (self.fresh()?, self.fresh()?);
                peer.bind(&self.loopback())?;
                socket.connect(&peer.getsockname()?)?;
                Ok((socket, vec![peer]))
            }
        }
    }

    fn fresh(&self) -> io::Result<Socket> {
        Socket::new(self.family, self.kind, self.protocol)
    }

    fn listening(&self) -> io::Result<Socket> {
        let socket = self.fresh()?;
        socket.bind(&self.loopback())?;
        socket.listen(1)?;
        Ok(socket)
    }

    fn loopback(&self) -> SockAddr {
        match self.family {
            Family::INET6 => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into(),
            _ => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
        }
    }
}
