//! `IPPROTO_TCP`: options of TCP sockets. `tcp(7)`.

use std::time::Duration;

use super::options;

options! {
    level IPPROTO_TCP on INET STREAM;

    /// Whether small segments leave at once instead of waiting for an acknowledgement of the one
    /// before (Nagle's algorithm, RFC 896). Default off, that is: they wait.
    tcp_nodelay / set_tcp_nodelay: Flag = TCP_NODELAY { sample true };

    /// How long a connection is idle before the first keep-alive probe, in whole seconds, with
    /// `SO_KEEPALIVE` on. Default two hours.
    tcp_keepidle / set_tcp_keepidle: Seconds = TCP_KEEPIDLE { sample Duration::from_secs(60) };

    /// The time between keep-alive probes, in whole seconds. Default 75.
    tcp_keepintvl / set_tcp_keepintvl: Seconds = TCP_KEEPINTVL { sample Duration::from_secs(9) };

    /// How many keep-alive probes go unanswered before the connection is given up. Default 9.
    tcp_keepcnt / set_tcp_keepcnt: Int = TCP_KEEPCNT { sample 3 };
}
