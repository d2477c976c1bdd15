//! `struct sockaddr` as bytes: how each family's address lies in memory.
//!
//! ```text
//!   0        2        4                8                              24        28
//!   | family |  port  |  IPv4 address  |                                                 AF_INET
//!   | family |  port  |   flow label   |        IPv6 address           |  scope  |       AF_INET6
//!   | family |  path … NUL   or   NUL abstract name …   or nothing at all                AF_UNIX
//! ```
//! Ports, IPv4 addresses and flow labels stand in network byte order, family and scope in the
//! machine's. The offsets come from libc's structures, so nothing here is `unsafe`: it is bytes in
//! and bytes out, and a decoder that any input can be thrown at.

use std::ffi::OsStr;
use std::io;
use std::mem::{offset_of, size_of};
use std::net::{SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::kinds::Family;
use crate::sockaddr::{SockAddr, UnixAddr};

/// Room for an address of any family, and how much of it is used. `sockaddr_storage` in C.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct RawSockAddr {
    pub(super) bytes: [u8; CAPACITY],
    pub(super) length: libc::socklen_t,
}

/// What the kernel reserves for an address of any family.
const CAPACITY: usize = size_of::<libc::sockaddr_storage>();
/// Where the path of a Unix address begins.
const UNIX_PATH: usize = offset_of!(libc::sockaddr_un, sun_path);
/// The longest path or abstract name, without its NUL. `unix(7)`.
const UNIX_PATH_MAX: usize = size_of::<libc::sockaddr_un>() - UNIX_PATH - 1;
/// Where the bytes after `sa_family` begin.
const DATA: usize = offset_of!(libc::sockaddr, sa_data);

impl RawSockAddr {
    /// Empty room for the kernel to write an address into.
    pub(crate) fn room() -> RawSockAddr {
        RawSockAddr { bytes: [0; CAPACITY], length: CAPACITY as libc::socklen_t }
    }

    /// Whether there is not even a family: the kernel had no address to give.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The address as the kernel wants it.
    ///
    /// # Errors
    /// `InvalidInput` for a Unix path that is too long or holds a NUL, or for more than 126 bytes
    /// of another family.
    pub(crate) fn encode(address: &SockAddr) -> io::Result<RawSockAddr> {
        let mut raw = RawSockAddr { bytes: [0; CAPACITY], length: 0 };
        raw.put_family(address.family());
        match address {
            SockAddr::Inet(inet) => raw.put_inet(inet),
            SockAddr::Inet6(inet6) => raw.put_inet6(inet6),
            SockAddr::Unix(unix) => raw.put_unix(unix)?,
            SockAddr::Other { data, .. } => {
                if data.len() > CAPACITY - DATA {
                    return Err(invalid("socket address too long"));
                }
                raw.put(DATA, data);
                raw.set_length(DATA + data.len());
            }
        }
        Ok(raw)
    }

