//! Addresses as the kernel knows them: `struct sockaddr`, by family, typed.
//!
//! One family per file, each with the same parts: how it lies in memory, its type, and the four
//! ways between type, bytes and text. A family without a file keeps its bytes
//! ([`SockAddr::Other`]), and so does an answer too short for its family: nothing the kernel says
//! is lost. What people write is [`Address`](crate::Address).
//!
//! | family | type | text |
//! |---|---|---|
//! | IPv4 | `SocketAddrV4` | `127.0.0.1:80` |
//! | IPv6 | `SocketAddrV6` | `[fe80::1%2]:80,flow=7` |
//! | Unix | [`UnixAddr`] | `/run/x.sock`, `unix:x.sock`, `@name`, empty for unnamed |
//! | netlink | [`NetlinkAddr`] | `netlink:1234,groups=0x1` |
//! | packet | [`PacketAddr`] | `packet:2,protocol=0x0800` |
//! | vsock | [`VsockAddr`] | `vsock:2:7007` |
//! | CAN | [`CanAddr`] | `can:3`, `can:3,rx=0x123,tx=0x456` |
//! | TIPC | [`TipcAddr`] | `tipc:service,type=18888,instance=17,domain=0` |
//! | ALG | [`AlgAddr`] | `alg:hash:sha256` |
//! | QIPCRTR | [`QipcrtrAddr`] | `qipcrtr:1:16384` |
//! | any other | bytes | `AF_X25:0a0b0c`, `AF_99:0a0b0c` |

mod alg;
mod can;
mod form;
mod inet;
mod inet6;
mod netlink;
mod packet;
mod qipcrtr;
pub(crate) mod text;
mod tipc;
mod unix;
mod vsock;

use std::fmt;
use std::io;
use std::mem::offset_of;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::Path;
use std::str::FromStr;

use crate::address::ParseAddressError;
use crate::kinds::Family;
use crate::sys::sockaddr::{CAPACITY, RawSockAddr};
use form::{Form, invalid, take};

pub use alg::AlgAddr;
pub use can::CanAddr;
pub use netlink::NetlinkAddr;
pub use packet::PacketAddr;
pub use qipcrtr::QipcrtrAddr;
pub use tipc::TipcAddr;
pub(crate) use unix::NAME_MAX as UNIX_NAME_MAX;
pub use unix::UnixAddr;
pub use vsock::VsockAddr;

/// Where the bytes after `sa_family` begin.
const DATA: usize = offset_of!(libc::sockaddr, sa_data);

