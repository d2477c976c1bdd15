//! Ancillary data, typed: what else a message says or is told.
//!
//! A kind is a variant of [`Ancillary`], a line in [`decode`] and, where it can be sent, a line in
//! [`Ancillary::parts`]. What has no name here, and what is too short for its name, is kept as
//! bytes ([`Ancillary::Raw`]); so nothing the kernel says is lost, and a program can send what this
//! file does not know. How messages lie in memory is `control.rs`.
//!
//! A received kind must be asked for with a socket option, named with each variant.

use std::io;
use std::iter::FusedIterator;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, SystemTime};

use super::control::{self, Message, Walk};
use super::error::ExtendedError;
use crate::sys::control::{ControlBuffer, SCM_PIDFD, descriptors};
use crate::sys::message::own_credentials;

/// One piece of ancillary data, received or to be sent. `cmsg(3)`.
///
/// **S** marks what can be sent; the rest is only received.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Ancillary<'a> {
    /// **S** Open descriptors, at most 253. Received ones are owned by the buffer until
    /// [`take_fds`](ControlBuffer::take_fds). `SCM_RIGHTS`, `unix(7)`.
    Rights(&'a [BorrowedFd<'a>]),
    /// **S** Who sends; asked for with `SO_PASSCRED`. To send another's needs a privilege.
    /// `SCM_CREDENTIALS`, `unix(7)`.
    Credentials(Credentials),
    /// The sending process, as a descriptor that cannot come to mean another one; asked for with
    /// `SO_PASSPIDFD`. Owned by the buffer until [`take_pidfd`](ControlBuffer::take_pidfd).
    /// `SCM_PIDFD`, Linux 6.5.
    Pidfd(BorrowedFd<'a>),
    /// **S** How an IPv4 datagram came, or is to go; asked for with `IP_PKTINFO`. `ip(7)`.
    PacketInfo(PacketInfo),
    /// **S** How an IPv6 datagram came, or is to go; asked for with `IPV6_RECVPKTINFO`. RFC 3542,
    /// section 6.
    PacketInfo6(PacketInfo6),
    /// **S** Routers an IPv4 packet may still pass; asked for with `IP_RECVTTL`. `IP_TTL`, `ip(7)`.
    Ttl(u8),
    /// **S** Routers an IPv6 packet may still pass; asked for with `IPV6_RECVHOPLIMIT`.
    /// `IPV6_HOPLIMIT`, RFC 3542, section 6.3.
    HopLimit(u8),
    /// **S** The type-of-service byte of an IPv4 packet, DSCP and ECN; asked for with `IP_RECVTOS`.
    /// `IP_TOS`, `ip(7)`.
    Tos(u8),
    /// **S** The same byte of an IPv6 packet; asked for with `IPV6_RECVTCLASS`. `IPV6_TCLASS`,
    /// RFC 3542, section 6.5.
    TrafficClass(u8),
    /// When the packet came, to the microsecond; asked for with `SO_TIMESTAMP`. `socket(7)`.
    Timestamp(SystemTime),
    /// When the packet came, to the nanosecond; asked for with `SO_TIMESTAMPNS`.
    TimestampNs(SystemTime),
    /// When the packet came or went, by the kernel or by the network card; asked for with
    /// `SO_TIMESTAMPING`. Those of sent packets come through the queue of errors.
    Timestamping(Timestamping),
    /// What became of an earlier packet, received with [`ERRQUEUE`](crate::Flags::ERRQUEUE); asked
    /// for with `IP_RECVERR`, `IPV6_RECVERR`. `ip(7)`.
    ExtendedError(ExtendedError),
    /// How many packets this socket has lost for want of room since it was made; asked for with
    /// `SO_RXQ_OVFL`.
    QueueOverflow(u32),
    /// **S** The mark of the packet's buffer (firewall, routing); asked for with `SO_RCVMARK`,
    /// Linux 5.19. To send one needs a privilege. `SO_MARK`.
    Mark(u32),
    /// **S** Send the bytes as several datagrams, each of this many bytes, the last one of what is
    /// left. Zero is off. `UDP_SEGMENT`, `udp(7)`, Linux 4.18. See
    /// [`send_segments`](crate::Socket::send_segments).
    SegmentSize(u16),
    /// The bytes are several datagrams of one sender, each of this many bytes, the last one of what
    /// is left; asked for with `UDP_GRO`. `udp(7)`, Linux 5.0. See
    /// [`segments`](ControlBuffer::segments).
    GroSize(u32),
    /// **S** Any other kind, or one that is too short for what it should say. Descriptors are not
    /// sent this way.
    Raw {
        /// `cmsg_level`: `SOL_SOCKET`, `IPPROTO_IP` …
        level: i32,
        /// `cmsg_type`, by level.
        kind: i32,
        /// The data, in the kernel's byte order.
        bytes: &'a [u8],
    },
}