    /// What the kernel wrote, by family. An address too short for its family is kept as bytes.
    pub(crate) fn decode(&self) -> SockAddr {
        let used = &self.bytes[..(self.length as usize).min(CAPACITY)];
        let family = match used.first_chunk::<{ size_of::<libc::sa_family_t>() }>() {
            Some(bytes) => Family(i32::from(libc::sa_family_t::from_ne_bytes(*bytes))),
            None => return SockAddr::Other { family: Family::UNSPEC, data: Vec::new() },
        };
        match family {
            Family::INET if used.len() >= size_of::<libc::sockaddr_in>() => self.inet(),
            Family::INET6 if used.len() >= size_of::<libc::sockaddr_in6>() => self.inet6(),
            Family::UNIX => SockAddr::Unix(unix(used.get(UNIX_PATH..).unwrap_or_default())),
            _ => SockAddr::Other { family, data: used.get(DATA..).unwrap_or_default().to_vec() },
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn set_length(&mut self, length: usize) {
        self.length = length as libc::socklen_t;
    }

    fn put_family(&mut self, family: Family) {
        self.put(offset_of!(libc::sockaddr, sa_family), &(family.0 as u16).to_ne_bytes());
    }

    fn put_inet(&mut self, address: &SocketAddrV4) {
        self.put(offset_of!(libc::sockaddr_in, sin_port), &address.port().to_be_bytes());
        self.put(offset_of!(libc::sockaddr_in, sin_addr), &address.ip().octets());
        self.set_length(size_of::<libc::sockaddr_in>());
    }

    fn put_inet6(&mut self, address: &SocketAddrV6) {
        self.put(offset_of!(libc::sockaddr_in6, sin6_port), &address.port().to_be_bytes());
        self.put(offset_of!(libc::sockaddr_in6, sin6_flowinfo), &address.flowinfo().to_be_bytes());
        self.put(offset_of!(libc::sockaddr_in6, sin6_addr), &address.ip().octets());
        self.put(offset_of!(libc::sockaddr_in6, sin6_scope_id), &address.scope_id().to_ne_bytes());
        self.set_length(size_of::<libc::sockaddr_in6>());
    }

    fn put_unix(&mut self, address: &UnixAddr) -> io::Result<()> {
        let (start, name, end) = match address {
            UnixAddr::Unnamed => (UNIX_PATH, &[][..], 0),
            UnixAddr::Path(path) => (UNIX_PATH, path.as_os_str().as_bytes(), 1),
            UnixAddr::Abstract(name) => (UNIX_PATH + 1, name.as_slice(), 0),
        };
        if name.len() > UNIX_PATH_MAX {
            return Err(invalid("Unix socket name longer than 107 bytes"));
        }
        if matches!(address, UnixAddr::Path(_)) && (name.is_empty() || name.contains(&0)) {
            return Err(invalid("Unix socket path is empty or contains a NUL byte"));
        }
        self.put(start, name);
        self.set_length(start + name.len() + end);
        Ok(())
    }

    fn inet(&self) -> SockAddr {
        let port = u16::from_be_bytes(self.take(offset_of!(libc::sockaddr_in, sin_port)));
        let address: [u8; 4] = self.take(offset_of!(libc::sockaddr_in, sin_addr));
        SockAddr::Inet(SocketAddrV4::new(address.into(), port))
    }

    fn inet6(&self) -> SockAddr {
        let port = u16::from_be_bytes(self.take(offset_of!(libc::sockaddr_in6, sin6_port)));
        let flow = u32::from_be_bytes(self.take(offset_of!(libc::sockaddr_in6, sin6_flowinfo)));
        let address: [u8; 16] = self.take(offset_of!(libc::sockaddr_in6, sin6_addr));
        let scope = u32::from_ne_bytes(self.take(offset_of!(libc::sockaddr_in6, sin6_scope_id)));
        SockAddr::Inet6(SocketAddrV6::new(address.into(), port, flow, scope))
    }

    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[at..at + N]);
        bytes
    }
}

/// A Unix name from the bytes after the family. The kernel may or may not count the final NUL.
fn unix(name: &[u8]) -> UnixAddr {
    match name {
        [] => UnixAddr::Unnamed,
        [0, rest @ ..] => UnixAddr::Abstract(rest.to_vec()),
        path => {
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
            UnixAddr::Path(PathBuf::from(OsStr::from_bytes(&path[..end])))
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_comes_back_as_it_went_in() {
        let addresses = [
            SockAddr::Inet("127.0.0.9:8888".parse().unwrap()),
            SockAddr::Inet6(SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0xfffff, 3)),
            SockAddr::Unix(UnixAddr::Unnamed),
            SockAddr::Unix(UnixAddr::Path("/run/x.sock".into())),
            SockAddr::Unix(UnixAddr::Path("p".repeat(UNIX_PATH_MAX).into())),
            SockAddr::Unix(UnixAddr::Abstract(b"a\0b".to_vec())),
            SockAddr::Unix(UnixAddr::Abstract(vec![7; UNIX_PATH_MAX])),
            SockAddr::Other { family: Family(44), data: vec![1, 2, 3] },
        ];
        for address in addresses {
            assert_eq!(RawSockAddr::encode(&address).unwrap().decode(), address);
        }
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for address in [
            UnixAddr::Path("p".repeat(UNIX_PATH_MAX + 1).into()),
            UnixAddr::Path("a\0b".into()),
            UnixAddr::Path("".into()),
            UnixAddr::Abstract(vec![7; UNIX_PATH_MAX + 1]),
        ] {
            let error = RawSockAddr::encode(&SockAddr::Unix(address)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn short_and_empty_answers_decode_to_something() {
        for length in 0..40 {
            for family in [0_u16, 1, 2, 10, 99] {
                let mut raw = RawSockAddr::room();
                raw.put_family(Family(i32::from(family)));
                raw.length = length;
                let _address: SockAddr = raw.decode();
            }
        }
    }
}
