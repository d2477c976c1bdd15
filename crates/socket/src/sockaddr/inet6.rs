//! IPv6: `struct sockaddr_in6`. `ipv6(7)`.
//!
//! ```text
//!   0        2        4              8                        24        28
//!   | family |  port  |  flow label  |      IPv6 address      |  scope  |
//! ```
//! Port, flow label and address stand in network byte order, the scope (an interface's index) in
//! the machine's. As text the scope stands after `%`, also as an interface's name, and a flow label
//! after a comma: `[fe80::1%eth0]:80,flow=7`.

use std::fmt;
use std::io;
use std::mem::offset_of;
use std::net::{Ipv6Addr, SocketAddrV6};

use super::form::{Form, invalid, take, take_u32};
use super::text;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

const PORT: usize = offset_of!(libc::sockaddr_in6, sin6_port);
const FLOW: usize = offset_of!(libc::sockaddr_in6, sin6_flowinfo);
const ADDRESS: usize = offset_of!(libc::sockaddr_in6, sin6_addr);
const SCOPE: usize = offset_of!(libc::sockaddr_in6, sin6_scope_id);
/// A flow label has twenty bits. RFC 6437.
const FLOW_MAX: u32 = 0xf_ffff;

impl Form for SocketAddrV6 {
    const FAMILY: Family = Family::INET6;
    const WORD: &'static str = "";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        if self.flowinfo() > FLOW_MAX {
            return Err(invalid("IPv6 flow label is not in 0 to 1048575"));
        }
        raw.put(PORT, &self.port().to_be_bytes());
        raw.put(FLOW, &self.flowinfo().to_be_bytes());
        raw.put(ADDRESS, &self.ip().octets());
        raw.put(SCOPE, &self.scope_id().to_ne_bytes());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<SocketAddrV6> {
        let scope = take_u32(bytes, SCOPE)?;
        let address: [u8; 16] = take(bytes, ADDRESS)?;
        let flow = u32::from_be_bytes(take(bytes, FLOW)?);
        let port = u16::from_be_bytes(take(bytes, PORT)?);
        Some(SocketAddrV6::new(address.into(), port, flow, scope))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match self.flowinfo() {
            0 => Ok(()),
            flow => write!(f, ",flow={flow}"),
        }
    }

    fn read(text: &str) -> Result<SocketAddrV6, String> {
        let (place, fields) = text::head(text, &["flow"])?;
        let why = || format!("\"{place}\" is not [IPv6]:PORT (try [::1]:80)");
        let (host, port) =
            place.strip_prefix('[').and_then(|rest| rest.split_once("]:")).ok_or_else(why)?;
        let (ip, scope) = match host.split_once('%') {
            Some((ip, zone)) => (ip, text::interface(zone)?),
            None => (host, 0),
        };
        let ip: Ipv6Addr = ip.parse().map_err(|_| why())?;
        let port = text::number(port, "port")?;
        Ok(SocketAddrV6::new(ip, port, fields.number("flow")?, scope))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use super::super::SockAddr;
    use super::super::tests::holds;

    fn address(flow: u32, scope: u32) -> SocketAddrV6 {
        SocketAddrV6::new("fe80::1".parse().unwrap(), 80, flow, scope)
    }

    #[test]
    fn ipv6_lies_in_memory_as_in_c() {
        let mut bytes =
            *b"\x0a\0\0\x50\0\x01\x02\x03\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0";
        bytes[24..].copy_from_slice(&3_u32.to_ne_bytes());
        holds(address(0x10203, 3), &bytes, "[fe80::1%3]:80,flow=66051");
    }

    #[test]
    fn a_flow_label_has_twenty_bits() {
        assert!(SockAddr::from(address(1_048_575, 0)).to_bytes().is_ok());
        let error = SockAddr::from(address(1_048_576, 0)).to_bytes().unwrap_err();
        assert_eq!(error.to_string(), "IPv6 flow label is not in 0 to 1048575");
    }

    #[test]
    fn a_scope_may_be_an_interface_name() {
        let index = crate::names::if_nametoindex("lo").unwrap();
        assert_eq!("[fe80::1%lo]:80".parse::<SockAddr>().unwrap(), address(0, index).into());
    }
}