/// A process as the kernel vouches for it: `struct ucred`. `unix(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// Process; zero where it cannot be named from here, as in another namespace.
    pub pid: i32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Credentials {
    /// Those of this process: its number, real user and real group.
    #[must_use]
    pub fn current() -> Credentials {
        let (pid, uid, gid) = own_credentials();
        Credentials { pid, uid, gid }
    }
}

/// `struct in_pktinfo`. `ip(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketInfo {
    /// The interface by number: where it came in, where it is to go out; zero leaves it open.
    pub ifindex: u32,
    /// Received: this machine's own address for it. Sent: the source address to use.
    pub spec_dst: Ipv4Addr,
    /// Received: the destination in the packet. Sent: not used.
    pub addr: Ipv4Addr,
}

/// `struct in6_pktinfo`. RFC 3542, section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketInfo6 {
    /// Received: the destination in the packet. Sent: the source address to use.
    pub addr: Ipv6Addr,
    /// The interface by number: where it came in, where it is to go out; zero leaves it open.
    pub ifindex: u32,
}

/// `struct scm_timestamping`: moments of one packet, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamping {
    /// When the kernel saw it.
    pub software: Option<SystemTime>,
    /// When the network card saw it, by the card's own clock, whose zero is its own.
    pub hardware: Option<Duration>,
}

impl ControlBuffer {
    /// What was received, piece by piece. Descriptors that have been taken are no longer shown.
    ///
    /// ```
    /// use socket::{Ancillary, ControlBuffer, Family, Flags, Socket, Type};
    /// use std::io::{IoSlice, IoSliceMut};
    /// use std::os::fd::AsFd;
    ///
    /// let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default())?;
    /// let fds = [left.as_fd(), right.as_fd()];
    /// left.send_msg(&[IoSlice::new(b"two")], &[Ancillary::Rights(&fds)], Flags::NONE, None)?;
    ///
    /// let mut buffer = [0; 16];
    /// let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    /// right.recv_msg(&mut [IoSliceMut::new(&mut buffer)], &mut control, Flags::NONE)?;
    /// for piece in control.messages() {
    ///     assert!(matches!(piece, Ancillary::Rights(fds) if fds.len() == 2));
    /// }
    /// let fds = control.take_fds();
    /// # std::io::Result::Ok(())
    /// ```
    pub fn messages(&self) -> Messages<'_> {
        let (fds, pidfd) = (self.fds(), self.pidfd().map(AsFd::as_fd));
        Messages { walk: Walk::new(self.received()), fds, pidfd }
    }
}

/// The pieces of a [`ControlBuffer`], in the order the kernel wrote them.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    walk: Walk<'a>,
    /// The owned descriptors that are still to come in the walk.
    fds: &'a [BorrowedFd<'a>],
    pidfd: Option<BorrowedFd<'a>>,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Ancillary<'a>;

    fn next(&mut self) -> Option<Ancillary<'a>> {
        let message = self.walk.next()?;
        let owned = descriptors(message).count();
        Some(match (message.level, message.kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                let (these, rest) = self.fds.split_at_checked(owned).unwrap_or_default();
                self.fds = rest;
                Ancillary::Rights(these)
            }
            (libc::SOL_SOCKET, SCM_PIDFD) if owned == 1 => match self.pidfd {
                Some(pidfd) => Ancillary::Pidfd(pidfd),
                None => raw(message),
            },
            _ => decode(message),
        })
    }
}

impl FusedIterator for Messages<'_> {}