/// Makes the enum of families, and what is asked of each of them.
macro_rules! families {
    ($(#[$head:meta])* SockAddr { $($(#[$doc:meta])* $variant:ident($type:ty),)* }) => {
        $(#[$head])*
        pub enum SockAddr {
            $($(#[$doc])* $variant($type),)*
            /// Any other family: the bytes after `sa_family`, as they are.
            Other {
                /// The family the bytes belong to.
                family: Family,
                /// `sa_data`, in the kernel's byte order.
                data: Vec<u8>,
            },
        }

        $(
            impl From<$type> for SockAddr {
                fn from(address: $type) -> SockAddr {
                    SockAddr::$variant(address)
                }
            }
        )*

        impl SockAddr {
            /// The family the address belongs to.
            #[must_use]
            pub fn family(&self) -> Family {
                match self {
                    $(SockAddr::$variant(_) => <$type as Form>::FAMILY,)*
                    SockAddr::Other { family, .. } => *family,
                }
            }

            /// Lays out what comes after the family.
            fn encode_into(&self, raw: &mut RawSockAddr) -> io::Result<()> {
                match self {
                    $(SockAddr::$variant(address) => address.encode(raw),)*
                    SockAddr::Other { data, .. } if data.len() > CAPACITY - DATA => {
                        Err(invalid("socket address longer than 126 bytes"))
                    }
                    SockAddr::Other { data, .. } => {
                        raw.put(DATA, data);
                        Ok(())
                    }
                }
            }

            /// The address of a family that has a type here.
            fn decode_as(family: Family, bytes: &[u8]) -> Option<SockAddr> {
                match family {
                    $(<$type as Form>::FAMILY => {
                        <$type as Form>::decode(bytes).map(SockAddr::$variant)
                    })*
                    _ => None,
                }
            }

            /// The text after the family's word.
            fn read_as(word: &str, text: &str) -> Option<Result<SockAddr, String>> {
                $(if !<$type as Form>::WORD.is_empty() && word == <$type as Form>::WORD {
                    return Some(<$type as Form>::read(text).map(SockAddr::$variant));
                })*
                None
            }

            fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(SockAddr::$variant(address) => {
                        if self.has_word() {
                            write!(f, "{}:", <$type as Form>::WORD)?;
                        }
                        address.write(f)
                    })*
                    SockAddr::Other { family, data } => {
                        match family.name() {
                            Some(name) => write!(f, "{name}:")?,
                            None => write!(f, "AF_{}:", family.0)?,
                        }
                        text::write_bytes(f, data, "")
                    }
                }
            }
        }
    };
}

families! {
    /// One end of a socket: host and port, a path, or whatever its family calls an address.
    ///
    /// It goes to bytes and back ([`to_bytes`](SockAddr::to_bytes),
    /// [`from_bytes`](SockAddr::from_bytes)) and to text and back (`Display`, `FromStr`).
    ///
    /// ```
    /// use socket::{SockAddr, VsockAddr};
    ///
    /// let address: SockAddr = "127.0.0.1:80".parse()?;
    /// assert_eq!(address.to_bytes().unwrap()[2..8], [0, 80, 127, 0, 0, 1]);
    /// let address = SockAddr::from(VsockAddr::new(2, 7007));
    /// assert_eq!(address.to_string().parse::<SockAddr>()?, address);
    /// # Ok::<(), socket::ParseAddressError>(())
    /// ```
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    SockAddr {
        /// IPv4 address and port. `ip(7)`.
        Inet(SocketAddrV4),
        /// IPv6 address, port, flow label and scope. `ipv6(7)`.
        Inet6(SocketAddrV6),
        /// A socket of this machine. `unix(7)`.
        Unix(UnixAddr),
        /// The kernel, or another process by its port. `netlink(7)`.
        Netlink(NetlinkAddr),
        /// A device and a hardware address. `packet(7)`.
        Packet(PacketAddr),
        /// A virtual machine and a port. `vsock(7)`.
        Vsock(VsockAddr),
        /// An interface of a controller area network, with what the protocol adds.
        Can(CanAddr),
        /// A service or a socket in a cluster.
        Tipc(TipcAddr),
        /// One of the kernel's algorithms.
        Alg(AlgAddr),
        /// A processor of this device and a port.
        Qipcrtr(QipcrtrAddr),
    }
}

impl SockAddr {
    /// The address as `struct sockaddr`, for calls this crate does not make.
    ///
    /// # Errors
    /// `InvalidInput` for what does not fit into the family's structure: a Unix name of more than
    /// 107 bytes, a flow label of more than twenty bits.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(self.encode()?.as_bytes().to_vec())
    }

    /// Reads a `struct sockaddr`, family first. Every input is an address: what is too short or
    /// otherwise not what its family says is kept as [`Other`](SockAddr::Other).
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> SockAddr {
        let Some(family) = take(bytes, 0).map(libc::sa_family_t::from_ne_bytes) else {
            return SockAddr::Other { family: Family::UNSPEC, data: Vec::new() };
        };
        let family = Family(i32::from(family));
        SockAddr::decode_as(family, bytes).unwrap_or_else(|| {
            let data = bytes.get(DATA..).unwrap_or_default().to_vec();
            SockAddr::Other { family, data }
        })
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

    pub(crate) fn encode(&self) -> io::Result<RawSockAddr> {
        let family = self.family();
        if u16::try_from(family.0).is_err() {
            return Err(invalid("address family is not in 0 to 65535"));
        }
        let mut raw = RawSockAddr::of(family);
        self.encode_into(&mut raw)?;
        Ok(raw)
    }

    /// Whether the text begins with the family's word. The everyday forms do without.
    fn has_word(&self) -> bool {
        match self {
            SockAddr::Inet(_) | SockAddr::Inet6(_) => false,
            SockAddr::Unix(UnixAddr::Path(path)) => {
                !path.as_os_str().as_encoded_bytes().starts_with(b"/")
                    && !path.as_os_str().as_encoded_bytes().starts_with(b".")
            }
            SockAddr::Unix(_) => false,
            _ => true,
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

/// See the table at the head of this module. Control bytes in a name are escaped, so that an
/// address can be printed to a terminal as it is.
impl fmt::Display for SockAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// Reads what `Display` writes. An interface may also be given by name, which is looked up now;
/// hosts may not. An empty text is the unnamed Unix address, as in Python.
impl FromStr for SockAddr {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<SockAddr, ParseAddressError> {
        read(text).map_err(|why| ParseAddressError::new(text, why))
    }
}

fn read(text: &str) -> Result<SockAddr, String> {
    if text.is_empty() || text.starts_with(['/', '.', '@']) {
        return UnixAddr::read(text).map(SockAddr::Unix);
    }
    if text.starts_with('[') {
        return SocketAddrV6::read(text).map(SockAddr::Inet6);
    }
    let Some((word, rest)) = text.split_once(':') else {
        return Err("expected HOST:PORT, a path, @NAME or FAMILY:ADDRESS".into());
    };
    if let Some(address) = SockAddr::read_as(word, rest) {
        return address;
    }
    match word.strip_prefix("AF_") {
        Some(number) => {
            let known = Family::from_name(word).map(Ok);
            let family = known.unwrap_or_else(|| text::number::<u16>(number, "family").map(family));
            Ok(SockAddr::Other { family: family?, data: text::read_bytes(rest)? })
        }
        None => SocketAddrV4::read(text).map(SockAddr::Inet),
    }
}

fn family(number: u16) -> Family {
    Family(i32::from(number))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Bytes and text are as they should be, and both read back as the same address.
    #[track_caller]
    pub(crate) fn holds(address: impl Into<SockAddr>, bytes: &[u8], text: &str) {
        let address = address.into();
        assert_eq!(address.to_bytes().unwrap(), bytes);
        assert_eq!(SockAddr::from_bytes(bytes), address);
        assert_eq!(address.to_string(), text);
        assert_eq!(text.parse::<SockAddr>().unwrap(), address);
    }

    /// A family and words in the machine's byte order; the first word shares its place with the
    /// family and must be zero.
    pub(crate) fn ne(family: u16, words: &[u32]) -> Vec<u8> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes[..2].copy_from_slice(&family.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_family_without_a_type_keeps_its_bytes() {
        let address = SockAddr::Other { family: Family::X25, data: vec![1, 2, 0xff] };
        holds(address, b"\x09\0\x01\x02\xff", "AF_X25:0102ff");
        let address = SockAddr::Other { family: Family(99), data: vec![] };
        holds(address, b"\x63\0", "AF_99:");
        for (number, length) in [(99, 127), (-1, 0), (65536, 0)] {
            let address = SockAddr::Other { family: Family(number), data: vec![0; length] };
            assert_eq!(address.to_bytes().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn short_and_empty_answers_decode_to_something() {
        for length in 0..128 {
            for (_, family) in Family::ALL {
                let mut bytes = vec![0xff; length];
                let room = bytes.len().min(2);
                bytes[..room].copy_from_slice(&(family.0 as u16).to_ne_bytes()[..room]);
                let address = SockAddr::from_bytes(&bytes);
                assert_eq!(address.to_string().parse::<SockAddr>().unwrap(), address);
            }
        }
    }
}
