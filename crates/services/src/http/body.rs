//! The body of a request as it is read: framed, limited, and not slower than it may be.
//!
//! **The pace.** A client that sends one byte a minute holds its place for as long as it likes, and
//! no deadline between two bytes notices. So each [`PACE_BYTES`] must follow within the time of
//! [`Limits::body_time`](super::Limits): with its default, 500 bytes a second. Only the time spent
//! waiting for the client counts, not what its bytes are used for.
//!
//! **Going on.** A client that expects `100 Continue` gets it when the body is first read, so that
//! one whose request is refused before that need not send the body at all.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use switchboard::Connection;

use super::chunked::{Chunks, cut_short};
use super::head::{Framing, Head};
use super::status::{Status, refuse};

/// So many bytes must come within the time that a pace allows.
pub(crate) const PACE_BYTES: u64 = 5000;

/// The clock of a connection, on which its requests have their deadlines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    opened: Instant,
}

impl Clock {
    /// Starts with the connection.
    pub(super) fn start() -> Clock {
        Clock { opened: Instant::now() }
    }

    /// From now on whatever is read must come before `end`, and before the connection's own end.
    pub(super) fn set(self, connection: &mut Connection, end: Instant) {
        let end = end.saturating_duration_since(self.opened);
        let own = connection.guards().deadline_connection;
        connection.set_deadline_connection(Some(own.map_or(end, |own| own.min(end))));
    }

    /// The guards' own deadlines apply again.
    pub(super) fn clear(self, connection: &mut Connection) {
        connection.set_deadline_connection(connection.guards().deadline_connection);
    }
}

/// What is left of a body.
#[derive(Debug)]
pub(super) struct Body {
    left: Left,
    taken: u64,
    limit: u64,
    expected: bool,
    pace: Option<Pace>,
}

#[derive(Debug)]
enum Left {
    Length(u64),
    Chunks(Chunks),
}

#[derive(Debug)]
struct Pace {
    /// When the bytes below began to be waited for.
    since: Instant,
    bytes: u64,
    /// When the last read was over.
    paused: Instant,
}

impl Body {
    pub(super) fn of(head: &Head<'_>) -> Body {
        let left = match head.framing {
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunks(Chunks::default()),
        };
        Body { left, taken: 0, limit: u64::MAX, expected: head.expects_continue, pace: None }
    }

    /// A body that is not there.
    pub(super) fn none() -> Body {
        Body { left: Left::Length(0), taken: 0, limit: 0, expected: false, pace: None }
    }

    /// Whether all of it was read.
    pub(super) fn is_done(&self) -> bool {
        match &self.left {
            Left::Length(left) => *left == 0,
            Left::Chunks(chunks) => chunks.is_done(),
        }
    }

    /// How long it is, where that was said.
    pub(super) fn length(&self) -> Option<u64> {
        match self.left {
            Left::Length(left) => Some(left + self.taken),
            Left::Chunks(_) => None,
        }
    }

    /// Whether the rest is on its way and not more than so many bytes.
    pub(super) fn is_short(&self, most: u64) -> bool {
        !self.expected && matches!(self.left, Left::Length(left) if left <= most)
    }

    /// Allows so many bytes.
    ///
    /// # Errors
    /// A refusal if it says that it is longer.
    pub(super) fn set_limit(&mut self, bytes: u64) -> io::Result<()> {
        self.limit = bytes;
        if self.length().is_some_and(|length| length > bytes) { Err(too_large()) } else { Ok(()) }
    }

    /// Reads some of it; zero at its end. `buffer` must have room.
    ///
    /// # Errors
    /// Of the connection; a refusal for a body that is too large, too slow, cut short or malformed.
    pub(super) fn read(
        &mut self,
        connection: &mut Connection,
        (clock, limit): (Clock, Duration),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        if self.is_done() {
            return Ok(0);
        }
        if std::mem::take(&mut self.expected) {
            connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let begun = Instant::now();
        let pace = self.pace.get_or_insert(Pace { since: begun, bytes: 0, paused: begun });
        pace.since += begun - pace.paused;
        clock.set(connection, pace.since + limit);
        let answer = match &mut self.left {
            Left::Chunks(chunks) => chunks.read(connection, buffer),
            Left::Length(left) => {
                let room = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                connection.read(&mut buffer[..room]).and_then(|count| match count {
                    0 => Err(cut_short()),
                    count => {
                        *left -= count as u64;
                        Ok(count)
                    }
                })
            }
        };
        clock.clear(connection);
        let count = answer.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => refuse(Status::RequestTimeout, "The body comes too slowly."),
            _ => error,
        })?;
        pace.paused = Instant::now();
        pace.bytes += count as u64;
        if pace.bytes >= PACE_BYTES {
            (pace.since, pace.bytes) = (pace.paused, 0);
        }
        self.taken += count as u64;
        if self.taken > self.limit { Err(too_large()) } else { Ok(count) }
    }
}

fn too_large() -> io::Error {
    refuse(Status::ContentTooLarge, "This is more than the server takes.")
}
