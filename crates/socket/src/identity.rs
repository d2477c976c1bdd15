//! What a socket is: its family, type and protocol, its addresses, and all of it as a text.
//!
//! Everything here is the kernel's answer, asked for each time; nothing is remembered from when the
//! socket was made. So it is true of descriptors from elsewhere, too.

use std::fmt::{self, Write};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

use crate::kinds::{Family, Protocol, Type};
use crate::names::if_indextoname;
use crate::sockaddr::text::write_name;
use crate::sockaddr::{SockAddr, UnixAddr};
use crate::socket::Socket;
use crate::sys::call;

impl Socket {
    /// The socket's own address. `getsockname(2)`.
    ///
    /// # Errors
    /// `ENOBUFS`.
    pub fn getsockname(&self) -> io::Result<SockAddr> {
        Ok(call::getsockname(self.as_fd())?.decode())
    }

    /// The address of the peer. `getpeername(2)`.
    ///
    /// # Errors
    /// `ENOTCONN` when there is none.
    pub fn getpeername(&self) -> io::Result<SockAddr> {
        Ok(call::getpeername(self.as_fd())?.decode())
    }

    /// The family it was made with. `SO_DOMAIN`.
    ///
    /// # Errors
    /// None on a socket; `ENOTSOCK` on a descriptor that is not one.
    #[doc(alias = "SO_DOMAIN")]
    pub fn family(&self) -> io::Result<Family> {
        self.so_domain()
    }

    /// The type it was made with. `SO_TYPE`.
    ///
    /// # Errors
    /// As [`family`](Socket::family).
    #[doc(alias = "SO_TYPE")]
    #[doc(alias = "type")]
    pub fn kind(&self) -> io::Result<Type> {
        self.so_type()
    }

    /// The protocol it was made with, or the one that the default turned into. `SO_PROTOCOL`.
    ///
    /// # Errors
    /// As [`family`](Socket::family).
    #[doc(alias = "SO_PROTOCOL")]
    #[doc(alias = "proto")]
    pub fn protocol(&self) -> io::Result<Protocol> {
        self.so_protocol()
    }
}

/// The form Python prints: `<socket.socket fd=4, family=AddressFamily.AF_INET,
/// type=SocketKind.SOCK_STREAM, proto=0, laddr=('127.0.0.1', 8888), raddr=('127.0.0.1', 60623)>`.
/// An address that there is not, or that is empty, is left out.
impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |answer: io::Result<String>| answer.unwrap_or_else(|_| "?".into());
        write!(f, "<socket.socket fd={}", self.as_raw_fd())?;
        write!(f, ", family=AddressFamily.{}", name(self.family().map(|value| value.to_string())))?;
        write!(f, ", type=SocketKind.{}", name(self.kind().map(|value| value.to_string())))?;
        write!(f, ", proto={}", name(self.protocol().map(|value| value.0.to_string())))?;
        for (label, address) in [("laddr", self.getsockname()), ("raddr", self.getpeername())] {
            match address {
                Err(_) | Ok(SockAddr::Unix(UnixAddr::Unnamed)) => {}
                Ok(address) => write!(f, ", {label}={}", AsPython(&address))?,
            }
        }
        f.write_str(">")
    }
}

/// An address as Python prints it: mostly as a tuple, a path bare, an abstract name as bytes.
/// Families of which Python's form says less than ours are in ours.
struct AsPython<'a>(&'a SockAddr);

impl fmt::Display for AsPython<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SockAddr::Inet(inet) => write!(f, "('{}', {})", inet.ip(), inet.port()),
            SockAddr::Inet6(inet) => {
                let (flow, scope) = (inet.flowinfo(), inet.scope_id());
                write!(f, "('{}', {}, {flow}, {scope})", inet.ip(), inet.port())
            }
            SockAddr::Unix(UnixAddr::Unnamed) => Ok(()),
            SockAddr::Unix(UnixAddr::Path(path)) => write_name(f, path.as_os_str().as_bytes(), &[]),
            SockAddr::Unix(UnixAddr::Abstract(name)) => {
                write!(f, "{}", Bytes(&[b"\0", name.as_slice()].concat()))
            }
            SockAddr::Netlink(netlink) => write!(f, "({}, {})", netlink.pid, netlink.groups),
            SockAddr::Packet(packet) => {
                let name = if_indextoname(packet.interface).unwrap_or_default();
                write!(f, "('{name}', {}, {}", packet.protocol, packet.pkttype)?;
                write!(f, ", {}, {})", packet.hatype, Bytes(&packet.address))
            }
            SockAddr::Vsock(vsock) => write!(f, "({}, {})", vsock.cid, vsock.port),
            other => write!(f, "'{other}'"),
        }
    }
}

/// Bytes as Python prints them, which chooses the quotes so that there is less to escape.
struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let double = self.0.contains(&b'\'') && !self.0.contains(&b'"');
        let quote = if double { '"' } else { '\'' };
        write!(f, "b{quote}")?;
        for &byte in self.0 {
            match byte {
                b'\'' | b'"' if char::from(byte) != quote => f.write_char(byte.into())?,
                _ => write!(f, "{}", byte.escape_ascii())?,
            }
        }
        f.write_char(quote)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("fd", &self.as_raw_fd())
            .field("family", &self.family().ok())
            .field("type", &self.kind().ok())
            .field("local", &self.getsockname().ok())
            .field("peer", &self.getpeername().ok())
            .field("timeout", &self.timeout())
            .finish()
    }
}
