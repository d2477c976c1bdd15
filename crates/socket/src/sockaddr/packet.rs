//! Packets at the level of the device: `struct sockaddr_ll`. `packet(7)`.
//!
//! ```text
//!   0        2          4           8        10        11       12                  20
//!   | family | protocol | interface | hatype | pkttype | length | hardware address … |
//! ```
//! The protocol stands in network byte order, the rest in the machine's. The address may be longer
//! than its eight bytes (InfiniBand has twenty), and what the kernel answers may be shorter.
//!
//! Sockets of type [`Type::PACKET`](crate::Type::PACKET) use another form, which has no type here:
//! the device's name in the 14 bytes of [`SockAddr::Other`](crate::SockAddr::Other).

use std::fmt;
use std::io;
use std::mem::{offset_of, size_of};

use super::form::{Form, invalid, take, take_u32};
use super::text;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

const PROTOCOL: usize = offset_of!(libc::sockaddr_ll, sll_protocol);
const INTERFACE: usize = offset_of!(libc::sockaddr_ll, sll_ifindex);
const HATYPE: usize = offset_of!(libc::sockaddr_ll, sll_hatype);
const PKTTYPE: usize = offset_of!(libc::sockaddr_ll, sll_pkttype);
const LENGTH: usize = offset_of!(libc::sockaddr_ll, sll_halen);
const ADDRESS: usize = offset_of!(libc::sockaddr_ll, sll_addr);
/// The longest hardware address Linux has, `MAX_ADDR_LEN`.
const ADDRESS_MAX: usize = 32;

/// One end of a packet socket. `packet(7)`.
///
/// As text: `packet:2,protocol=0x0800,hatype=1,address=02:fc:00:00:00:01`, with zeros left out; the
/// interface may also be given by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PacketAddr {
    /// The Ethernet type, in host byte order: `constants::ETH_P_ALL`, `ETH_P_IP`. Zero receives
    /// nothing.
    pub protocol: u16,
    /// The interface's index; zero is any. See [`if_nametoindex`](crate::names::if_nametoindex).
    pub interface: u32,
    /// The kind of hardware, `ARPHRD_*`; only told by the kernel.
    pub hatype: u16,
    /// To whom the packet was sent, `constants::PACKET_HOST` …; only told by the kernel.
    pub pkttype: u8,
    /// The hardware address, at most 32 bytes: where from, or where to.
    pub address: Vec<u8>,
}

impl PacketAddr {
    /// What [`bind`](crate::Socket::bind) takes: an interface (zero: any) and an Ethernet type.
    #[must_use]
    pub fn new(interface: u32, protocol: u16) -> PacketAddr {
        PacketAddr { protocol, interface, ..PacketAddr::default() }
    }
}

impl Form for PacketAddr {
    const FAMILY: Family = Family::PACKET;
    const WORD: &'static str = "packet";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        if self.address.len() > ADDRESS_MAX {
            return Err(invalid("hardware address longer than 32 bytes"));
        }
        raw.put(PROTOCOL, &self.protocol.to_be_bytes());
        raw.put(INTERFACE, &self.interface.to_ne_bytes());
        raw.put(HATYPE, &self.hatype.to_ne_bytes());
        raw.put(PKTTYPE, &[self.pkttype, self.address.len() as u8]);
        raw.put(ADDRESS, &self.address);
        raw.reach(size_of::<libc::sockaddr_ll>());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<PacketAddr> {
        let length = usize::from(*bytes.get(LENGTH)?);
        let address = bytes.get(ADDRESS..ADDRESS + length)?;
        (length <= ADDRESS_MAX).then_some(())?;
        Some(PacketAddr {
            protocol: u16::from_be_bytes(take(bytes, PROTOCOL)?),
            interface: take_u32(bytes, INTERFACE)?,
            hatype: u16::from_ne_bytes(take(bytes, HATYPE)?),
            pkttype: *bytes.get(PKTTYPE)?,
            address: address.to_vec(),
        })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interface)?;
        if self.protocol != 0 {
            write!(f, ",protocol={:#06x}", self.protocol)?;
        }
        if self.hatype != 0 {
            write!(f, ",hatype={}", self.hatype)?;
        }
        if self.pkttype != 0 {
            write!(f, ",pkttype={}", self.pkttype)?;
        }
        if !self.address.is_empty() {
            f.write_str(",address=")?;
            text::write_bytes(f, &self.address, ":")?;
        }
        Ok(())
    }

    fn read(text: &str) -> Result<PacketAddr, String> {
        let known = ["protocol", "hatype", "pkttype", "address"];
        let (interface, fields) = text::head(text, &known)?;
        let address = text::read_bytes(fields.text("address").unwrap_or_default())?;
        if address.len() > ADDRESS_MAX {
            return Err("hardware address longer than 32 bytes".into());
        }
        Ok(PacketAddr {
            protocol: fields.number("protocol")?,
            interface: text::interface(interface)?,
            hatype: fields.number("hatype")?,
            pkttype: fields.number("pkttype")?,
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::SockAddr;
    use super::super::tests::holds;
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn packet_lies_in_memory_as_in_c() {
        let bytes = b"\x11\0\x08\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        holds(PacketAddr::new(2, 0x0800), bytes, "packet:2,protocol=0x0800");
        let address = PacketAddr {
            protocol: 3,
            interface: 4,
            hatype: 1,
            pkttype: 4,
            address: vec![2, 0xfc, 0, 0, 0, 1],
        };
        let bytes = b"\x11\0\0\x03\x04\0\0\0\x01\0\x04\x06\x02\xfc\0\0\0\x01\0\0";
        let text = "packet:4,protocol=0x0003,hatype=1,pkttype=4,address=02:fc:00:00:00:01";
        holds(address.clone(), bytes, text);
        // The kernel ends its answers at the address.
        assert_eq!(SockAddr::from_bytes(&bytes[..18]), address.into());
    }

    #[test]
    fn long_hardware_addresses_are_kept_and_longer_ones_refused() {
        let mut address = PacketAddr::new(1, 3);
        address.address = vec![9; ADDRESS_MAX];
        let address = SockAddr::from(address);
        assert_eq!(SockAddr::from_bytes(&address.to_bytes().unwrap()), address);
        let mut address = PacketAddr::new(1, 3);
        address.address = vec![9; ADDRESS_MAX + 1];
        let error = SockAddr::from(address).to_bytes().unwrap_err();
        assert_eq!(error.to_string(), "hardware address longer than 32 bytes");
    }
}
