//! Values of the IPv4, IPv6 and raw levels.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::time::Duration;

use super::multicast::put;
use crate::message::PacketInfo6;
use crate::options::encoding::{Get, Set, Slot, number, short};
use crate::socket::Socket;
use crate::sys::option as sys;

/// `struct in_addr`, in network order.
impl Get for Ipv4Addr {
    type Value = Ipv4Addr;
    fn get(from: Slot<'_>) -> io::Result<Ipv4Addr> {
        Ok(Ipv4Addr::from(from.bytes::<4>()?))
    }
}

/// An interface by its number in network order, as `IP_UNICAST_IF` and its kin want it.
pub(crate) enum NetworkOrder {}

impl Get for NetworkOrder {
    type Value = u32;
    fn get(from: Slot<'_>) -> io::Result<u32> {
        Ok(u32::from_be_bytes(from.bytes()?))
    }
}

impl Set<u32> for NetworkOrder {
    fn set(to: Slot<'_>, value: u32) -> io::Result<()> {
        to.set(&value.to_be_bytes())
    }
}

/// `struct sockaddr_in` or `sockaddr_in6`, as the answer of an option.
impl Get for SocketAddr {
    type Value = SocketAddr;
    fn get(from: Slot<'_>) -> io::Result<SocketAddr> {
        let (bytes, length) = from.room::<{ size_of::<libc::sockaddr_in6>() }>()?;
        socket_addr(&bytes[..length]).ok_or_else(short)
    }
}

/// Family, port, then address: the same places for both families, see `sys/sockaddr.rs`.
fn socket_addr(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    match i32::from(number!(u16, bytes, 0)?) {
        libc::AF_INET => {
            let ip: [u8; 4] = *bytes.get(4..)?.first_chunk()?;
            Some(SocketAddrV4::new(ip.into(), port).into())
        }
        libc::AF_INET6 => {
            let flow = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
            let ip: [u8; 16] = *bytes.get(8..)?.first_chunk()?;
            let scope = number!(u32, bytes, 24)?;
            Some(SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope).into())
        }
        _ => None,
    }
}

/// A range of ports in one number: the low end in the low half. No range is zero.
pub(crate) enum PortRange {}

impl Get for PortRange {
    type Value = Option<RangeInclusive<u16>>;
    fn get(from: Slot<'_>) -> io::Result<Option<RangeInclusive<u16>>> {
        let both = from.int()? as u32;
        Ok((both != 0).then_some((both as u16)..=((both >> 16) as u16)))
    }
}

impl Set<Option<RangeInclusive<u16>>> for PortRange {
    fn set(to: Slot<'_>, value: Option<RangeInclusive<u16>>) -> io::Result<()> {
        let both =
            value.map_or(0, |range| u32::from(*range.start()) | u32::from(*range.end()) << 16);
        to.set(&both.to_ne_bytes())
    }
}

/// `struct in6_pktinfo`, which is set and not read.
impl Set<PacketInfo6> for PacketInfo6 {
    fn set(to: Slot<'_>, value: PacketInfo6) -> io::Result<()> {
        to.set(&[&value.addr.octets()[..], &value.ifindex.to_ne_bytes()].concat())
    }
}

/// The largest packet that the path carries, out of `struct ip6_mtuinfo`, whose address Linux
/// leaves empty here.
pub(crate) enum MtuInfo {}

impl Get for MtuInfo {
    type Value = u32;
    fn get(from: Slot<'_>) -> io::Result<u32> {
        const SIZE: usize = size_of::<libc::sockaddr_in6>();
        let bytes: [u8; SIZE + 4] = from.bytes()?;
        number!(u32, bytes, SIZE).ok_or_else(short)
    }
}

/// Which ICMP messages a raw socket does not receive: bit N for type N. `raw(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct IcmpFilter {
    /// The bits; types of 32 and above always pass.
    pub data: u32,
}

impl IcmpFilter {
    /// The same filter that drops `kind` as well.
    #[must_use]
    pub fn blocking(self, kind: u8) -> IcmpFilter {
        let bit = 1_u32.checked_shl(u32::from(kind)).unwrap_or(0);
        IcmpFilter { data: self.data | bit }
    }
}

impl Get for IcmpFilter {
    type Value = IcmpFilter;
    fn get(from: Slot<'_>) -> io::Result<IcmpFilter> {
        Ok(IcmpFilter { data: u32::from_ne_bytes(from.bytes()?) })
    }
}

impl Set<IcmpFilter> for IcmpFilter {
    fn set(to: Slot<'_>, value: IcmpFilter) -> io::Result<()> {
        to.set(&value.data.to_ne_bytes())
    }
}

