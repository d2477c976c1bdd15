//! `TCP_INFO` and `MPTCP_INFO`: what the kernel knows about a connection.

use std::io;
use std::time::Duration;

use super::words::TcpState;
use crate::options::encoding::{Get, Slot, number, short};

/// Makes a structure and its decoder: one row per field, with its type and its place.
///
/// A field of a plain type is zero where the kernel answers less than reaches it; an `Option` is
/// `None` then.
macro_rules! info {
    ($(#[$doc:meta])* $type:ident, at least $least:literal bytes {
        $($(#[doc = $field_doc:literal])+ $field:ident: $as:ident at $offset:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $type { $($(#[doc = $field_doc])+ pub $field: field!($as),)+ }

        impl $type {
            /// The structure from the kernel's bytes, of whichever kernel.
            ///
            /// # Errors
            /// `InvalidData` for fewer bytes than any kernel answers.
            pub fn from_bytes(bytes: &[u8]) -> io::Result<$type> {
                if bytes.len() < $least {
                    return Err(short());
                }
                Ok($type { $($field: $as(bytes, $offset),)+ })
            }
        }

        impl Get for $type {
            type Value = $type;
            fn get(from: Slot<'_>) -> io::Result<$type> {
                $type::from_bytes(&from.list(1024)?)
            }
        }
    };
}

/// The Rust type of a field's way of being written.
macro_rules! field {
    (state) => { TcpState };
    (byte) => { u8 };
    (low_half) => { u8 };
    (high_half) => { u8 };
    (lowest_bit) => { bool };
    (word) => { u32 };
    (long) => { u64 };
    (micros) => { Duration };
    (millis) => { Duration };
    (long_micros) => { Duration };
    (new_byte) => { Option<u8> };
    (new_word) => { Option<u32> };
    (new_long) => { Option<u64> };
    (new_half) => { Option<u16> };
    (new_millis) => { Option<Duration> };
}

fn byte(bytes: &[u8], offset: usize) -> u8 {
    bytes.get(offset).copied().unwrap_or(0)
}
fn state(bytes: &[u8], offset: usize) -> TcpState {
    TcpState(byte(bytes, offset))
}
/// The first of two bit fields of four bits; which half it is in depends on the byte order.
fn low_half(bytes: &[u8], offset: usize) -> u8 {
    if cfg!(target_endian = "little") { byte(bytes, offset) & 15 } else { byte(bytes, offset) >> 4 }
}
fn high_half(bytes: &[u8], offset: usize) -> u8 {
    if cfg!(target_endian = "little") { byte(bytes, offset) >> 4 } else { byte(bytes, offset) & 15 }
}
fn lowest_bit(bytes: &[u8], offset: usize) -> bool {
    let bit = if cfg!(target_endian = "little") { 1 } else { 0x80 };
    byte(bytes, offset) & bit != 0
}
fn word(bytes: &[u8], offset: usize) -> u32 {
    number!(u32, bytes, offset).unwrap_or(0)
}
fn long(bytes: &[u8], offset: usize) -> u64 {
    number!(u64, bytes, offset).unwrap_or(0)
}
fn micros(bytes: &[u8], offset: usize) -> Duration {
    Duration::from_micros(word(bytes, offset).into())
}
fn millis(bytes: &[u8], offset: usize) -> Duration {
    Duration::from_millis(word(bytes, offset).into())
}
fn long_micros(bytes: &[u8], offset: usize) -> Duration {
    Duration::from_micros(long(bytes, offset))
}
fn new_byte(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}
fn new_half(bytes: &[u8], offset: usize) -> Option<u16> {
    number!(u16, bytes, offset)
}
fn new_word(bytes: &[u8], offset: usize) -> Option<u32> {
    number!(u32, bytes, offset)
}
fn new_long(bytes: &[u8], offset: usize) -> Option<u64> {
    number!(u64, bytes, offset)
}
fn new_millis(bytes: &[u8], offset: usize) -> Option<Duration> {
    Some(Duration::from_millis(new_word(bytes, offset)?.into()))
}

info! {
    /// What the kernel knows about a TCP connection. `struct tcp_info` of linux/tcp.h; the fields
    /// have its names without `tcpi_`.
    ///
    /// Kernels answer more of it with each version. What Linux 5.10 does not have yet is an
    /// `Option`.
    TcpInfo, at least 104 bytes {
        /// Where in its life the connection is.
        state: state at 0,
        /// What congestion control is doing: 0 open, 1 disorder, 2 reduced, 3 recovery, 4 loss.
        ca_state: byte at 1,
        /// How often the oldest unacknowledged segment has been sent again.
        retransmits: byte at 2,
        /// Window or keep-alive probes without an answer.
        probes: byte at 3,
        /// How often the retransmission time has been doubled.
        backoff: byte at 4,
        /// What was agreed: 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 16 ECN seen,
        /// 32 data in the first segment, 64 microsecond timestamps.
        options: byte at 5,
        /// How far the peer's window is shifted, in bits.
        snd_wscale: low_half at 6,
        /// How far our window is shifted, in bits.
        rcv_wscale: high_half at 6,
        /// Whether `delivery_rate` is limited by the program having had nothing to send.
        delivery_rate_app_limited: lowest_bit at 7,
        /// How long an acknowledgement is waited for before sending again.
        rto: micros at 8,
        /// How long an acknowledgement of ours may be delayed.
        ato: micros at 12,
        /// The largest segment sent, in bytes.
        snd_mss: word at 16,
        /// The largest segment received, in bytes, as estimated.
        rcv_mss: word at 20,
        /// Segments sent and not acknowledged; of a listener, connections waiting to be accepted.
        unacked: word at 24,
        /// Segments selectively acknowledged; of a listener, its backlog.
        sacked: word at 28,
        /// Segments thought lost.
        lost: word at 32,
        /// Segments sent again and not acknowledged.
        retrans: word at 36,
        /// No longer used by the kernel.
        fackets: word at 40,
        /// Since data was last sent.
        last_data_sent: millis at 44,
        /// Always zero: the kernel does not remember.
        last_ack_sent: millis at 48,
        /// Since data was last received.
        last_data_recv: millis at 52,
        /// Since an acknowledgement was last received.
        last_ack_recv: millis at 56,
        /// The largest packet the path is known to carry, in bytes.
        pmtu: word at 60,
        /// The receive window's limit for now, in bytes.
        rcv_ssthresh: word at 64,
        /// The time there and back, smoothed.
        rtt: micros at 68,
        /// How much that varies.
        rttvar: micros at 72,
        /// Above this window the sender no longer starts slowly, in segments.
        snd_ssthresh: word at 76,
        /// The congestion window, in segments.
        snd_cwnd: word at 80,
        /// The largest segment we announced, in bytes.
        advmss: word at 84,
        /// How many places segments are seen to change order.
        reordering: word at 88,
        /// The time there and back as the receiver sees it.
        rcv_rtt: micros at 92,
        /// Bytes that the program reads per time there and back.
        rcv_space: word at 96,
        /// Segments sent again since the start.
        total_retrans: word at 100,
        /// Bytes per second at which sending is paced; all ones when it is not.
        pacing_rate: long at 104,
        /// The limit of that, `SO_MAX_PACING_RATE`.
        max_pacing_rate: long at 112,
        /// Bytes acknowledged by the peer.
        bytes_acked: long at 120,
        /// Bytes received.
        bytes_received: long at 128,
        /// Segments sent.
        segs_out: word at 136,
        /// Segments received.
        segs_in: word at 140,
        /// Bytes in the send buffer that have not been sent.
        notsent_bytes: word at 144,
        /// The shortest time there and back that was seen lately.
        min_rtt: micros at 148,
        /// Segments received that carried data.
        data_segs_in: word at 152,
        /// Segments sent that carried data.
        data_segs_out: word at 156,
        /// Bytes per second that reached the peer lately.
        delivery_rate: long at 160,
        /// How long there was something to send.
        busy_time: long_micros at 168,
        /// How long sending was held up by the peer's window.
        rwnd_limited: long_micros at 176,
        /// How long sending was held up by the send buffer's size.
        sndbuf_limited: long_micros at 184,
        /// Segments delivered, repeated ones too.
        delivered: word at 192,
        /// Of those, the ones marked by a congested router.
        delivered_ce: word at 196,
        /// Bytes sent, repeated ones too.
        bytes_sent: long at 200,
        /// Bytes sent again.
        bytes_retrans: long at 208,
        /// Segments that the peer says it received twice.
        dsack_dups: word at 216,
        /// How often a change of order was seen.
        reord_seen: word at 220,
        /// Segments received out of order.
        rcv_ooopack: word at 224,
        /// The peer's window, in bytes.
        snd_wnd: word at 228,
        /// Our window, in bytes. Since Linux 6.2.
        rcv_wnd: new_word at 232,
        /// How often another path was tried. Since Linux 6.2.
        rehash: new_word at 236,
        /// How often an acknowledgement did not come in time. Since Linux 6.7.
        total_rto: new_half at 240,
        /// How often the connection recovered from that. Since Linux 6.7.
        total_rto_recoveries: new_half at 242,
        /// How long that took, together. Since Linux 6.7.
        total_rto_time: new_millis at 244,
        /// Segments received that a congested router had marked. Since Linux 6.18.
        received_ce: new_word at 248,
        /// Bytes delivered with ECT(1), as the peer counts. RFC 9768. Since Linux 6.18.
        delivered_e1_bytes: new_word at 252,
        /// Bytes delivered with ECT(0). Since Linux 6.18.
        delivered_e0_bytes: new_word at 256,
        /// Bytes delivered with a congestion mark. Since Linux 6.18.
        delivered_ce_bytes: new_word at 260,
        /// Bytes received with ECT(1). Since Linux 6.18.
        received_e1_bytes: new_word at 264,
        /// Bytes received with ECT(0). Since Linux 6.18.
        received_e0_bytes: new_word at 268,
        /// Bytes received with a congestion mark. Since Linux 6.18.
        received_ce_bytes: new_word at 272,
    }
}

info! {
    /// What the kernel knows about a connection over several paths. `struct mptcp_info` of
    /// linux/mptcp.h; the fields have its names without `mptcpi_`.
    MptcpInfo, at least 16 bytes {
        /// Paths beside the first.
        subflows: byte at 0,
        /// Addresses announced to the peer.
        add_addr_signal: byte at 1,
        /// Addresses of the peer's that were taken up.
        add_addr_accepted: byte at 2,
        /// How many paths there may be.
        subflows_max: byte at 3,
        /// How many addresses may be announced.
        add_addr_signal_max: byte at 4,
        /// How many of the peer's may be taken up.
        add_addr_accepted_max: byte at 5,
        /// 1: fallen back to plain TCP; 2: the peer's key has arrived.
        flags: word at 8,
        /// The connection's token. RFC 8684.
        token: word at 12,
        /// The next byte to be written.
        write_seq: long at 16,
        /// The oldest byte not acknowledged.
        snd_una: long at 24,
        /// The next byte expected.
        rcv_nxt: long at 32,
        /// Local addresses in use.
        local_addr_used: byte at 40,
        /// How many there may be.
        local_addr_max: byte at 41,
        /// Whether data is protected by a sum of its own.
        csum_enabled: byte at 42,
        /// Segments sent again. Since Linux 6.5.
        retransmits: new_word at 44,
        /// Bytes sent again. Since Linux 6.5.
        bytes_retrans: new_long at 48,
        /// Bytes sent. Since Linux 6.5.
        bytes_sent: new_long at 56,
        /// Bytes received. Since Linux 6.5.
        bytes_received: new_long at 64,
        /// Bytes acknowledged. Since Linux 6.5.
        bytes_acked: new_long at 72,
        /// Paths in all. Since Linux 6.10.
        subflows_total: new_byte at 80,
        /// Since data was last sent. Since Linux 6.10.
        last_data_sent: new_millis at 84,
        /// Since data was last received. Since Linux 6.10.
        last_data_recv: new_millis at 88,
        /// Since an acknowledgement was last received. Since Linux 6.10.
        last_ack_recv: new_millis at 92,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_stands_at_its_place() {
        let mut bytes = [0_u8; 280];
        bytes[0] = 1;
        bytes[6] = 0x7A;
        bytes[68..72].copy_from_slice(&1500_u32.to_ne_bytes());
        bytes[200..208].copy_from_slice(&9_u64.to_ne_bytes());
        bytes[242..244].copy_from_slice(&3_u16.to_ne_bytes());
        let info = TcpInfo::from_bytes(&bytes).unwrap();
        assert_eq!(info.state, TcpState::ESTABLISHED);
        assert_eq!((info.snd_wscale, info.rcv_wscale), (0xA, 7));
        assert_eq!(info.rtt, Duration::from_micros(1500));
        assert_eq!(info.bytes_sent, 9);
        assert_eq!(info.total_rto_recoveries, Some(3));
    }

    #[test]
    fn an_older_kernel_says_less_and_a_newer_one_more() {
        let old = TcpInfo::from_bytes(&[1; 104]).unwrap();
        assert_eq!((old.total_retrans, old.bytes_sent, old.rcv_wnd), (0x0101_0101, 0, None));
        assert!(TcpInfo::from_bytes(&[1; 500]).unwrap().received_ce_bytes.is_some());
        assert!(TcpInfo::from_bytes(&[1; 103]).is_err());
        assert!(MptcpInfo::from_bytes(&[]).is_err());
    }
}
