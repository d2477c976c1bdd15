//! `SOL_PACKET`: options of packet sockets, which see whole frames. `packet(7)`.
//!
//! Rings of frames in shared memory are left out, see [`LEFT_OUT`](super::LEFT_OUT).

use super::{
    Fanout, PacketMreq, SockFilter, TimestampingFlags, TpacketRolloverStats, TpacketStats,
    TpacketVersion, options,
};

options! {
    ROWS = level SOL_PACKET on AF_PACKET SOCK_RAW;

    /// Makes an interface hand more packets to the socket: all on the wire, or those of a group.
    / packet_add_membership(&PacketMreq): PacketMreq
        = PACKET_ADD_MEMBERSHIP { tested "packet_sockets_share_packets.rs", needs CAP_NET_RAW };

    /// Takes back one [`packet_add_membership`](crate::Socket::packet_add_membership).
    / packet_drop_membership(&PacketMreq): PacketMreq
        = PACKET_DROP_MEMBERSHIP { tested "packet_sockets_share_packets.rs", needs CAP_NET_RAW };

    /// Whether each packet received comes with its length, time and VLAN tag, as ancillary data.
    packet_auxdata / set_packet_auxdata: bool
        = PACKET_AUXDATA { sample true, default false, needs CAP_NET_RAW };

    /// Whether packets name the interface they came in on, not the one above it (a bond, say).
    packet_origdev / set_packet_origdev: bool
        = PACKET_ORIGDEV { sample true, default false, needs CAP_NET_RAW };

    /// Whether packets that this machine sends are not seen.
    packet_ignore_outgoing / set_packet_ignore_outgoing: bool
        = PACKET_IGNORE_OUTGOING { sample true, default false, needs CAP_NET_RAW };

    /// Whether packets sent go past the interface's queue straight to the card, and are dropped
    /// when it is busy.
    packet_qdisc_bypass / set_packet_qdisc_bypass: bool
        = PACKET_QDISC_BYPASS { sample true, default false, needs CAP_NET_RAW };

    /// Whether packets begin with a `struct virtio_net_hdr`. `SOCK_RAW` only.
    packet_vnet_hdr / set_packet_vnet_hdr: bool
        = PACKET_VNET_HDR { sample true, default false, needs CAP_NET_RAW };

    /// The size of that header in bytes: 10, or 12 with the number of buffers; zero for none.
    packet_vnet_hdr_sz / set_packet_vnet_hdr_sz: i32
        = PACKET_VNET_HDR_SZ { sample 12, default 0, needs CAP_NET_RAW, since "6.4" };

    /// What was received and dropped since it was last asked: asking begins anew.
    packet_statistics: TpacketStats = PACKET_STATISTICS {
        reads TpacketStats { packets: 0, drops: 0, freeze_q_cnt: None }, needs CAP_NET_RAW };

    /// Joins a group of sockets that share the packets among them. There is no leaving. The
    /// socket must be bound, or have a protocol.
    packet_fanout / set_packet_fanout: Fanout
        = PACKET_FANOUT { tested "packet_sockets_share_packets.rs", needs CAP_NET_RAW };

    /// The classic BPF program that chooses the socket in a group of kind 6.
    / set_packet_fanout_data(&[SockFilter]): Vec<SockFilter> as Program
        = PACKET_FANOUT_DATA { tested "packet_sockets_share_packets.rs", needs CAP_NET_RAW };

    /// How often the socket was passed over for another in a group of kind 3.
    packet_rollover_stats: TpacketRolloverStats
        = PACKET_ROLLOVER_STATS { tested "packet_sockets_share_packets.rs", needs CAP_NET_RAW };

    /// The layout of the frames in the rings. Before a ring is made.
    packet_version / set_packet_version: TpacketVersion = PACKET_VERSION {
        sample TpacketVersion::V3, default TpacketVersion::V1, needs CAP_NET_RAW };

    /// Bytes left free in front of each frame of a ring. Before the ring is made.
    packet_reserve / set_packet_reserve: u32
        = PACKET_RESERVE { sample 64, default 0, needs CAP_NET_RAW };

    /// Whether a malformed frame in a ring to be sent is skipped, instead of stopping it.
    packet_loss / set_packet_loss: bool
        = PACKET_LOSS { sample true, default false, needs CAP_NET_RAW };

    /// Whether frames in a ring to be sent say where their data begins.
    packet_tx_has_off / set_packet_tx_has_off: bool
        = PACKET_TX_HAS_OFF { sample true, default false, needs CAP_NET_RAW };

    /// From which length on packets in a ring are also queued whole; zero never.
    / set_packet_copy_thresh: i32 = PACKET_COPY_THRESH { sets 4096, needs CAP_NET_RAW };

    /// Which clock stamps the packets in the rings.
    packet_timestamp / set_packet_timestamp: TimestampingFlags = PACKET_TIMESTAMP {
        sample TimestampingFlags::RAW_HARDWARE, default TimestampingFlags::NONE,
        needs CAP_NET_RAW };
}
