//! A connection to wherever an address leads: every address of it, one deadline for all.
//!
//! A name may have several addresses, in two families, and some of them may lead nowhere without
//! saying so. They are tried as RFC 8305 ("Happy Eyeballs") has it: the families take turns, a new
//! attempt begins each 250 ms or as soon as one fails, the first to connect wins and the others are
//! closed. What waits for the attempts is [`happy_eyeballs`](crate::happy_eyeballs).
//!
//! Looking up a name counts towards the deadline but cannot be cut short by it.

use std::io;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::default_timeout::default_timeout;
use crate::endpoints::ToEndpoints;
use crate::errors::{ConnectError, FailedAttempt};
use crate::happy_eyeballs;
use crate::kinds::Type;
use crate::names::Endpoint;
use crate::sockaddr::SockAddr;
use crate::socket::Socket;

/// How to connect. `..ConnectOptions::default()` fills in the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The time limit of the new socket, which also holds for the connecting as a whole. Starts as
    /// the [default timeout](crate::default_timeout()); `None` waits for as long as it takes. Zero,
    /// non-blocking, is refused: nothing connects in no time.
    pub timeout: Option<Duration>,
    /// When the connecting gives up, whatever `timeout` says. Starts as [`Deadline::Never`].
    pub deadline: Deadline,
    /// Where to connect from; `None`, the start, leaves it to the system. `0.0.0.0` and `::` fit
    /// every address, so that a port alone can be asked for. Addresses of another family fail.
    pub source_address: Option<SockAddr>,
    /// How long an attempt has before the next one begins beside it. Starts at 250 ms; less than
    /// 10 ms counts as 10 ms. RFC 8305, section 5.
    pub attempt_delay: Duration,
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions {
            timeout: default_timeout(),
            deadline: Deadline::Never,
            source_address: None,
            attempt_delay: ATTEMPT_DELAY,
        }
    }
}

/// "Connection Attempt Delay", recommended in RFC 8305, section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects a stream to `address`, or a socket of the type that the address names (`udp://…`).
///
/// # Errors
/// [`ConnectError`], which carries each address with its cause and turns into `io::Error` by `?`.
/// `InvalidInput` for an address or a limit that cannot be right, `TimedOut`, what the resolver
/// says, `NotFound` for a name or a list without an address.
///
/// ```
/// use socket::{ConnectOptions, create_connection, create_server};
/// use std::time::Duration;
///
/// let server = create_server("127.0.0.1:0", &Default::default())?;
/// let port = server.getsockname()?.port().unwrap();
///
/// let limit = ConnectOptions { timeout: Some(Duration::from_secs(5)), ..Default::default() };
/// let client = create_connection(("localhost", port), &limit)?;
/// client.send_all(b"hello")?;
/// # std::io::Result::Ok(())
/// ```
pub fn create_connection(
    address: impl ToEndpoints,
    options: &ConnectOptions,
) -> Result<Socket, ConnectError> {
    let deadline = options.deadline.earlier(limit(options.timeout));
    if deadline == Deadline::Immediate {
        let why = "a connection cannot be made with a time limit of zero";
        return Err(ConnectError::before(io::Error::new(io::ErrorKind::InvalidInput, why)));
    }
    let endpoints = address.to_endpoints(Type::STREAM).map_err(ConnectError::before)?;
    let socket = match &endpoints[..] {
        [] => {
            let why = io::Error::new(io::ErrorKind::NotFound, "there is no address to connect to");
            return Err(ConnectError::before(why));
        }
        [_, _, ..] if endpoints.iter().all(has_a_handshake) => {
            happy_eyeballs::race(endpoints, options, deadline)
        }
        _ => in_turn(&endpoints, options, deadline),
    }?;
    // Setting a limit does not fail on a socket; if it did, there would be no socket to answer.
    socket.set_timeout(options.timeout).map_err(ConnectError::before)?;
    Ok(socket)
}

impl Socket {
    /// Makes a socket for `endpoint` and connects it within `deadline`.
    ///
    /// # Errors
    /// As [`new`](Socket::new) and [`connect`](Socket::connect).
    pub fn connected(endpoint: &Endpoint, deadline: Deadline) -> io::Result<Socket> {
        let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol)?;
        socket.connect_by(&endpoint.address, deadline)?;
        Ok(socket)
    }
}

/// The limit of a socket with this timeout.
fn limit(timeout: Option<Duration>) -> Deadline {
    match timeout {
        Some(Duration::ZERO) => Deadline::Immediate,
        timeout => timeout.into(),
    }
}

/// Whether a connect to it can be watched until it is done. One to a Unix socket is done at once,
/// or waits for room in the listener's queue, of which no poll tells.
fn has_a_handshake(endpoint: &Endpoint) -> bool {
    endpoint.address.as_inet().is_some()
}

/// One address after the other, all before one deadline.
fn in_turn(
    endpoints: &[Endpoint],
    options: &ConnectOptions,
    deadline: Deadline,
) -> Result<Socket, ConnectError> {
    let mut attempts = Vec::new();
    for endpoint in endpoints {
        let connect = |socket: Socket| {
            socket.connect_by(&endpoint.address, deadline)?;
            Ok(socket)
        };
        match prepare(endpoint, options).and_then(connect) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                attempts.push(FailedAttempt { address: endpoint.address.clone(), error });
            }
        }
    }
    match deadline.remaining() {
        Some(Duration::ZERO) => Err(ConnectError::timed_out(attempts)),
        _ => Err(ConnectError::all_failed(attempts)),
    }
}

/// A socket for `endpoint`, bound to where it is to connect from.
pub(crate) fn prepare(endpoint: &Endpoint, options: &ConnectOptions) -> io::Result<Socket> {
    let socket = Socket::new(endpoint.family, endpoint.kind, endpoint.protocol)?;
    if let Some(source) = &options.source_address {
        let source = source_for(source, &endpoint.address)?;
        if source.port().is_some_and(|port| port != 0) {
            // Attempts that run side by side leave from the same port, each for another address.
            socket.set_so_reuseaddr(true)?;
        }
        socket.bind(&source)?;
    }
    Ok(socket)
}

/// The source in the family of the address.
fn source_for(source: &SockAddr, address: &SockAddr) -> io::Result<SockAddr> {
    if source.family() == address.family() {
        return Ok(source.clone());
    }
    match (source.as_inet(), address.as_inet()) {
        (Some(source), Some(address)) if source.ip().is_unspecified() => {
            let any = match address.is_ipv4() {
                true => std::net::Ipv4Addr::UNSPECIFIED.into(),
                false => std::net::Ipv6Addr::UNSPECIFIED.into(),
            };
            Ok(std::net::SocketAddr::new(any, source.port()).into())
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the source address {source} is of another family"),
        )),
    }
}
