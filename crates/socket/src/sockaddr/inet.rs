//! IPv4: `struct sockaddr_in`. `ip(7)`.
//!
//! ```text
//!   0        2        4                8                16
//!   | family |  port  |  IPv4 address  |  zeros         |
//! ```
//! Port and address stand in network byte order. The sockets of [`Family::RDS`] use this form too,
//! with the family `AF_INET`.

use std::fmt;
use std::io;
use std::mem::{offset_of, size_of};
use std::net::SocketAddrV4;

use super::form::{Form, take};
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

const PORT: usize = offset_of!(libc::sockaddr_in, sin_port);
const ADDRESS: usize = offset_of!(libc::sockaddr_in, sin_addr);

impl Form for SocketAddrV4 {
    const FAMILY: Family = Family::INET;
    const WORD: &'static str = "";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        raw.put(PORT, &self.port().to_be_bytes());
        raw.put(ADDRESS, &self.ip().octets());
        raw.reach(size_of::<libc::sockaddr_in>());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<SocketAddrV4> {
        let address: [u8; 4] = take(bytes, ADDRESS)?;
        Some(SocketAddrV4::new(address.into(), u16::from_be_bytes(take(bytes, PORT)?)))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn read(text: &str) -> Result<SocketAddrV4, String> {
        text.parse().map_err(|_| format!("\"{text}\" is not IPv4:PORT (try 127.0.0.1:80)"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::holds;

    #[test]
    fn ipv4_lies_in_memory_as_in_c() {
        let bytes = b"\x02\0\x22\xb8\x7f\0\0\x09\0\0\0\0\0\0\0\0";
        holds("127.0.0.9:8888".parse::<std::net::SocketAddr>().unwrap(), bytes, "127.0.0.9:8888");
    }
}
