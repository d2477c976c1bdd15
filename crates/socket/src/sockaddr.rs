//! Addresses as the kernel knows them: `struct sockaddr`, by family, typed.
//!
//! A family without a row here keeps its bytes ([`SockAddr::Other`]), so nothing the kernel says is
//! lost. How each is laid out in memory is `sys/sockaddr.rs`; what people write is
//! [`Address`](crate::Address).

use std::ffi::OsStr;
use std::fmt;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::kinds::Family;

/// One end of a socket: host and port, a path, or whatever its family calls an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SockAddr {
    /// IPv4 address and port. `ip(7)`.
    Inet(SocketAddrV4),
    /// IPv6 address, port, flow label and scope. `ipv6(7)`.
    Inet6(SocketAddrV6),
    /// A socket of this machine. `unix(7)`.
    Unix(UnixAddr),
    /// Any other family: the bytes after `sa_family`, as they are.
    Other {
        /// The family the bytes belong to.
        family: Family,
        /// `sa_data`, in the kernel's byte order.
        data: Vec<u8>,
    },
}

/// The name of a Unix socket. `unix(7)`, "Address format".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnixAddr {
    /// No name: a socket that was never bound, or one of a pair. Binding to it asks Linux to pick
    /// a free abstract name ("autobind").
    Unnamed,
    /// A path in the file system, at most 107 bytes, without a NUL.
    Path(PathBuf),
    /// A name outside the file system, at most 107 bytes, any bytes. Linux only.
    Abstract(Vec<u8>),
}

impl SockAddr {
    /// The family the address belongs to.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            SockAddr::Inet(_) => Family::INET,
            SockAddr::Inet6(_) => Family::INET6,
            SockAddr::Unix(_) => Family::UNIX,
            SockAddr::Other { family, .. } => *family,
        }
    }

    /// IP address and port, where the address has them.
    #[must_use]
    pub fn as_inet(&self) -> Option<SocketAddr> {
        match self {
            SockAddr::Inet(address) => Some(SocketAddr::V4(*address)),
            SockAddr::Inet6(address) => Some(SocketAddr::V6(*address)),
            _ => None,
        }
    }

    /// The port, where the address has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.as_inet().map(|address| address.port())
    }

    /// The path of a Unix socket that has one.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            SockAddr::Unix(UnixAddr::Path(path)) => Some(path),
            _ => None,
        }
    }
}

impl From<SocketAddr> for SockAddr {
    fn from(address: SocketAddr) -> SockAddr {
        match address {
            SocketAddr::V4(address) => SockAddr::Inet(address),
            SocketAddr::V6(address) => SockAddr::Inet6(address),
        }
    }
}

impl From<&Path> for SockAddr {
    fn from(path: &Path) -> SockAddr {
        SockAddr::Unix(UnixAddr::Path(path.to_owned()))
    }
}

/// `127.0.0.1:80`, `[::1%2]:80`, `/run/x.sock`, `@name`, and nothing for an unnamed Unix socket.
///
/// Control bytes in a name are escaped, so that an address can be printed to a terminal as it is.
impl fmt::Display for SockAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SockAddr::Inet(address) => address.fmt(f),
            SockAddr::Inet6(address) => address.fmt(f),
            SockAddr::Unix(address) => address.fmt(f),
            SockAddr::Other { family, data } => write!(f, "{family}:{}", data.escape_ascii()),
        }
    }
}

impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnixAddr::Unnamed => Ok(()),
            UnixAddr::Path(path) => write_name(f, path.as_os_str()),
            UnixAddr::Abstract(name) => {
                f.write_str("@")?;
                write_name(f, OsStr::from_bytes(name))
            }
        }
    }
}

/// A name in UTF-8 as it is; its control bytes and what is not UTF-8 as `\x..`.
fn write_name(f: &mut fmt::Formatter<'_>, name: &OsStr) -> fmt::Result {
    for chunk in name.as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        write!(f, "{}", chunk.invalid().escape_ascii())?;
    }
    Ok(())
}
