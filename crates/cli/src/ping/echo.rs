//! The question by ICMP: "echo" and "echo reply". RFC 792, RFC 4443 section 4.
//!
//! | socket | who may | identifier | what is received |
//! |---|---|---|---|
//! | datagram | `net.ipv4.ping_group_range` | the kernel's | replies to it only |
//! | raw | `CAP_NET_RAW` | ours | every ICMP packet of the machine, with its IPv4 header |
//!
//! `icmp(7)`, `raw(7)`. For ICMPv6 the kernel writes the checksum, and no header comes along.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsFd;

use switchboard::socket::{
    Ancillary, ControlBuffer, Family, Flags, Interest, Poll, Protocol, Type,
};
use switchboard::{Socket, plain};

use super::Heard;

/// The bytes of a question behind its header, as for iputils: 64 with it.
pub(super) const DATA_BYTES: usize = 56;

/// The header of an echo: type, code, checksum, identifier, sequence number.
const HEADER_BYTES: usize = 8;

/// Longer than any answer to such a question, with an IPv4 header in front.
const ROOM_BYTES: usize = 512;

/// Room for one number in ancillary data: the hops that were left. `cmsg(3)`.
const CONTROL_BYTES: usize = 64;

/// The types of ICMP and ICMPv6 that are of interest here.
#[derive(Clone, Copy)]
struct Types {
    request: u8,
    reply: u8,
    unreachable: u8,
    exceeded: u8,
}

const V4: Types = Types { request: 8, reply: 0, unreachable: 3, exceeded: 11 };
const V6: Types = Types { request: 128, reply: 129, unreachable: 1, exceeded: 3 };

/// An ICMP socket and the host it asks.
pub(super) struct Echo {
    socket: Socket,
    host: SocketAddr,
    raw: bool,
    /// Of a raw socket: tells our replies from those of others.
    id: u16,
    room: Vec<u8>,
}

impl Echo {
    /// Opens a socket of this type for the host's family.
    pub(super) fn open(host: SocketAddr, kind: Type) -> io::Result<Echo> {
        let (family, protocol) = match host.is_ipv4() {
            true => (Family::INET, Protocol::ICMP),
            false => (Family::INET6, Protocol::ICMPV6),
        };
        let socket = Socket::new(family, kind, protocol)?;
        socket.set_blocking(false)?;
        match host.is_ipv4() {
            true => socket.set_ip_recvttl(true)?,
            false => socket.set_ipv6_recvhoplimit(true)?,
        }
        let id = std::process::id() as u16;
        Ok(Echo { socket, host, raw: kind == Type::RAW, id, room: vec![0; ROOM_BYTES] })
    }

    pub(super) fn kind(kind: Type) -> &'static str {
        if kind == Type::RAW { "raw socket" } else { "ICMP datagram socket" }
    }

    pub(super) fn describe(&self) -> String {
        format!("by {}", Echo::kind(if self.raw { Type::RAW } else { Type::DGRAM }))
    }

    pub(super) fn watch(&self) -> Poll<'_> {
        Poll::new(self.socket.as_fd(), Interest::READ)
    }

    pub(super) fn ask(&self, seq: u16) -> io::Result<()> {
        let types = if self.host.is_ipv4() { V4 } else { V6 };
        let packet = request(types.request, self.id, seq);
        self.socket.send_to(&packet, &self.host.into()).map(drop)
    }

    /// The next thing of interest that has come.
    pub(super) fn hear(&mut self) -> Option<Heard> {
        loop {
            let mut control = ControlBuffer::with_capacity(CONTROL_BYTES);
            let mut buffers = [IoSliceMut::new(&mut self.room)];
            let received = match self.socket.recv_msg(&mut buffers, &mut control, Flags::NONE) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                // What a router or the host itself said of an earlier question.
                Err(error) => return Some(Heard::Lost { seq: None, why: plain(&error) }),
            };
            let mut hops = control.messages().find_map(|message| match message {
                Ancillary::Ttl(hops) | Ancillary::HopLimit(hops) => Some(hops),
                _ => None,
            });
            let mut packet = &self.room[..received.count.min(ROOM_BYTES)];
            if self.raw && self.host.is_ipv4() {
                hops = packet.get(8).copied();
                packet = behind_ipv4(packet);
            }
            let from = received.address.and_then(|address| address.as_inet()).unwrap_or(self.host);
            match self.read(packet) {
                Some(Read::Reply(seq)) => {
                    let bytes = Some(packet.len());
                    let word = String::new();
                    return Some(Heard::Reply { seq, from, bytes, hops, word });
                }
                Some(Read::Lost(seq, what)) => {
                    let why = format!("{what}, says {}", from.ip());
                    return Some(Heard::Lost { seq: Some(seq), why });
                }
                // Somebody else's.
                None => {}
            }
        }
    }

    fn read(&self, packet: &[u8]) -> Option<Read> {
        let types = if self.host.is_ipv4() { V4 } else { V6 };
        let (kind, id, seq) = header(packet)?;
        if kind == types.reply && (!self.raw || id == self.id) {
            return Some(Read::Reply(seq));
        }
        let what = match kind {
            kind if kind == types.unreachable => "not reachable",
            kind if kind == types.exceeded => "too many routers on the way",
            _ => return None,
        };
        // The question comes back behind the error's header, with its own IP header.
        let sent = &packet[HEADER_BYTES..];
        let sent = if self.host.is_ipv4() { behind_ipv4(sent) } else { sent.get(40..)? };
        let (kind, id, seq) = header(sent)?;
        (kind == types.request && id == self.id).then_some(Read::Lost(seq, what))
    }
}

/// What a packet of ours is.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Reply(u16),
    Lost(u16, &'static str),
}

/// A question, with its checksum.
fn request(kind: u8, id: u16, seq: u16) -> Vec<u8> {
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&seq.to_be_bytes());
    packet.extend((0..DATA_BYTES).map(|index| index as u8));
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Type, identifier and sequence number.
fn header(packet: &[u8]) -> Option<(u8, u16, u16)> {
    let header = packet.get(..HEADER_BYTES)?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    Some((header[0], word(4), word(6)))
}

/// What follows an IPv4 header, whose length is in its first byte. RFC 791, section 3.1.
fn behind_ipv4(packet: &[u8]) -> &[u8] {
    let length = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    packet.get(length..).unwrap_or_default()
}

/// RFC 1071: the complement of the sum of all 16-bit words, with carries added back.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|two| {
        let low = two.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([two[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // The example of section 3, whose sum is 0xddf2.
        let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&example), !0xddf2);
        assert_eq!(checksum(&[0xff]), !0xff00);
        // A packet with its checksum in it sums up to nothing.
        assert_eq!(checksum(&request(8, 0x1234, 7)), 0);
    }

    #[test]
    fn headers_are_found_behind_others() {
        let packet = request(8, 0x1234, 7);
        assert_eq!(header(&packet), Some((8, 0x1234, 7)));
        assert_eq!(header(&packet[..7]), None);
        let whole = [vec![0x46; 24], packet.clone()].concat();
        assert_eq!(behind_ipv4(&whole), packet);
        assert_eq!(behind_ipv4(&[0x4f, 0]), b"");
        assert_eq!(behind_ipv4(b""), b"");
    }
}
