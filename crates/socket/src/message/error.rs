//! Errors that the kernel queues beside the data: `struct sock_extended_err`.
//!
//! A datagram socket learns of a refused or oversized packet long after it was sent. With
//! `IP_RECVERR` or `IPV6_RECVERR` on, each such report waits in a queue of its own, with the cause,
//! the packet's destination and whoever complained, and is received with
//! [`Flags::ERRQUEUE`](super::Flags::ERRQUEUE). The same queue tells of transmit times. `ip(7)`.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// One report from the queue of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtendedError {
    /// The error number, `E…`; `ENOMSG` where the report is not of an error.
    pub errno: i32,
    /// Who reports.
    pub origin: ErrorOrigin,
    /// ICMP's type, from that origin. `ee_type`.
    pub kind: u8,
    /// ICMP's code, from that origin.
    pub code: u8,
    /// More, by origin: the path's MTU in bytes with `EMSGSIZE`.
    pub info: u32,
    /// More, by origin.
    pub data: u32,
    /// The node that complained, with port zero, where one did. `SO_EE_OFFENDER`.
    pub offender: Option<SocketAddr>,
}

/// Who reports an error: `SO_EE_ORIGIN_*`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorOrigin(pub u8);

/// Makes the named origins.
macro_rules! origins {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:literal,)+) => {
        impl ErrorOrigin {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!("C name `SO_EE_ORIGIN_", stringify!($name), "`.")]
                pub const $name: ErrorOrigin = ErrorOrigin($value);
            )+
        }

        /// The end of the C name, or the number.
        impl fmt::Display for ErrorOrigin {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(ErrorOrigin::$name => f.write_str(stringify!($name)),)+
                    ErrorOrigin(number) => number.fmt(f),
                }
            }
        }
    };
}

// The numbers are those of linux/errqueue.h.
origins! {
    /// Nobody in particular.
    NONE = 0,
    /// This machine.
    LOCAL = 1,
    /// A node on the way, by ICMP.
    ICMP = 2,
    /// A node on the way, by ICMP for IPv6.
    ICMP6 = 3,
    /// Nothing went wrong: this tells when a packet left. Also `SO_EE_ORIGIN_TXSTATUS`.
    TIMESTAMPING = 4,
    /// Nothing went wrong: sends without copying, numbered `info` to `data`, are done with.
    ZEROCOPY = 5,
    /// A packet could not leave at the time it was meant to.
    TXTIME = 6,
}

impl fmt::Debug for ErrorOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ExtendedError {
    /// The error as calls report it.
    #[must_use]
    pub fn error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }

    /// `struct sock_extended_err`, and behind it the offender's address:
    ///
    /// ```text
    ///   0       4        5      6      7     8      12     16
    ///   | errno | origin | type | code | pad | info | data | struct sockaddr …
    /// ```
    pub(crate) fn decode(bytes: &[u8]) -> Option<ExtendedError> {
        let (report, address) = bytes.split_first_chunk::<16>()?;
        let (words, _) = report.as_chunks();
        let word = |at: usize| u32::from_ne_bytes(words[at]);
        let [origin, kind, code, _pad] = words[1];
        Some(ExtendedError {
            errno: word(0).cast_signed(),
            origin: ErrorOrigin(origin),
            kind,
            code,
            info: word(2),
            data: word(3),
            offender: offender(address),
        })
    }
}

/// An IPv4 or IPv6 address as `struct sockaddr`; none for any other family, which includes
/// `AF_UNSPEC`, with which the kernel says that there is no offender.
fn offender(bytes: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = bytes.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let address = Ipv4Addr::from(*rest.first_chunk::<4>()?);
            Some(SocketAddr::new(address.into(), port))
        }
        libc::AF_INET6 => {
            let (flow, rest) = rest.split_first_chunk()?;
            let (address, rest) = rest.split_first_chunk::<16>()?;
            let (flow, scope) = (u32::from_be_bytes(*flow), rest.first_chunk()?);
            let scope = u32::from_ne_bytes(*scope);
            Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, flow, scope).into())
        }
        _ => None,
    }
}
