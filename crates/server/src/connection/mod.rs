//! The handler's end of a connection: buffered reading and writing, with the guards' clocks.
//!
//! * **Reading** comes from a buffer of 32 KiB that is lent by the worker while there is something
//!   in it (`buffers.rs`); a large read with an empty buffer goes straight to the caller's memory.
//! * **Writing** goes into a buffer of 8 KiB that is sent when it is full, when it is flushed, when
//!   the handler is done, and **before a read would wait**. So `write; write; read` is one send,
//!   and a peer never waits for an answer that sits here.
//! * **Datagrams** look the same: reading gives the packet and then the end, and what was written
//!   goes back to the sender as one datagram when the handler is done.
//! * **Seqpacket sockets** carry messages. One is read whole, whatever its size, and is then a part
//!   of the bytes; each flush sends one. An empty one cannot be told from the end.
//! * **The short way**: once a connection has spoken, answer and wait are one step of the driver,
//!   where it has one (`converse.rs`). What is out of the ordinary goes the long way.
//! * **Clocks** are deadlines from [`Guards`](crate::Guards). A call that runs into one fails with
//!   `TimedOut`, and so does every later one.

mod answer;
mod beside;
mod buffers;
mod clocks;
mod converse;
mod handed;
mod parking;
mod queue;
mod receive;
mod send;
mod sending;
mod writer;

use std::cell::OnceCell;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket::seam::{Patience, give_back};
use socket::{Credentials, SockAddr, Socket};

use crate::caught::caught;
use crate::event::{CloseReason, Direction, Event, Summary};
use crate::guards::Guards;
use crate::link::Link;
use crate::listener::Site;
use crate::running::Running;
use crate::waiting::Waiting;

use beside::Beside;
use buffers::Input;
use clocks::Clocks;
use converse::Pace;
use sending::Held;

pub(crate) use handed::{at_once, see_to_each};
pub(crate) use parking::Kept;
pub(crate) use sending::Sending;

pub use answer::Answer;
pub use writer::Writer;

/// One connection, or one datagram, as its handler sees it. See the head of this file.
pub struct Connection {
    running: Arc<Running>,
    site: Arc<Site>,
    link: Arc<Link>,
    summary: Summary,
    /// In a box, since it is seldom asked for and large.
    local: OnceCell<Box<SockAddr>>,
    clocks: Clocks,
    input: Input,
    output: Vec<u8>,
    /// What is shared with the writers, once there are any.
    sending: Option<Held>,
    beside: Option<Box<Beside>>,
    received: u64,
    sent: u64,
    /// The peer has finished, or a deadline has passed: nothing more will be received.
    ended: bool,
    /// The peer has finished, and all that it sent has been received.
    peer_finished: bool,
    /// See [`let_park`](Connection::let_park).
    patience: Patience,
    /// It has been idle for long: until when that wait may last.
    idle_until: Option<u64>,
    pace: Pace,
    /// What the short way has come to, if not to bytes.
    refilled: Option<io::Result<usize>>,
    /// Counts its waits, see `waiting.rs`.
    waits: u16,
    /// Which guard ended it, if one did.
    ended_by: Option<Guard>,
    /// Whether it ended because the server is stopping.
    drained: bool,
}

/// A guard that ended a connection, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Deadline(&'static str),
    Limit(&'static str),
}

impl Connection {
    pub(crate) fn stream(
        running: Arc<Running>,
        site: Arc<Site>,
        link: Arc<Link>,
        summary: Summary,
    ) -> Connection {
        let clocks = Clocks::new(&running);
        Connection::with_clocks(running, site, link, summary, clocks)
    }

    fn with_clocks(
        running: Arc<Running>,
        site: Arc<Site>,
        link: Arc<Link>,
        summary: Summary,
        clocks: Clocks,
    ) -> Connection {
        Connection {
            clocks,
            running,
            site,
            link,
            summary,
            local: OnceCell::new(),
            input: Input::default(),
            output: Vec::new(),
            sending: None,
            beside: None,
            received: 0,
            sent: 0,
            ended: false,
            peer_finished: false,
            patience: Patience::Endless,
            idle_until: None,
            pace: Pace::Long,
            refilled: None,
            waits: 0,
            ended_by: None,
            drained: false,
        }
    }

    pub(crate) fn datagram(
        running: Arc<Running>,
        site: Arc<Site>,
        link: Arc<Link>,
        summary: Summary,
        packet: Vec<u8>,
    ) -> Connection {
        let received = packet.len() as u64;
        let mut connection = Connection::stream(running, site, link, summary);
        connection.input = Input { end: packet.len(), own: packet, ..Input::default() };
        connection.ended = true;
        connection.received = received;
        connection
    }

