//! Requests about multicast groups: who is heard, on which interface. RFC 3678.

use std::io;
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::words::FilterMode;
use crate::options::constants::{IP_MSFILTER, MCAST_MSFILTER};
use crate::options::encoding::{Get, Set, Slot, invalid, number, short};
use crate::socket::Socket;
use crate::sys::option as sys;

/// An IPv4 group and the interface to hear it on. `struct ip_mreqn` of `ip(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpMreqn {
    /// The group; unspecified where only an interface is meant.
    pub multiaddr: Ipv4Addr,
    /// An address of the interface, if `ifindex` is zero; unspecified: as the routes say.
    pub address: Ipv4Addr,
    /// The interface's number; zero: the one with `address`.
    pub ifindex: u32,
}

impl Set<IpMreqn> for IpMreqn {
    fn set(to: Slot<'_>, value: IpMreqn) -> io::Result<()> {
        let (group, address) = (value.multiaddr.octets(), value.address.octets());
        to.set(&[group, address, value.ifindex.to_ne_bytes()].concat())
    }
}

/// The interface of outgoing multicast: set by a request, read as an address.
pub(crate) enum MulticastIf {}

impl Get for MulticastIf {
    type Value = Ipv4Addr;
    fn get(from: Slot<'_>) -> io::Result<Ipv4Addr> {
        Ipv4Addr::get(from)
    }
}

impl Set<IpMreqn> for MulticastIf {
    fn set(to: Slot<'_>, value: IpMreqn) -> io::Result<()> {
        IpMreqn::set(to, value)
    }
}

/// An IPv4 group, the interface, and one sender. `struct ip_mreq_source` of `ip(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpMreqSource {
    /// The group.
    pub multiaddr: Ipv4Addr,
    /// An address of the interface; unspecified: as the routes say.
    pub interface: Ipv4Addr,
    /// The sender.
    pub sourceaddr: Ipv4Addr,
}

impl Set<IpMreqSource> for IpMreqSource {
    fn set(to: Slot<'_>, value: IpMreqSource) -> io::Result<()> {
        let mut bytes = [0; size_of::<libc::ip_mreq_source>()];
        put(&mut bytes, offset_of!(libc::ip_mreq_source, imr_multiaddr), &value.multiaddr.octets());
        put(&mut bytes, offset_of!(libc::ip_mreq_source, imr_interface), &value.interface.octets());
        put(
            &mut bytes,
            offset_of!(libc::ip_mreq_source, imr_sourceaddr),
            &value.sourceaddr.octets(),
        );
        to.set(&bytes)
    }
}

/// An IPv6 address and an interface. `struct ipv6_mreq` of `ipv6(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv6Mreq {
    /// The group, or the address.
    pub multiaddr: Ipv6Addr,
    /// The interface's number; zero: as the routes say.
    pub interface: u32,
}

impl Set<Ipv6Mreq> for Ipv6Mreq {
    fn set(to: Slot<'_>, value: Ipv6Mreq) -> io::Result<()> {
        to.set(&[&value.multiaddr.octets()[..], &value.interface.to_ne_bytes()].concat())
    }
}

/// A group of either family, and the interface to hear it on. `struct group_req` of RFC 3678.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupReq {
    /// The interface's number; zero: as the routes say.
    pub interface: u32,
    /// The group.
    pub group: IpAddr,
}

impl Set<GroupReq> for GroupReq {
    fn set(to: Slot<'_>, value: GroupReq) -> io::Result<()> {
        let mut bytes = [0; GROUP + STORAGE];
        put(&mut bytes, 0, &value.interface.to_ne_bytes());
        put(&mut bytes, GROUP, &storage(value.group));
        at_level_of(value.group, to).set(&bytes)
    }
}

/// A group of either family, the interface, and one sender. `struct group_source_req` of RFC 3678.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupSourceReq {
    /// The interface's number; zero: as the routes say.
    pub interface: u32,
    /// The group.
    pub group: IpAddr,
    /// The sender, of the same family.
    pub source: IpAddr,
}

