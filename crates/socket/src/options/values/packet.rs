//! Values of packet, netlink and CAN sockets.

use std::io;

use crate::options::encoding::{Get, Set, Slot, invalid, number, short};

/// What else an interface hands to a packet socket. `struct packet_mreq` of `packet(7)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PacketMreq {
    /// The interface's number.
    pub ifindex: i32,
    /// Which packets.
    pub kind: PacketMembership,
    /// The link-level address, for those kinds that have one; at most eight bytes.
    pub address: Vec<u8>,
}

/// Which packets a membership adds. `mr_type` of `packet(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketMembership {
    /// Those to one multicast address.
    Multicast = 0,
    /// All on the wire.
    Promisc = 1,
    /// Those to any multicast address.
    AllMulti = 2,
    /// Those to one more address of this machine's.
    Unicast = 3,
}

impl Set<&PacketMreq> for PacketMreq {
    fn set(to: Slot<'_>, value: &PacketMreq) -> io::Result<()> {
        if value.address.len() > 8 {
            return Err(invalid("link-level address longer than eight bytes"));
        }
        let mut bytes = value.ifindex.to_ne_bytes().to_vec();
        bytes.extend((value.kind as u16).to_ne_bytes());
        bytes.extend((value.address.len() as u16).to_ne_bytes());
        bytes.extend(&value.address);
        bytes.resize(16, 0);
        to.set(&bytes)
    }
}

/// How packet sockets of one group share the packets. `PACKET_FANOUT` of `packet(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fanout {
    /// The group: any number, the same for all its sockets.
    pub id: u16,
    /// How a packet finds its socket: 0 by its flow, 1 in turn, 2 by the processor, 3 the first
    /// with room, 4 at random, 5 by the card's queue, 6 and 7 by a program; plus 0x1000 another
    /// where one is full, 0x2000 choose the id, 0x8000 put fragments together first.
    pub kind: u16,
}

impl Get for Fanout {
    type Value = Fanout;
    fn get(from: Slot<'_>) -> io::Result<Fanout> {
        let both = from.int()? as u32;
        Ok(Fanout { id: both as u16, kind: (both >> 16) as u16 })
    }
}

impl Set<Fanout> for Fanout {
    fn set(to: Slot<'_>, value: Fanout) -> io::Result<()> {
        to.set(&(u32::from(value.id) | u32::from(value.kind) << 16).to_ne_bytes())
    }
}

/// What a packet socket has received. `struct tpacket_stats` of `packet(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TpacketStats {
    /// Packets, those dropped included.
    pub packets: u32,
    /// Packets for which there was no room.
    pub drops: u32,
    /// How often a ring stood full; only for rings of version 3.
    pub freeze_q_cnt: Option<u32>,
}

impl Get for TpacketStats {
    type Value = TpacketStats;
    fn get(from: Slot<'_>) -> io::Result<TpacketStats> {
        let (bytes, length) = from.room::<12>()?;
        let bytes = &bytes[..length];
        Ok(TpacketStats {
            packets: number!(u32, bytes, 0).ok_or_else(short)?,
            drops: number!(u32, bytes, 4).ok_or_else(short)?,
            freeze_q_cnt: number!(u32, bytes, 8),
        })
    }
}

/// How often a fan-out group's socket was passed over. `struct tpacket_rollover_stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TpacketRolloverStats {
    /// Packets looked at.
    pub tp_all: u64,
    /// Packets of a flow that fills the socket alone.
    pub tp_huge: u64,
    /// Packets for which no socket had room.
    pub tp_failed: u64,
}

impl Get for TpacketRolloverStats {
    type Value = TpacketRolloverStats;
    fn get(from: Slot<'_>) -> io::Result<TpacketRolloverStats> {
        let bytes: [u8; 24] = from.bytes()?;
        Ok(TpacketRolloverStats {
            tp_all: number!(u64, bytes, 0).ok_or_else(short)?,
            tp_huge: number!(u64, bytes, 8).ok_or_else(short)?,
            tp_failed: number!(u64, bytes, 16).ok_or_else(short)?,
        })
    }
}

/// The numbers of the netlink groups that a socket hears, out of the kernel's bits.
pub(crate) enum GroupBits {}

impl Get for GroupBits {
    type Value = Vec<u32>;
    fn get(from: Slot<'_>) -> io::Result<Vec<u32>> {
        let bytes = from.list(4096)?;
        let words = bytes.as_chunks().0.iter().map(|chunk| u32::from_ne_bytes(*chunk));
        let groups = words.zip(0_u32..).flat_map(|(word, index)| {
            (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 32 + bit + 1)
        });
        Ok(groups.collect())
    }
}

/// Which CAN frames a socket receives: those whose identifier, masked, equals this one's.
/// `struct can_filter` of linux/can.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CanFilter {
    /// The identifier, with its flags; with `0x2000_0000` the sense of the filter is inverted.
    pub can_id: u32,
    /// Which of its bits count.
    pub can_mask: u32,
}

impl Get for CanFilter {
    type Value = Vec<CanFilter>;
    fn get(from: Slot<'_>) -> io::Result<Vec<CanFilter>> {
        let bytes = from.list(8 * 512)?;
        let filters = bytes.as_chunks::<8>().0.iter().filter_map(|bytes| {
            let (can_id, can_mask) = (number!(u32, bytes, 0)?, number!(u32, bytes, 4)?);
            Some(CanFilter { can_id, can_mask })
        });
        Ok(filters.collect())
    }
}

impl Set<&[CanFilter]> for CanFilter {
    fn set(to: Slot<'_>, value: &[CanFilter]) -> io::Result<()> {
        let words = value.iter().flat_map(|filter| [filter.can_id, filter.can_mask]);
        to.set(&words.flat_map(u32::to_ne_bytes).collect::<Vec<u8>>())
    }
}
