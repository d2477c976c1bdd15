//! `IPPROTO_TCP`: options of TCP sockets. `tcp(7)`. And `SOL_MPTCP`.

use std::time::Duration;

use super::{Md5Sig, MptcpInfo, RepairOpt, RepairQueue, RepairWindow, TcpInfo, options};

options! {
    ROWS = level IPPROTO_TCP on AF_INET SOCK_STREAM;

    /// Whether small segments leave at once instead of waiting for an acknowledgement of the one
    /// before (Nagle's algorithm, RFC 896).
    tcp_nodelay / set_tcp_nodelay: bool = TCP_NODELAY { sample true, default false };

    /// Whether only full segments leave, the rest waiting until this is turned off, for 200 ms at
    /// most.
    tcp_cork / set_tcp_cork: bool = TCP_CORK { sample true, default false };

    /// The largest segment to send and to announce, in bytes; before the connection the wish,
    /// afterwards what was agreed.
    tcp_maxseg / set_tcp_maxseg: i32 = TCP_MAXSEG { sample 1200, default 536 };

    /// How long a connection is idle before the first keep-alive probe, in whole seconds, with
    /// [`so_keepalive`](crate::Socket::so_keepalive) on. One second to 32767.
    tcp_keepidle / set_tcp_keepidle: Duration as Seconds = TCP_KEEPIDLE {
        sample Duration::from_secs(60), usually "`net.ipv4.tcp_keepalive_time`, two hours" };

    /// The time between keep-alive probes, in whole seconds. One second to 32767.
    tcp_keepintvl / set_tcp_keepintvl: Duration as Seconds = TCP_KEEPINTVL {
        sample Duration::from_secs(9), usually "`net.ipv4.tcp_keepalive_intvl`, 75 s" };

    /// How many keep-alive probes go unanswered before the connection is given up. 1 to 127.
    tcp_keepcnt / set_tcp_keepcnt: i32
        = TCP_KEEPCNT { sample 3, usually "`net.ipv4.tcp_keepalive_probes`, 9" };

    /// How often a connect repeats its first segment before it gives up. 1 to 127.
    tcp_syncnt / set_tcp_syncnt: i32
        = TCP_SYNCNT { sample 3, usually "`net.ipv4.tcp_syn_retries`, 6" };

    /// How long data may stay unacknowledged, or the peer's window closed, before the connection
    /// is given up with `ETIMEDOUT`, in whole milliseconds; zero: as the system does.
    tcp_user_timeout / set_tcp_user_timeout: Duration as Milliseconds
        = TCP_USER_TIMEOUT { sample Duration::from_millis(1500), default Duration::ZERO };

    /// How long a socket nobody has open any more waits for the peer to finish (FIN_WAIT2), in
    /// whole seconds, two minutes at most; zero: as the system does.
    tcp_linger2 / set_tcp_linger2: Duration as Seconds = TCP_LINGER2 {
        sample Duration::from_secs(30), usually "`net.ipv4.tcp_fin_timeout`, 60 s" };

    /// How long a listener waits for the first data before it shows a connection, in whole
    /// seconds, rounded to the times at which the handshake is repeated (1, 3, 7, 15 …).
    tcp_defer_accept / set_tcp_defer_accept: Duration as Seconds = TCP_DEFER_ACCEPT {
        sample Duration::from_secs(4), becomes Duration::from_secs(7), default Duration::ZERO };

    /// The most bytes to announce as our window.
    tcp_window_clamp / set_tcp_window_clamp: i32
        = TCP_WINDOW_CLAMP { sample 65_536, usually "none until connected" };

    /// What the kernel knows about the connection.
    tcp_info: TcpInfo = TCP_INFO { read only, on AF_INET SOCK_STREAM connected };

    /// What the congestion control knows about the connection, in its own form: nothing, or one
    /// of `struct tcpvegas_info`, `tcp_dctcp_info`, `tcp_bbr_info`. linux/inet_diag.h.
    tcp_cc_info: Vec<u8> as Bytes = TCP_CC_INFO { read only, on AF_INET SOCK_STREAM connected };

    /// Whether acknowledgements leave at once. Not lasting: the kernel changes it as it sees fit.
    tcp_quickack / set_tcp_quickack: bool = TCP_QUICKACK { sample false, default true };

    /// The congestion control, by name; which there are is in
    /// `net.ipv4.tcp_available_congestion_control`. Those not in
    /// `tcp_allowed_congestion_control` need `CAP_NET_ADMIN`. `ENOENT` for one there is not.
    tcp_congestion / set_tcp_congestion(&str): String as Name = TCP_CONGESTION {
        sample "reno", becomes "reno", usually "`net.ipv4.tcp_congestion_control`" };

    /// The layer put on top of the connection, by name (`tls`); `None` for none, and there is no
    /// way back. `ENOENT` for one there is not. To be set on the very socket that is used from then
    /// on, not on a copy of it: a coroutine's driver trusts a plain connection to be one.
    tcp_ulp / set_tcp_ulp(&str): Option<String> as NameOrNone
        = TCP_ULP { tested "options_do_what_they_say.rs", default None };

    /// A key by which every segment to and from a peer is signed, RFC 2385. Set on both sides
    /// before they connect.
    / set_tcp_md5sig(&Md5Sig): Md5Sig = TCP_MD5SIG {
        tested "options_do_what_they_say.rs", config CONFIG_TCP_MD5SIG };

    /// The same for all peers of a network, or behind an interface.
    / set_tcp_md5sig_ext(&Md5Sig): Md5Sig = TCP_MD5SIG_EXT {
        tested "options_do_what_they_say.rs", config CONFIG_TCP_MD5SIG };

    /// Whether a connection with little in flight repeats at even times instead of doubling them.
    tcp_thin_linear_timeouts / set_tcp_thin_linear_timeouts: bool
        = TCP_THIN_LINEAR_TIMEOUTS { sample true, default false };

    /// How many connections with data in their first segment a listener keeps waiting; zero takes
    /// no such data. The bit 2 of `net.ipv4.tcp_fastopen` allows it. RFC 7413.
    tcp_fastopen / set_tcp_fastopen: i32 = TCP_FASTOPEN { sample 5, default 0 };

    /// Whether connect waits for the first data, to send it with the first segment. `EOPNOTSUPP`
    /// without the bit 1 of `net.ipv4.tcp_fastopen`.
    tcp_fastopen_connect / set_tcp_fastopen_connect: bool
        = TCP_FASTOPEN_CONNECT { sample true, default false };

    /// The listener's own key for the cookies of such connections: 16 bytes, or 32 for a new and
    /// an old one. Reads the system's where it has none.
    tcp_fastopen_key / set_tcp_fastopen_key(&[u8]): Vec<u8> as Bytes = TCP_FASTOPEN_KEY {
        sample &[7; 16], becomes vec![7_u8; 16], usually "`net.ipv4.tcp_fastopen_key`" };

    /// Whether such connections do without a cookie.
    tcp_fastopen_no_cookie / set_tcp_fastopen_no_cookie: bool
        = TCP_FASTOPEN_NO_COOKIE { sample true, default false };

    /// How many bytes not yet sent leave the socket writable; zero: as the system says.
    tcp_notsent_lowat / set_tcp_notsent_lowat: u32 = TCP_NOTSENT_LOWAT {
        sample 16_384, default 0 };

    /// Whether a listener keeps the first segment of each connection: 1 from its network header
    /// on, 2 from its link-level header on, 0 not at all.
    tcp_save_syn / set_tcp_save_syn: i32 = TCP_SAVE_SYN { sample 1, default 0 };

    /// The first segment of an accepted connection, which is given out once; empty where none
    /// was kept.
    tcp_saved_syn: Vec<u8> as Bytes = TCP_SAVED_SYN { tested "options_do_what_they_say.rs" };

    /// Whether each receive says how many bytes are left to receive, as ancillary data.
    tcp_inq / set_tcp_inq: bool = TCP_INQ { sample true, default false };

    /// How long each packet is held back, for experiments, in whole microseconds. Needs the
    /// queue of `tc-fq(8)`.
    tcp_tx_delay / set_tcp_tx_delay: Duration as Microseconds
        = TCP_TX_DELAY { sample Duration::from_micros(100), default Duration::ZERO };

    /// Whether the connection speaks Multipath TCP, RFC 8684.
    tcp_is_mptcp: bool = TCP_IS_MPTCP { reads false, since "6.9" };

    /// The longest time before a segment is sent again, in whole milliseconds: one second to two
    /// minutes.
    tcp_rto_max_ms / set_tcp_rto_max_ms: Duration as Milliseconds = TCP_RTO_MAX_MS {
        sample Duration::from_millis(5_000), usually "`net.ipv4.tcp_rto_max_ms`, 2 minutes",
        since "6.15" };

    /// The shortest time before a segment is sent again, in whole microseconds, up to 200 ms.
    tcp_rto_min_us / set_tcp_rto_min_us: Duration as Microseconds = TCP_RTO_MIN_US {
        sample Duration::from_millis(100), usually "`net.ipv4.tcp_rto_min_us`, 200 ms",
        since "6.15" };

    /// The longest time for which an acknowledgement is held back, in whole microseconds, up to
    /// 200 ms.
    tcp_delack_max_us / set_tcp_delack_max_us: Duration as Microseconds = TCP_DELACK_MAX_US {
        sample Duration::from_millis(100), default Duration::from_millis(200), since "6.15" };

    /// Whether the connection is under repair: its state can be read and written, and closing it
    /// tells the peer nothing. For moving it to another process or machine.
    tcp_repair / set_tcp_repair: bool
        = TCP_REPAIR { sample true, default false, needs CAP_NET_ADMIN };

    /// Which queue the next repairs are about.
    tcp_repair_queue / set_tcp_repair_queue: RepairQueue
        = TCP_REPAIR_QUEUE { tested "connections_can_be_repaired.rs", needs CAP_NET_ADMIN };

    /// The number of the queue's next byte. Written only before the connection.
    tcp_queue_seq / set_tcp_queue_seq: u32
        = TCP_QUEUE_SEQ { tested "connections_can_be_repaired.rs", needs CAP_NET_ADMIN };

    /// Puts what the connection had agreed with its peer back.
    / set_tcp_repair_options(&[RepairOpt]): RepairOpt
        = TCP_REPAIR_OPTIONS { tested "connections_can_be_repaired.rs", needs CAP_NET_ADMIN };

    /// The windows of the connection.
    tcp_repair_window / set_tcp_repair_window: RepairWindow
        = TCP_REPAIR_WINDOW { tested "connections_can_be_repaired.rs", needs CAP_NET_ADMIN };

    /// The clock of the connection's timestamps, as it is now. Written only under repair.
    tcp_timestamp / set_tcp_timestamp: u32
        = TCP_TIMESTAMP { tested "connections_can_be_repaired.rs" };
}

options! {
    MPTCP_ROWS = level SOL_MPTCP on AF_INET SOCK_STREAM IPPROTO_MPTCP connected;

    /// What the kernel knows about a connection over several paths.
    mptcp_info: MptcpInfo = MPTCP_INFO { read only, since "5.16", config CONFIG_MPTCP };
}