/// What a message means, except for descriptors, which bytes alone do not own.
pub(crate) fn decode(message: Message<'_>) -> Ancillary<'_> {
    named(message).unwrap_or(raw(message))
}

fn raw(message: Message<'_>) -> Ancillary<'_> {
    let Message { level, kind, data: bytes } = message;
    Ancillary::Raw { level, kind, bytes }
}

/// The kinds by level and type, each with how its data is read.
fn named(message: Message<'_>) -> Option<Ancillary<'_>> {
    use Ancillary::*;
    let data = message.data;
    Some(match (message.level, message.kind) {
        (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => Credentials(credentials(data)?),
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) => Timestamp(moment(data, 1_000)?),
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => TimestampNs(moment(data, 1)?),
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => Timestamping(moments(data)?),
        (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => QueueOverflow(word(data)?),
        (libc::SOL_SOCKET, libc::SO_MARK) => Mark(word(data)?),
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => PacketInfo(packet_info(data)?),
        (libc::IPPROTO_IP, libc::IP_TTL) => Ttl(byte(data)?),
        (libc::IPPROTO_IP, libc::IP_TOS) => Tos(octet(data)?),
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => PacketInfo6(packet_info6(data)?),
        (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => HopLimit(byte(data)?),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => TrafficClass(byte(data)?),
        (libc::IPPROTO_IP, libc::IP_RECVERR)
        | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        | (libc::SOL_PACKET, libc::PACKET_TX_TIMESTAMP) => {
            ExtendedError(super::error::ExtendedError::decode(data)?)
        }
        (libc::SOL_UDP, libc::UDP_SEGMENT) => SegmentSize(u16::from_ne_bytes(*data.first_chunk()?)),
        (libc::SOL_UDP, libc::UDP_GRO) => GroSize(word(data)?),
        _ => return None,
    })
}

/// A C `int`, or what the kernel shows as one.
fn word(data: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*data.first_chunk()?))
}

/// A byte that the kernel writes as an `int`.
fn byte(data: &[u8]) -> Option<u8> {
    u8::try_from(word(data)?).ok()
}

/// A byte that the kernel writes as one, and takes as an `int` too.
fn octet(data: &[u8]) -> Option<u8> {
    match data {
        [byte] => Some(*byte),
        _ => byte(data),
    }
}

fn credentials(data: &[u8]) -> Option<Credentials> {
    let pid = word(data)?.cast_signed();
    Some(Credentials { pid, uid: word(data.get(4..)?)?, gid: word(data.get(8..)?)? })
}

fn packet_info(data: &[u8]) -> Option<PacketInfo> {
    let address = |at: usize| Some(Ipv4Addr::from(*data.get(at..)?.first_chunk::<4>()?));
    Some(PacketInfo { ifindex: word(data)?, spec_dst: address(4)?, addr: address(8)? })
}

fn packet_info6(data: &[u8]) -> Option<PacketInfo6> {
    let (address, rest) = data.split_first_chunk::<16>()?;
    Some(PacketInfo6 { addr: Ipv6Addr::from(*address), ifindex: word(rest)? })
}

/// The two halves of a `timeval` or `timespec`: seconds and a count of `unit` nanoseconds.
fn time(data: &[u8], unit: u32) -> Option<(i64, u32)> {
    const HALF: usize = size_of::<libc::time_t>();
    #[allow(clippy::useless_conversion)] // not useless where time_t has 32 bits
    let seconds = i64::from(libc::time_t::from_ne_bytes(*data.first_chunk()?));
    let part = libc::time_t::from_ne_bytes(*data.get(HALF..)?.first_chunk()?);
    let nanos = u32::try_from(part).ok()?.checked_mul(unit)?;
    (nanos < 1_000_000_000).then_some((seconds, nanos))
}

/// A time of day. One before 1970 counts back in seconds and forth in the rest.
fn moment(data: &[u8], unit: u32) -> Option<SystemTime> {
    let (seconds, nanos) = time(data, unit)?;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start = match seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(whole)?,
        false => SystemTime::UNIX_EPOCH.checked_add(whole)?,
    };
    start.checked_add(Duration::from_nanos(nanos.into()))
}

/// Three `timespec`: by the kernel, no longer used, by the card. Zero is unknown.
fn moments(data: &[u8]) -> Option<Timestamping> {
    const SIZE: usize = size_of::<libc::timespec>();
    let hardware = data.get(2 * SIZE..)?;
    let known = |data| Some(time(data, 1)? != (0, 0));
    let software = if known(data)? { Some(moment(data, 1)?) } else { None };
    let hardware = match time(hardware, 1)? {
        (0, 0) => None,
        (seconds, nanos) => Some(Duration::new(u64::try_from(seconds).ok()?, nanos)),
    };
    Some(Timestamping { software, hardware })
}

/// What follows the header of a message to be sent.
enum Payload<'a> {
    /// The first so many of these bytes. The largest kind is `in6_pktinfo`.
    Small([u8; 20], usize),
    Bytes(&'a [u8]),
    Descriptors(&'a [BorrowedFd<'a>]),
}

impl Payload<'_> {
    fn small(parts: &[&[u8]]) -> Payload<'static> {
        let (mut bytes, mut length) = ([0; 20], 0);
        for part in parts {
            bytes[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        Payload::Small(bytes, length)
    }

    fn len(&self) -> usize {
        match self {
            Payload::Small(_, length) => *length,
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Descriptors(fds) => size_of_val(*fds),
        }
    }

    fn write(&self, place: &mut [u8]) {
        match self {
            Payload::Small(bytes, length) => place.copy_from_slice(&bytes[..*length]),
            Payload::Bytes(bytes) => place.copy_from_slice(bytes),
            Payload::Descriptors(fds) => {
                for (place, fd) in place.chunks_exact_mut(size_of::<i32>()).zip(*fds) {
                    place.copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
                }
            }
        }
    }
}

impl<'a> Ancillary<'a> {
    /// Level, type and data of a message to be sent.
    fn parts(&self) -> io::Result<(i32, i32, Payload<'a>)> {
        use Payload::{Bytes, Descriptors};
        let int = |value: u32| Payload::small(&[&value.to_ne_bytes()]);
        Ok(match *self {
            Ancillary::Rights(fds) => (libc::SOL_SOCKET, libc::SCM_RIGHTS, Descriptors(fds)),
            Ancillary::Credentials(Credentials { pid, uid, gid }) => {
                let parts = [pid.to_ne_bytes(), uid.to_ne_bytes(), gid.to_ne_bytes()];
                let parts = parts.each_ref().map(<[u8; 4]>::as_slice);
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS, Payload::small(&parts))
            }
            Ancillary::PacketInfo(PacketInfo { ifindex, spec_dst, addr }) => {
                let parts = [ifindex.to_ne_bytes(), spec_dst.octets(), addr.octets()];
                let parts = parts.each_ref().map(<[u8; 4]>::as_slice);
                (libc::IPPROTO_IP, libc::IP_PKTINFO, Payload::small(&parts))
            }
            Ancillary::PacketInfo6(PacketInfo6 { addr, ifindex }) => {
                let parts = [&addr.octets()[..], &ifindex.to_ne_bytes()];
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, Payload::small(&parts))
            }
            Ancillary::Ttl(hops) => (libc::IPPROTO_IP, libc::IP_TTL, int(hops.into())),
            Ancillary::HopLimit(hops) => {
                (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, int(hops.into()))
            }
            Ancillary::Tos(byte) => (libc::IPPROTO_IP, libc::IP_TOS, int(byte.into())),
            Ancillary::TrafficClass(byte) => {
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, int(byte.into()))
            }
            Ancillary::Mark(mark) => (libc::SOL_SOCKET, libc::SO_MARK, int(mark)),
            Ancillary::SegmentSize(size) => {
                (libc::SOL_UDP, libc::UDP_SEGMENT, Payload::small(&[&size.to_ne_bytes()]))
            }
            Ancillary::Raw { level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, .. } => {
                return Err(invalid("descriptors are sent as Ancillary::Rights, not as bytes"));
            }
            Ancillary::Raw { level, kind, bytes } => (level, kind, Bytes(bytes)),
            Ancillary::Pidfd(_)
            | Ancillary::Timestamp(_)
            | Ancillary::TimestampNs(_)
            | Ancillary::Timestamping(_)
            | Ancillary::ExtendedError(_)
            | Ancillary::QueueOverflow(_)
            | Ancillary::GroSize(_) => {
                return Err(invalid("ancillary data of a kind that is only received"));
            }
        })
    }
}

/// The bytes that all of it takes when sent.
pub(crate) fn space(ancillary: &[Ancillary<'_>]) -> io::Result<usize> {
    ancillary.iter().try_fold(0_usize, |sum, piece| {
        let (.., payload) = piece.parts()?;
        control::cmsg_space(payload.len())
            .and_then(|space| sum.checked_add(space))
            .ok_or_else(|| invalid("more ancillary data than a message can have"))
    })
}

/// Writes all of it into `room`, which is as large as [`space`] says.
pub(crate) fn encode(ancillary: &[Ancillary<'_>], mut room: &mut [u8]) -> io::Result<()> {
    for piece in ancillary {
        let (level, kind, payload) = piece.parts()?;
        let [place, after] = control::begin(room, level, kind, payload.len());
        payload.write(place);
        room = after;
    }
    Ok(())
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
