//! `SOL_SOCKET`: options of every socket. `socket(7)`.
//!
//! Those that only Unix sockets have are in `unix.rs`, packet filters in `filter.rs`.

use std::time::Duration;

use super::{BufLock, MemInfo, TimestampingFlags, TxTime, options};
use crate::kinds::{Family, Protocol, Type};

options! {
    ROWS = level SOL_SOCKET on AF_INET SOCK_STREAM;

    /// Whether the kernel keeps a trace of this socket, where it is built to.
    so_debug / set_so_debug: bool = SO_DEBUG { sample true, default false, needs CAP_NET_ADMIN };

    /// Whether [`bind`](crate::Socket::bind) may take an address that old connections in
    /// TIME_WAIT still hold. Both sockets must have set it. It never allows two listeners on one
    /// address.
    so_reuseaddr / set_so_reuseaddr: bool = SO_REUSEADDR { sample true, default false };

    /// Whether several sockets may be bound to one address, all with this set and of one user;
    /// the kernel spreads connections and datagrams over them.
    so_reuseport / set_so_reuseport: bool = SO_REUSEPORT { sample true, default false };

    /// The type the socket was made with; [`Socket::kind`](crate::Socket::kind) is the same.
    so_type: Type = SO_TYPE { reads Type::STREAM };

    /// The family the socket was made with; [`Socket::family`](crate::Socket::family) is the same.
    so_domain: Family = SO_DOMAIN { reads Family::INET };

    /// The protocol the socket was made with, or the one that the default turned into;
    /// [`Socket::protocol`](crate::Socket::protocol) is the same.
    so_protocol: Protocol = SO_PROTOCOL { reads Protocol::TCP };

    /// The error waiting on the socket, taken by asking; `None` when all is well.
    so_error: Option<std::io::Error> as PendingError
        = SO_ERROR { reads None };

    /// Whether the socket is listening.
    so_acceptconn: bool = SO_ACCEPTCONN { reads true, on AF_INET SOCK_STREAM listening };

    /// Whether packets bypass the routing table and reach only networks that an interface of
    /// this machine is on.
    so_dontroute / set_so_dontroute: bool = SO_DONTROUTE { sample true, default false };

    /// Whether datagrams may be sent to a broadcast address. Off, that is `EACCES`.
    so_broadcast / set_so_broadcast: bool
        = SO_BROADCAST { sample true, default false, on AF_INET SOCK_DGRAM };

    /// Bytes of the send buffer. Linux keeps twice the value, for its own bookkeeping, and reads
    /// back what it keeps. A value above `net.core.wmem_max` is cut to it. Setting it stops TCP
    /// from adapting the size by itself.
    so_sndbuf / set_so_sndbuf: i32 = SO_SNDBUF {
        sample 65_536, becomes 131_072,
        usually "`net.core.wmem_default`, for TCP the middle of `net.ipv4.tcp_wmem`" };

    /// Bytes of the receive buffer. Linux keeps twice the value, for its own bookkeeping, and
    /// reads back what it keeps. A value above `net.core.rmem_max` is cut to it. Setting it stops
    /// TCP from adapting the size by itself.
    so_rcvbuf / set_so_rcvbuf: i32 = SO_RCVBUF {
        sample 65_536, becomes 131_072,
        usually "`net.core.rmem_default`, for TCP the middle of `net.ipv4.tcp_rmem`" };

    /// [`set_so_sndbuf`](crate::Socket::set_so_sndbuf) without the limit `net.core.wmem_max`.
    / set_so_sndbufforce: i32 = SO_SNDBUFFORCE { sets 65_536, needs CAP_NET_ADMIN };

    /// [`set_so_rcvbuf`](crate::Socket::set_so_rcvbuf) without the limit `net.core.rmem_max`.
    / set_so_rcvbufforce: i32 = SO_RCVBUFFORCE { sets 65_536, needs CAP_NET_ADMIN };

    /// Which buffer sizes TCP no longer adapts by itself. Setting a size locks it; this unlocks it.
    so_buf_lock / set_so_buf_lock: BufLock
        = SO_BUF_LOCK { sample BufLock::SNDBUF, default BufLock::NONE, since "5.14" };

    /// Bytes of memory reserved for the socket ahead of use, rounded up to pages; zero gives them
    /// back as far as they are free. Only where the memory of sockets is accounted to a cgroup.
    so_reserve_mem / set_so_reserve_mem: i32 = SO_RESERVE_MEM {
        sample 4096, default 0, since "5.16", config CONFIG_MEMCG };

    /// Whether an idle connection is probed so that a vanished peer is found. The times are TCP's
    /// own: [`tcp_keepidle`](crate::Socket::tcp_keepidle) and its neighbours.
    so_keepalive / set_so_keepalive: bool = SO_KEEPALIVE { sample true, default false };

    /// Whether urgent data is received in its place among the rest.
    so_oobinline / set_so_oobinline: bool = SO_OOBINLINE { sample true, default false };

    /// Whether UDP over IPv4 leaves the sum over each datagram out.
    so_no_check / set_so_no_check: bool
        = SO_NO_CHECK { sample true, default false, on AF_INET SOCK_DGRAM };

    /// The priority of the packets within this machine, for its queues; also the type of service
    /// of IPv4. 0 to 6; higher needs `CAP_NET_ADMIN`.
    so_priority / set_so_priority: i32 = SO_PRIORITY { sample 5, default 0 };

    /// Whether each packet received comes with its priority, as ancillary data.
    so_rcvpriority / set_so_rcvpriority: bool = SO_RCVPRIORITY {
        sample true, default false, since "6.14", on AF_INET SOCK_DGRAM };

    /// Whether close waits for unsent data: `None` returns at once and the kernel goes on
    /// sending; zero throws the data away and resets the connection; otherwise close waits up to
    /// this long, in whole seconds.
    so_linger / set_so_linger: Option<Duration> as Linger
        = SO_LINGER { sample Some(Duration::from_secs(7)), default None };

    /// How many bytes must be there before the socket counts as readable, and before a receive
    /// returns.
    so_rcvlowat / set_so_rcvlowat: i32 = SO_RCVLOWAT { sample 4, default 1 };

    /// How many bytes must fit before the socket counts as writable. Always 1 on Linux.
    so_sndlowat: i32 = SO_SNDLOWAT { reads 1 };

    /// How long the kernel lets a receive wait; zero is for ever. This is how
    /// [`set_timeout`](crate::Socket::set_timeout) is carried out, which is the way to set it.
    so_rcvtimeo: Duration as Timeval = SO_RCVTIMEO { reads Duration::ZERO };

    /// How long the kernel lets a send or a connect wait; zero is for ever. This is how
    /// [`set_timeout`](crate::Socket::set_timeout) is carried out, which is the way to set it.
    so_sndtimeo: Duration as Timeval = SO_SNDTIMEO { reads Duration::ZERO };

    /// The name of the only interface that the socket receives from and sends through; `None` is
    /// any. At most 15 bytes. Changing it once bound needs `CAP_NET_RAW`.
    so_bindtodevice / set_so_bindtodevice(Option<&str>): Option<String> as NameOrNone
        = SO_BINDTODEVICE { tested "options_do_what_they_say.rs", default None };

    /// The same by the interface's number; zero is any.
    so_bindtoifindex / set_so_bindtoifindex: u32 = SO_BINDTOIFINDEX { sample 1, default 0 };

    /// A number that goes with every packet within this machine, for its firewall and routes.
    so_mark / set_so_mark: u32 = SO_MARK { sample 7, default 0, needs CAP_NET_ADMIN };

    /// Whether each packet received comes with its mark, as ancillary data.
    so_rcvmark / set_so_rcvmark: bool = SO_RCVMARK {
        sample true, default false, needs CAP_NET_RAW, since "5.19", on AF_INET SOCK_DGRAM };

    /// Whether each packet received comes with the time it arrived, in microseconds, as ancillary
    /// data.
    so_timestamp / set_so_timestamp: bool
        = SO_TIMESTAMP { sample true, default false, on AF_INET SOCK_DGRAM };

    /// Whether each packet received comes with the time it arrived, in nanoseconds, as ancillary
    /// data.
    so_timestampns / set_so_timestampns: bool
        = SO_TIMESTAMPNS { sample true, default false, on AF_INET SOCK_DGRAM };

    /// Which moments of packets sent and received are reported, as ancillary data; those of
    /// packets sent come back on the error queue.
    so_timestamping / set_so_timestamping: TimestampingFlags = SO_TIMESTAMPING {
        sample TimestampingFlags::RX_SOFTWARE | TimestampingFlags::SOFTWARE,
        default TimestampingFlags::NONE, on AF_INET SOCK_DGRAM };

    /// By which clock packets say when they are to leave, as ancillary data, for a queue that
    /// keeps to it (`tc-etf(8)`). Clocks other than `CLOCK_MONOTONIC` need `CAP_NET_ADMIN`.
    so_txtime / set_so_txtime: TxTime = SO_TXTIME {
        sample TxTime { clockid: 1, flags: 2 }, default TxTime { clockid: 0, flags: 0 },
        on AF_INET SOCK_DGRAM };

    /// Whether each datagram received comes with the number dropped so far for lack of room, as
    /// ancillary data.
    so_rxq_ovfl / set_so_rxq_ovfl: bool
        = SO_RXQ_OVFL { sample true, default false, on AF_INET SOCK_DGRAM };

    /// Whether each packet sent over wireless reports if it was acknowledged, on the error queue.
    so_wifi_status / set_so_wifi_status: bool
        = SO_WIFI_STATUS { sample true, default false, on AF_INET SOCK_DGRAM };

    /// Whether packets already carry their checksum at the end, for drivers that can send so.
    so_nofcs / set_so_nofcs: bool
        = SO_NOFCS {
            sample true, default false, needs CAP_NET_RAW, on AF_PACKET SOCK_RAW };

    /// Whether something on the error queue counts as exceptional (`POLLPRI`) to poll, and not
    /// only as an error.
    so_select_err_queue / set_so_select_err_queue: bool
        = SO_SELECT_ERR_QUEUE { sample true, default false };

    /// How long a receive with nothing there asks the network card itself before it sleeps, in
    /// whole microseconds; zero does not. Raising it needs `CAP_NET_ADMIN`.
    so_busy_poll / set_so_busy_poll: Duration as Microseconds = SO_BUSY_POLL {
        sample Duration::from_micros(50), usually "`net.core.busy_read`, 0",
        needs CAP_NET_ADMIN, config CONFIG_NET_RX_BUSY_POLL };

    /// Whether asking the network card is preferred to its interrupts.
    so_prefer_busy_poll / set_so_prefer_busy_poll: bool = SO_PREFER_BUSY_POLL {
        sample true, default false, needs CAP_NET_ADMIN, since "5.11",
        config CONFIG_NET_RX_BUSY_POLL };

    /// How many packets are taken from the card at once. Raising it needs `CAP_NET_ADMIN`.
    / set_so_busy_poll_budget: u16 = SO_BUSY_POLL_BUDGET {
        sets 8, needs CAP_NET_ADMIN, since "5.11", config CONFIG_NET_RX_BUSY_POLL };

    /// The number of the card's queue that the last packet came through; zero before the first.
    so_incoming_napi_id: u32 = SO_INCOMING_NAPI_ID {
        reads 0, config CONFIG_NET_RX_BUSY_POLL };

    /// The processor that the last packet came in on. Set on listeners that share a port, it
    /// prefers the one whose processor it is. -1 is none.
    so_incoming_cpu / set_so_incoming_cpu: i32 = SO_INCOMING_CPU { sample 0, default -1 };

    /// The most bytes per second to send, spread evenly; `u64::MAX` is no limit. TCP does this
    /// itself; for others the interface's queue must (`tc-fq(8)`).
    so_max_pacing_rate / set_so_max_pacing_rate: u64
        = SO_MAX_PACING_RATE { sample 1_000_000, default u64::MAX };

    /// Tells the kernel that the path seems bad, so that it looks for another. 1 is the only
    /// advice there is.
    / set_so_cnx_advice: i32 = SO_CNX_ADVICE { sets 1 };

    /// Whether a connection that seems stuck tries another path by sending under another hash:
    /// 1 yes, 0 no, -1 as the system does.
    so_txrehash / set_so_txrehash: i32
        = SO_TXREHASH { sample 0, usually "`net.core.txrehash`, 1", since "5.18" };

    /// Whether sends with `MSG_ZEROCOPY` leave the data where it is instead of copying it.
    so_zerocopy / set_so_zerocopy: bool = SO_ZEROCOPY { sample true, default false };

    /// How much memory the socket uses, and what for.
    so_meminfo: MemInfo = SO_MEMINFO { read only };

    /// A number that no other socket of this machine has while it runs.
    so_cookie: u64 = SO_COOKIE { read only };

    /// A number for the network namespace that the socket is in.
    so_netns_cookie: u64 = SO_NETNS_COOKIE { read only, since "5.14" };
}
