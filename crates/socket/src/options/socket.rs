//! `SOL_SOCKET`: options of every socket. `socket(7)`.

use std::time::Duration;

use super::options;

options! {
    level SOL_SOCKET on INET STREAM;

    /// Whether [`bind`](crate::Socket::bind) may take an address that old connections in
    /// TIME_WAIT still hold. Default off. It never allows two listeners on one address.
    so_reuseaddr / set_so_reuseaddr: Flag = SO_REUSEADDR { sample true };

    /// Whether several sockets may be bound to one address, all with this set; the kernel spreads
    /// connections and datagrams over them. Default off.
    so_reuseport / set_so_reuseport: Flag = SO_REUSEPORT { sample true };

    /// Whether an idle connection is probed so that a vanished peer is found. Default off; the
    /// times are TCP's own options.
    so_keepalive / set_so_keepalive: Flag = SO_KEEPALIVE { sample true };

    /// Whether datagrams may be sent to a broadcast address. Default off.
    so_broadcast / set_so_broadcast: Flag = SO_BROADCAST { sample true };

    /// Bytes of the receive buffer. Linux keeps twice the value, for its own bookkeeping, and
    /// reads back what it keeps. Default `net.core.rmem_default`; limit `rmem_max`.
    so_rcvbuf / set_so_rcvbuf: Int = SO_RCVBUF { sample 65_536, becomes 131_072 };

    /// Bytes of the send buffer. Linux keeps twice the value, for its own bookkeeping, and reads
    /// back what it keeps. Default `net.core.wmem_default`; limit `wmem_max`.
    so_sndbuf / set_so_sndbuf: Int = SO_SNDBUF { sample 65_536, becomes 131_072 };

    /// Whether close waits for unsent data: `None` (default) returns at once and the kernel goes
    /// on sending; zero throws the data away and resets the connection; otherwise close waits up
    /// to this long, in whole seconds.
    so_linger / set_so_linger: Linger = SO_LINGER { sample Some(Duration::from_secs(7)) };

    /// Whether the socket is listening.
    so_acceptconn: Flag = SO_ACCEPTCONN { read only };

    /// The error waiting on the socket, taken by asking; `None` when all is well.
    so_error: PendingError = SO_ERROR { read only };
}
