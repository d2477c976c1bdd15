//! HTTP/1.1 for services: RFC 9110 (what it means) and RFC 9112 (how it is written).
//!
//! ```text
//!   Connection ─► receive ─► parse ─► Site::answer ─► Exchange::send… ─► finish
//!     next_request  head.rs    head.rs   the service      exchange.rs       keep or close
//! ```
//! A service is a [`Site`]: it gets the [`Head`] of a request and an [`Exchange`], reads the body
//! from it if there is one, and sends one answer. Everything that goes wrong is an `io::Error`,
//! with a [`Refusal`] in it if the client is to be told ([`refuse`]).
//!
//! Clocks: until the first byte of a request, and between any two bytes, the guards' own; for the
//! whole head and the pace of a body those of [`Limits`]. They are kept on the deadline of the
//! connection, for as long as they apply, and are never later than the guards' for all of it.
//!
//! What it deliberately does not do: HTTP/2, compression, upgrade, trailers, several ranges at
//! once. `docs/http.md` says it all for those who use it.

mod body;
mod chunked;
mod conditional;
mod exchange;
mod file;
mod head;
pub(crate) mod html;
pub(crate) mod percent;
pub(crate) mod range;
mod response;
mod status;

use std::io::{self, BufRead, ErrorKind};
use std::time::{Duration, Instant};

use memchr::memmem;
use switchboard::Connection;

pub(crate) use chunked::Chunks;
pub(crate) use conditional::{LAST_SECOND, Validator, Verdict};
pub(crate) use exchange::Exchange;
pub(crate) use head::{Head, parse, receive, room};
pub(crate) use response::Response;
pub(crate) use status::{Refusal, Status, refuse};

use crate::{Form, Setting, Settings};
use body::Clock;

/// What a connection keeps of its head buffer while it waits for the next request.
const IDLE_BYTES: usize = 2048;

/// The clocks of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the first byte of a request until its empty line.
    pub(crate) head_time: Duration,
    /// For each 5000 bytes of a body.
    pub(crate) body_time: Duration,
}

/// The settings that every service here has, see [`Limits::of`].
pub(crate) const HEAD_TIME: Setting = Setting {
    name: "head-time",
    form: Form::Value("DURATION"),
    default: Some("30s"),
    help: "Time for the whole head of a request",
};

/// See [`HEAD_TIME`].
pub(crate) const BODY_TIME: Setting = Setting {
    name: "body-time",
    form: Form::Value("DURATION"),
    default: Some("10s"),
    help: "Time for each 5000 bytes of a body",
};

impl Limits {
    /// From the settings of a service.
    ///
    /// # Errors
    /// A value that is not a duration.
    pub(crate) fn of(settings: &Settings) -> io::Result<Limits> {
        let head_time = settings.duration(HEAD_TIME.name)?;
        let body_time = settings.duration(BODY_TIME.name)?;
        Ok(Limits { head_time, body_time })
    }
}

/// What answers requests.
pub(crate) trait Site {
    /// Sends the answer to one request.
    ///
    /// # Errors
    /// A refusal, which becomes the answer unless there is one already; any other error ends the
    /// connection.
    fn answer(&self, head: &Head<'_>, exchange: &mut Exchange<'_>) -> io::Result<()>;
}

/// Answers the requests of one connection until there are no more.
///
/// # Errors
/// Of the connection.
pub(crate) fn serve(
    connection: &mut Connection,
    limits: &Limits,
    site: &impl Site,
) -> io::Result<()> {
    let clock = Clock::start();
    let mut bytes = Vec::new();
    while connection.next_request()? {
        if !serve_one(connection, limits, clock, site, &mut bytes)? {
            break;
        }
        bytes.clear();
        bytes.shrink_to(IDLE_BYTES);
    }
    Ok(())
}

/// Answers one request; true if the connection goes on.
fn serve_one(
    connection: &mut Connection,
    limits: &Limits,
    clock: Clock,
    site: &impl Site,
    bytes: &mut Vec<u8>,
) -> io::Result<bool> {
    let received = receive_in_time(connection, limits, clock, bytes);
    let mut room = room();
    let head = match received.and_then(|()| Ok(parse(bytes, &mut room)?)) {
        Ok(head) => head,
        Err(error) => {
            let mut exchange = Exchange::new(connection, limits, clock, None);
            tell(&mut exchange, error)?;
            exchange.linger()?;
            return Ok(false);
        }
    };
    let mut exchange = Exchange::new(connection, limits, clock, Some(&head));
    if let Err(error) = site.answer(&head, &mut exchange) {
        tell(&mut exchange, error)?;
    }
    exchange.finish()
}

/// The end of a head, unless somebody types.
const END: &[u8] = b"\r\n\r\n";

/// Collects a head. One that has arrived whole, as most do, needs no clock.
fn receive_in_time(
    connection: &mut Connection,
    limits: &Limits,
    clock: Clock,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    let arrived = connection.fill_buf()?;
    // Mostly it is the end of all that has arrived.
    if arrived.ends_with(END) || memmem::find(arrived, END).is_some() {
        return receive(connection, bytes);
    }
    clock.set(connection, Instant::now() + limits.head_time);
    let received = receive(connection, bytes);
    clock.clear(connection);
    received.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => refuse(Status::RequestTimeout, "The request comes too slowly."),
        ErrorKind::UnexpectedEof => refuse(Status::BadRequest, "The request ended too early."),
        _ => error,
    })
}

/// Tells the client what an error says, if it is for the client. The error comes back if it is not,
/// if it is too late, or if the connection cannot be read from any more.
fn tell(exchange: &mut Exchange<'_>, error: io::Error) -> io::Result<()> {
    let refusal = Refusal::of(error)?;
    if exchange.is_answered() {
        return Err(refusal.into());
    }
    let too_slow = refusal.status == Status::RequestTimeout;
    if too_slow || matches!(refusal.status, Status::BadRequest | Status::ContentTooLarge) {
        exchange.end();
    }
    exchange.send_refusal(&refusal)?;
    if too_slow { Err(ErrorKind::TimedOut.into()) } else { Ok(()) }
}