impl Set<GroupSourceReq> for GroupSourceReq {
    fn set(to: Slot<'_>, value: GroupSourceReq) -> io::Result<()> {
        let mut bytes = [0; GROUP + 2 * STORAGE];
        put(&mut bytes, 0, &value.interface.to_ne_bytes());
        put(&mut bytes, GROUP, &storage(value.group));
        put(&mut bytes, GROUP + STORAGE, &storage(value.source));
        at_level_of(value.group, to).set(&bytes)
    }
}

/// Who may be heard of an IPv4 group that the socket has joined. `struct ip_msfilter` of `ip(7)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IpMsfilter {
    /// The group.
    pub multiaddr: Ipv4Addr,
    /// An address of the interface; unspecified: as the routes say.
    pub interface: Ipv4Addr,
    /// Whether the sources are the ones heard or the ones not heard.
    pub fmode: FilterMode,
    /// The senders. Linux takes up to `net.ipv4.igmp_max_msf`, by default ten.
    pub sources: Vec<Ipv4Addr>,
}

impl Set<&IpMsfilter> for IpMsfilter {
    fn set(to: Slot<'_>, value: &IpMsfilter) -> io::Result<()> {
        let mut bytes = [value.multiaddr.octets(), value.interface.octets()].concat();
        bytes.extend(value.fmode.0.to_ne_bytes());
        bytes.extend(count(value.sources.len())?);
        bytes.extend(value.sources.iter().flat_map(Ipv4Addr::octets));
        to.set(&bytes)
    }
}

/// Who may be heard of a group, of either family, that the socket has joined. `struct
/// group_filter` of RFC 3678.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupFilter {
    /// The interface's number; zero: as the routes say.
    pub interface: u32,
    /// The group.
    pub group: IpAddr,
    /// Whether the sources are the ones heard or the ones not heard.
    pub fmode: FilterMode,
    /// The senders, of the same family.
    pub sources: Vec<IpAddr>,
}

impl Set<&GroupFilter> for GroupFilter {
    fn set(to: Slot<'_>, value: &GroupFilter) -> io::Result<()> {
        let mut bytes = vec![0; FILTER_HEAD];
        put(&mut bytes, 0, &value.interface.to_ne_bytes());
        put(&mut bytes, GROUP, &storage(value.group));
        put(&mut bytes, FILTER_MODE, &value.fmode.0.to_ne_bytes());
        put(&mut bytes, FILTER_COUNT, &count(value.sources.len())?);
        bytes.extend(value.sources.iter().flat_map(|source| storage(*source)));
        at_level_of(value.group, to).set(&bytes)
    }
}

