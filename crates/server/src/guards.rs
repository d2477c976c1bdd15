//! Every limit of a server, with its default and the reason for it. All are on before anyone asks.
//!
//! A limit that is reached never ends the server: it holds one connection back, or closes one, and
//! recovers by itself. What each one did is an event.

use std::time::Duration;

/// The limits of a server. Change some and keep the rest:
///
/// ```
/// use std::time::Duration;
/// use switchboard::Guards;
///
/// let guards = Guards { deadline_idle: Some(Duration::from_secs(20)), ..Guards::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// Connections open at once; `None` (the default) takes the engine's own limit
    /// ([`Engine::limit_connections`](crate::Engine::limit_connections)). At the limit new ones
    /// wait in the kernel's queue until one closes. It is never more than fifteen sixteenths of the
    /// descriptors that the process may open when it begins to serve (`RLIMIT_NOFILE`,
    /// `getrlimit(2)`): each connection takes one.
    pub limit_connections: Option<usize>,
    /// Connections open at once from one IP address (an IPv6 /64 counts as one); further ones are
    /// closed at once. `None` (the default) is a quarter of `limit_connections`, at least one: no
    /// single address can fill the server. Unix sockets have no such address and are not counted.
    pub limit_per_address: Option<usize>,
    /// Bytes in a line taken by [`Connection::read_line`](crate::Connection::read_line), its end
    /// included. Default 64 KiB: longer than any line of any text protocol, and a bound to what a
    /// peer that never ends its line can make us keep.
    pub limit_line: usize,
    /// Bytes that wait in the queue of one connection ([`Writer::post`](crate::Writer::post)); each
    /// message counts for its own and 64 more. One that has no room cuts the connection off.
    /// Default 1 MiB: a few minutes of a busy room for a peer on a bad line. The messages are
    /// shared, so a thousand who do not read the same hold it once.
    pub limit_queue: usize,
    /// From the first read until the first byte. Default 30 s: a person needs a moment, and a
    /// connection that never says anything must not hold a place for long.
    pub deadline_first_byte: Option<Duration>,
    /// Between any two bytes received. Default 5 min: longer than people pause, shorter than the
    /// memory of most routers between here and the peer.
    pub deadline_idle: Option<Duration>,
    /// For the peer to take what is written, each time the buffer is flushed, and of more than that
    /// each 256 KiB. Default 30 s: a peer that reads nothing for so long is not slow but gone.
    pub deadline_write: Option<Duration>,
    /// For the whole connection, however busy. Default none: a chat may last for days.
    pub deadline_connection: Option<Duration>,
    /// For a handler to keep its worker from all other connections there, by computing or by
    /// blocking in what does not park it. Nothing is ended, but it is told, in debug builds with
    /// its backtrace. Default 1 s: people notice. In a debug build 10 ms find what will be too long
    /// for a busy server.
    pub report_stall: Option<Duration>,
    /// After a request to stop, how long connections may take to finish before they are cut off;
    /// those that only wait for their peer are let go after half of it. Default 10 s, what most
    /// supervisors allow before they kill.
    pub grace: Duration,
}

impl Default for Guards {
    fn default() -> Guards {
        Guards {
            limit_connections: None,
            limit_per_address: None,
            limit_line: 64 * 1024,
            limit_queue: 1024 * 1024,
            deadline_first_byte: Some(Duration::from_secs(30)),
            deadline_idle: Some(Duration::from_secs(300)),
            deadline_write: Some(Duration::from_secs(30)),
            deadline_connection: None,
            report_stall: Some(Duration::from_secs(1)),
            grace: Duration::from_secs(10),
        }
    }
}