/// Which ICMPv6 messages a raw socket does not receive. `struct icmp6_filter` of RFC 3542.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Icmp6Filter {
    /// Bit N % 32 of word N / 32 for type N. Set: it is dropped.
    pub data: [u32; 8],
}

impl Icmp6Filter {
    /// All pass. `ICMP6_FILTER_SETPASSALL`.
    pub const PASS_ALL: Icmp6Filter = Icmp6Filter { data: [0; 8] };
    /// None passes. `ICMP6_FILTER_SETBLOCKALL`.
    pub const BLOCK_ALL: Icmp6Filter = Icmp6Filter { data: [u32::MAX; 8] };

    /// The same filter that drops `kind` as well. `ICMP6_FILTER_SETBLOCK`.
    #[must_use]
    pub fn blocking(mut self, kind: u8) -> Icmp6Filter {
        self.data[usize::from(kind >> 5)] |= 1 << (kind & 31);
        self
    }

    /// The same filter that lets `kind` pass. `ICMP6_FILTER_SETPASS`.
    #[must_use]
    pub fn passing(mut self, kind: u8) -> Icmp6Filter {
        self.data[usize::from(kind >> 5)] &= !(1 << (kind & 31));
        self
    }
}

impl Get for Icmp6Filter {
    type Value = Icmp6Filter;
    fn get(from: Slot<'_>) -> io::Result<Icmp6Filter> {
        let bytes: [u8; 32] = from.bytes()?;
        let mut data = [0; 8];
        for (word, chunk) in data.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_ne_bytes(*chunk);
        }
        Ok(Icmp6Filter { data })
    }
}

impl Set<Icmp6Filter> for Icmp6Filter {
    fn set(to: Slot<'_>, value: Icmp6Filter) -> io::Result<()> {
        to.set(value.data.map(u32::to_ne_bytes).as_flattened())
    }
}

/// A request about a flow label. `struct in6_flowlabel_req` of linux/in6.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowLabelReq {
    /// The destination that the label is for.
    pub dst: Ipv6Addr,
    /// The label, 20 bits; zero asks the kernel to choose one.
    pub label: u32,
    /// What to do.
    pub action: FlowLabelAction,
    /// Who may share the label.
    pub share: FlowLabelShare,
    /// How the request is meant: the sum of 1 create it, 2 it must not exist, 4 echo the peer's,
    /// 8 the peer's.
    pub flags: u16,
    /// How long it is kept; at least six seconds.
    pub expires: Duration,
    /// How long it is kept after its last use.
    pub linger: Duration,
}

/// What to do with a flow label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowLabelAction {
    /// Take it for this socket.
    Get = 0,
    /// Give it back.
    Put = 1,
    /// Keep it longer.
    Renew = 2,
}

/// Who may share a flow label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowLabelShare {
    /// As it is.
    None = 0,
    /// This socket alone.
    Excl = 1,
    /// This process.
    Process = 2,
    /// This user.
    User = 3,
    /// All.
    Any = 255,
}

impl Socket {
    /// Takes, gives back or renews a flow label for a destination, and answers the label, which
    /// the kernel chose if none was asked for. Labels are what packets of one flow carry, RFC
    /// 6437; sending with one is [`set_ipv6_flowinfo_send`](Socket::set_ipv6_flowinfo_send).
    ///
    /// C name `IPV6_FLOWLABEL_MGR`, level `IPPROTO_IPV6`.
    ///
    /// # Errors
    /// `EINVAL` for a label above 20 bits; `ENOENT`, `EEXIST`, `EPERM` as the flags and the share
    /// demand; `ESRCH` for a label this socket does not hold; `ENOBUFS`.
    pub fn ipv6_flowlabel_mgr(&self, request: FlowLabelReq) -> io::Result<u32> {
        let seconds = |time: Duration| time.as_secs().min(u64::from(u16::MAX)) as u16;
        let mut bytes = [0; 32];
        put(&mut bytes, 0, &request.dst.octets());
        put(&mut bytes, 16, &request.label.to_be_bytes());
        put(&mut bytes, 20, &[request.action as u8, request.share as u8]);
        put(&mut bytes, 22, &request.flags.to_ne_bytes());
        put(&mut bytes, 24, &seconds(request.expires).to_ne_bytes());
        put(&mut bytes, 26, &seconds(request.linger).to_ne_bytes());
        let (level, name) = (libc::IPPROTO_IPV6, libc::IPV6_FLOWLABEL_MGR);
        sys::setsockopt_answered(self.as_fd(), level, name, &mut bytes)?;
        Ok(u32::from_be_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]))
    }
}