/// The two questions that name a group, which the rows of the other options have no place for.
impl Socket {
    /// Who may be heard of the IPv4 group `multiaddr` on the interface that has the address
    /// `interface`. C name `IP_MSFILTER`, level `IPPROTO_IP`.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` where the socket has not joined the group there.
    pub fn ip_msfilter(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<IpMsfilter> {
        const HEAD: usize = 16;
        let mut room = vec![0; HEAD + 4 * SOURCES];
        put(&mut room, 0, &multiaddr.octets());
        put(&mut room, 4, &interface.octets());
        let fd = std::os::fd::AsFd::as_fd(self);
        let id = (libc::IPPROTO_IP, IP_MSFILTER);
        let answer = sys::getsockopt_sources(fd, id, &mut room, (HEAD, 12, 4))?;
        let fmode = FilterMode(number!(u32, answer, 8).ok_or_else(short)?);
        let known = number!(u32, answer, 12).ok_or_else(short)? as usize;
        let sources = answer.get(HEAD..).unwrap_or_default().as_chunks::<4>().0;
        let sources = sources.iter().take(known).map(|octets| Ipv4Addr::from(*octets)).collect();
        Ok(IpMsfilter { multiaddr, interface, fmode, sources })
    }

    /// Who may be heard of a group of either family on an interface. C name `MCAST_MSFILTER`,
    /// level `IPPROTO_IP` or `IPPROTO_IPV6`.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` where the socket has not joined the group there.
    pub fn mcast_msfilter(&self, interface: u32, group: IpAddr) -> io::Result<GroupFilter> {
        let mut room = vec![0; FILTER_HEAD + STORAGE * SOURCES];
        put(&mut room, 0, &interface.to_ne_bytes());
        put(&mut room, GROUP, &storage(group));
        let fd = std::os::fd::AsFd::as_fd(self);
        let id = (level_of(group), MCAST_MSFILTER);
        let place = (FILTER_HEAD, FILTER_COUNT, STORAGE);
        let answer = sys::getsockopt_sources(fd, id, &mut room, place)?;
        let fmode = FilterMode(number!(u32, answer, FILTER_MODE).ok_or_else(short)?);
        let known = number!(u32, answer, FILTER_COUNT).ok_or_else(short)? as usize;
        let sources = answer.get(FILTER_HEAD..).unwrap_or_default().as_chunks::<STORAGE>().0;
        let sources = sources.iter().take(known).filter_map(address).collect();
        Ok(GroupFilter { interface, group, fmode, sources })
    }
}

/// How many sources are asked for. The kernel's own limit is by default ten for IPv4 and 64 for
/// IPv6; what is beyond is left out of the answer.
const SOURCES: usize = 1024;
/// Where the group stands behind the interface's number: an address is aligned to eight bytes.
const GROUP: usize = offset_of!(libc::group_source_req, gsr_group);
/// `struct sockaddr_storage`.
const STORAGE: usize = size_of::<libc::sockaddr_storage>();
/// `gf_fmode`, `gf_numsrc` and `gf_slist` of `struct group_filter`.
const FILTER_MODE: usize = GROUP + STORAGE;
const FILTER_COUNT: usize = FILTER_MODE + 4;
const FILTER_HEAD: usize = FILTER_COUNT + 4;

/// The level at which an option of either family is asked.
fn level_of(address: IpAddr) -> i32 {
    if address.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 }
}

fn at_level_of(address: IpAddr, slot: Slot<'_>) -> Slot<'_> {
    Slot { level: level_of(address), ..slot }
}

fn count(sources: usize) -> io::Result<[u8; 4]> {
    let count = u32::try_from(sources).map_err(|_| invalid("too many sources"))?;
    Ok(count.to_ne_bytes())
}

/// An address without a port as `struct sockaddr_storage`.
pub(super) fn storage(address: IpAddr) -> [u8; STORAGE] {
    let mut bytes = [0; STORAGE];
    match address {
        IpAddr::V4(address) => {
            put(&mut bytes, 0, &(libc::AF_INET as libc::sa_family_t).to_ne_bytes());
            put(&mut bytes, offset_of!(libc::sockaddr_in, sin_addr), &address.octets());
        }
        IpAddr::V6(address) => {
            put(&mut bytes, 0, &(libc::AF_INET6 as libc::sa_family_t).to_ne_bytes());
            put(&mut bytes, offset_of!(libc::sockaddr_in6, sin6_addr), &address.octets());
        }
    }
    bytes
}

/// The address of a `struct sockaddr_storage`.
fn address(bytes: &[u8; STORAGE]) -> Option<IpAddr> {
    match i32::from(number!(libc::sa_family_t, bytes, 0)?) {
        libc::AF_INET => {
            let place = offset_of!(libc::sockaddr_in, sin_addr);
            bytes.get(place..)?.first_chunk::<4>().map(|octets| IpAddr::from(*octets))
        }
        libc::AF_INET6 => {
            let place = offset_of!(libc::sockaddr_in6, sin6_addr);
            bytes.get(place..)?.first_chunk::<16>().map(|octets| IpAddr::from(*octets))
        }
        _ => None,
    }
}

/// Writes a field of a structure into its bytes.
pub(super) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}