    /// Its number at this server, from 1.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.summary.id
    }

    /// Where it came from.
    #[must_use]
    pub fn peer_address(&self) -> &SockAddr {
        &self.summary.peer
    }

    /// The address it arrived at: of this connection where it has its own, else the listener's.
    #[must_use]
    pub fn local_address(&self) -> &SockAddr {
        self.local.get_or_init(|| {
            let own = self.socket().getsockname();
            Box::new(own.unwrap_or_else(|_| self.site.local.clone()))
        })
    }

    /// Who is at the other end of a Unix socket, as the kernel noted it when the peer connected.
    /// `SO_PEERCRED`, `unix(7)`.
    ///
    /// # Errors
    /// `Unsupported` for other families, which do not know, and for a datagram, whose sender says
    /// who it is in ancillary data only.
    pub fn peer_credentials(&self) -> io::Result<Credentials> {
        let unix = matches!(self.summary.peer, SockAddr::Unix(_));
        match unix && !self.is_datagram() {
            true => self.socket().so_peercred(),
            false => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// The socket itself, for options and for what the buffers do not offer. What is read and
    /// written there passes by the buffers and the guards. For a datagram it is the listener's.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        match (&self.link.socket, &self.site.datagrams) {
            (Some(socket), _) => socket,
            (None, Some(bound)) => &bound.socket,
            (None, None) => unreachable!("a request has a socket or is a datagram"),
        }
    }

    /// Whether this is a single datagram.
    #[must_use]
    pub fn is_datagram(&self) -> bool {
        self.summary.datagram
    }

    /// The datagram, whole; `None` for a connection.
    #[must_use]
    pub fn packet(&self) -> Option<&[u8]> {
        self.is_datagram().then_some(self.input.own.as_slice())
    }

    /// Sends one datagram back to the sender, now; on a connection, writes and flushes.
    ///
    /// # Errors
    /// As [`Socket::send_to`].
    pub fn reply(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_datagram() {
            return self.send(bytes);
        }
        self.write_all(bytes)?;
        self.flush()
    }

    /// Waits between two requests: true when a byte of the next one is there, false when the peer
    /// has finished or the server is stopping.
    ///
    /// While it waits here, and only here, the server may close the connection without loss; a
    /// handler that loops on it ends at once when the server drains. What was written is flushed.
    ///
    /// # Errors
    /// As reading.
    #[inline]
    pub fn next_request(&mut self) -> io::Result<bool> {
        match self.input.is_empty() {
            false => Ok(true),
            true => self.next_request_to_come(),
        }
    }

    #[inline(never)]
    fn next_request_to_come(&mut self) -> io::Result<bool> {
        match self.converse(Waiting::Between) {
            true => Ok(true),
            false => self.wait_for_request(),
        }
    }

    /// Whether the next request is there, also if it had to be waited for. If not:
    /// [`wait_for_request`](Connection::wait_for_request).
    #[inline(always)]
    pub(crate) fn has_request(&mut self) -> bool {
        !self.input.is_empty() || self.converse(Waiting::Between)
    }

    /// What is left to be done of [`next_request`](Connection::next_request) then.
    #[inline(never)]
    pub(crate) fn wait_for_request(&mut self) -> io::Result<bool> {
        let comes = self.refill_otherwise(Waiting::Between)? > 0;
        self.drained |= !comes && self.draining();
        Ok(comes)
    }

    /// Whether the server is stopping: finish what is under way and begin nothing new.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.running.is_draining()
    }

    /// The limits of its server: those that its deadlines begin with.
    #[must_use]
    pub fn guards(&self) -> &Guards {
        &self.running.guards
    }

    /// Changes, for this connection and from its next call on, how long it may wait for bytes from
    /// its peer: in place of [`deadline_idle`](crate::Guards::deadline_idle) and
    /// [`deadline_first_byte`](crate::Guards::deadline_first_byte). `None`: for ever.
    pub fn set_deadline_idle(&mut self, limit: Option<Duration>) {
        self.go_the_long_way();
        self.clocks.set_idle(limit);
        self.running.note_limit(limit);
    }

    /// Changes how long the peer may take to accept what is written, in place of
    /// [`deadline_write`](crate::Guards::deadline_write). `None`: for ever.
    pub fn set_deadline_write(&mut self, limit: Option<Duration>) {
        self.clocks.set_write(limit);
    }

    /// Changes how long the connection may last, counted from when it was opened, in place of
    /// [`deadline_connection`](crate::Guards::deadline_connection). `None`: for ever.
    pub fn set_deadline_connection(&mut self, limit: Option<Duration>) {
        self.go_the_long_way();
        self.clocks.set_connection(limit);
        self.running.note_limit(limit);
    }

    /// Says to the peer that no more will come; what has not been flushed will not either. Nothing
    /// for a datagram. `SHUT_WR` in `shutdown(2)`.
    pub fn finish_sending(&self) {
        if !self.is_datagram() {
            // A peer that is gone cannot be told goodbye.
            let _ = self.socket().shutdown(std::net::Shutdown::Write);
        }
    }

    /// When it was opened.
    pub(crate) fn opened(&self) -> Instant {
        self.clocks.opened
    }

    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Ends the connection after its handler: flushes, ends what is beside, sends what is queued,
    /// hangs up, lets go of the socket, and answers what to tell.
    pub(crate) fn close(mut self, outcome: io::Result<()>, panicked: bool) -> Closed {
        let flushed = self.flush_all();
        let beside = self.end_beside();
        let queued = self.finish_queue();
        if let Some(lent) = self.input.lent.take() {
            give_back(lent);
        }
        self.hang_up();
        let reason = self.reason(outcome.and(flushed).and(beside).and(queued), panicked);
        let elapsed = self.clocks.opened.elapsed();
        let by_writers = self.sending.as_ref().map_or(0, |sending| sending.sent());
        let Connection { running, summary, received, .. } = self;
        let sent = self.sent + by_writers;
        Closed { running, summary, elapsed, received, sent, reason }
    }

    /// The last two steps of a request, with the service's hooks: says that no more will come, and
    /// takes what has already arrived, since closing with input unread would reset the connection
    /// and could destroy the answer on its way.
    pub(crate) fn hang_up(&self) {
        let service = &self.site.service;
        let _ = caught(|| service.shutdown_request(self));
        if !self.peer_finished {
            self.link.discard_input();
        }
        let _ = caught(|| service.close_request(self));
    }

    fn reason(&self, outcome: io::Result<()>, panicked: bool) -> CloseReason {
        let over = self.sending.as_ref().and_then(|sending| sending.over.get().copied());
        match outcome {
            _ if panicked => CloseReason::Panicked,
            _ if over.is_some() => CloseReason::OverLimit(over.unwrap_or_default()),
            _ if self.link.is_cut() => CloseReason::CutOff,
            _ if self.drained => CloseReason::Drained,
            Err(error) => match self.ended_by {
                Some(Guard::Deadline(name)) => CloseReason::TimedOut(name),
                Some(Guard::Limit(name)) => CloseReason::OverLimit(name),
                None => CloseReason::of(error),
            },
            Ok(()) if self.ended && !self.is_datagram() => CloseReason::PeerClosed,
            Ok(()) => CloseReason::Finished,
        }
    }

    /// Looks at the answer of a call: notes a deadline that passed, and turns whatever a cut
    /// connection says into one error.
    #[inline]
    fn check<T>(&mut self, answer: io::Result<T>, guard: &'static str) -> io::Result<T> {
        if self.link.is_cut() {
            return Err(stopping());
        }
        answer.map_err(|error| self.failure(error, guard))
    }

    #[cold]
    fn failure(&mut self, error: io::Error, guard: &'static str) -> io::Error {
        if is_deadline(&error) { self.overdue(guard) } else { error }
    }

    /// Tells that the packet was received, if it is one and messages are told.
    pub(crate) fn tell_packet(&self) {
        if let Some(packet) = self.packet().filter(|_| self.running.message_events) {
            self.tell_message(Direction::In, packet.len());
        }
    }

    fn tell_message(&self, direction: Direction, bytes: usize) {
        self.running.tell(&Event::Message { connection: &self.summary, direction, bytes });
    }
}

/// A connection that is over, and what there is to tell of it.
pub(crate) struct Closed {
    running: Arc<Running>,
    summary: Summary,
    elapsed: Duration,
    received: u64,
    sent: u64,
    reason: CloseReason,
}

impl Closed {
    pub(crate) fn tell(&self) {
        self.running.tell(&Event::Closed {
            connection: &self.summary,
            elapsed: self.elapsed,
            received: self.received,
            sent: self.sent,
            reason: &self.reason,
        });
    }
}

/// What calls on a connection say when the server is stopping.
pub(crate) fn stopping() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "the server is stopping")
}

/// Whether a deadline has passed. The kernel's own `ETIMEDOUT` is an error like any other: the peer
/// has not acknowledged anything for too long.
fn is_deadline(error: &io::Error) -> bool {
    error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_none()
}

/// What calls on a connection say when a deadline has passed.
fn timed_out() -> io::Error {
    ErrorKind::TimedOut.into()
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("summary", &self.summary)
            .field("received", &self.received)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
