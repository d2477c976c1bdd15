//! The handler's end of a connection: buffered reading and writing, with the guards' clocks.
//!
//! * **Reading** comes from a buffer of 8 KiB that is made when first needed; a large read with an
//!   empty buffer goes straight to the caller's memory.
//! * **Writing** goes into a buffer of 8 KiB that is sent when it is full, when it is flushed, when
//!   the handler is done, and **before a read would wait**. So `write; write; read` is one send,
//!   and a peer never waits for an answer that sits here.
//! * **Datagrams** look the same: reading gives the packet and then the end, and what was written
//!   goes back to the sender as one datagram when the handler is done.
//! * **Clocks** are deadlines from [`Guards`](crate::Guards). A call that runs into one fails with
//!   `TimedOut`, and so does every later one.

use std::cell::OnceCell;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket::{Deadline, SockAddr, Socket};

use crate::event::{CloseReason, Direction, Event, Summary};
use crate::link::{Ending, Link, NEVER, Waiting};
use crate::listener::Listener;
use crate::running::Running;

/// Bytes of each of the two buffers: a page holds a request line with its headers, two hold most.
const BUFFER_BYTES: usize = 8 * 1024;
/// The most that a datagram of any family here can hold, near enough: the 16-bit length of UDP.
const DATAGRAM_BYTES: usize = 65_535;
/// The most that is read and thrown away when a connection is closed with input unread.
const DISCARD_BYTES: usize = 256 * 1024;

/// One connection, or one datagram, as its handler sees it. See the head of this file.
pub struct Connection {
    running: Arc<Running>,
    listener: Arc<Listener>,
    link: Arc<Link>,
    summary: Summary,
    local: OnceCell<SockAddr>,
    opened: Instant,
    input: Input,
    output: Vec<u8>,
    received: u64,
    sent: u64,
    timed_out: Option<&'static str>,
    /// What a read counts as while it waits.
    waiting_as: Waiting,
    /// Whether it ended because the server is stopping.
    drained: bool,
}

/// Bytes received and not yet read by the handler.
///
/// ```text
///   buffer: [ read already | position .. end: to be read | room ]
/// ```
#[derive(Default)]
struct Input {
    buffer: Vec<u8>,
    position: usize,
    end: usize,
    /// The peer has finished, or a deadline has passed: nothing more will be received.
    ended: bool,
}

impl Connection {
    pub(crate) fn stream(
        running: Arc<Running>,
        listener: Arc<Listener>,
        link: Arc<Link>,
        summary: Summary,
    ) -> Connection {
        Connection {
            running,
            listener,
            link,
            summary,
            local: OnceCell::new(),
            opened: Instant::now(),
            input: Input::default(),
            output: Vec::new(),
            received: 0,
            sent: 0,
            timed_out: None,
            waiting_as: Waiting::Reading,
            drained: false,
        }
    }

    pub(crate) fn datagram(
        running: Arc<Running>,
        listener: Arc<Listener>,
        link: Arc<Link>,
        summary: Summary,
        packet: Vec<u8>,
    ) -> Connection {
        let received = packet.len() as u64;
        let mut connection = Connection::stream(running, listener, link, summary);
        connection.input = Input { end: packet.len(), buffer: packet, position: 0, ended: true };
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
            self.socket().getsockname().unwrap_or_else(|_| self.listener.local.clone())
        })
    }

    /// The socket itself, for options and for what the buffers do not offer. What is read and
    /// written there passes by the buffers and the guards. For a datagram it is the listener's.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.link.socket.as_ref().unwrap_or(&self.listener.socket)
    }

    /// Whether this is a single datagram.
    #[must_use]
    pub fn is_datagram(&self) -> bool {
        self.summary.datagram
    }

    /// The datagram, whole; `None` for a connection.
    #[must_use]
    pub fn packet(&self) -> Option<&[u8]> {
        self.is_datagram().then_some(self.input.buffer.as_slice())
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
    pub fn next_request(&mut self) -> io::Result<bool> {
        if !self.input.rest().is_empty() {
            return Ok(true);
        }
        self.waiting_as = Waiting::Between;
        let waited = self.fill_buf().map(|bytes| !bytes.is_empty());
        self.waiting_as = Waiting::Reading;
        if self.draining() && matches!(waited, Ok(false)) {
            self.drained = true;
        }
        waited
    }

    /// Whether the server is stopping: finish what is under way and begin nothing new.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.running.is_draining()
    }

    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Ends the connection after its handler: flushes, says that no more will come, and takes what
    /// has already arrived, since closing with input unread would reset the connection and could
    /// destroy the answer on its way. Then lets go of the socket, and answers what to tell.
    pub(crate) fn close(mut self, outcome: io::Result<()>, panicked: bool) -> Closed {
        let flushed = self.flush_all();
        if !self.is_datagram() {
            // A peer that is gone cannot be told goodbye.
            let _ = self.socket().shutdown(std::net::Shutdown::Write);
            self.discard_input();
        }
        let reason = self.reason(outcome.and(flushed), panicked);
        let elapsed = self.opened.elapsed();
        let Connection { running, summary, received, sent, .. } = self;
        Closed { running, summary, elapsed, received, sent, reason }
    }

    fn reason(&self, outcome: io::Result<()>, panicked: bool) -> CloseReason {
        match outcome {
            _ if panicked => CloseReason::Panicked,
            _ if self.link.is_cut() => CloseReason::CutOff,
            _ if self.drained => CloseReason::Drained,
            Err(error) => match self.timed_out {
                Some(guard) => CloseReason::TimedOut(guard),
                None => CloseReason::of(error),
            },
            Ok(()) if self.input.ended && !self.is_datagram() => CloseReason::PeerClosed,
            Ok(()) => CloseReason::Finished,
        }
    }

    fn discard_input(&self) {
        let mut room = [0; 4096];
        let mut discarded = 0;
        while discarded < DISCARD_BYTES {
            match self.socket().recv_by(&mut room, Deadline::Immediate) {
                Ok(0) | Err(_) => return,
                Ok(count) => discarded += count,
            }
        }
    }

    /// Receives into `buffer`, by the clock that applies now. The patrol keeps it, see `link.rs`.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.ended || buffer.is_empty() {
            return Ok(0);
        }
        self.flush()?;
        let (until, guard) = self.patience();
        self.link.wait(self.waiting_as, until);
        let answer = if !self.running.is_draining() {
            self.socket().recv_by(buffer, Deadline::Never)
        } else {
            self.receive_draining(buffer)
        };
        match self.link.resume() {
            Some(Ending::LetGo) => return Err(self.let_go()),
            Some(Ending::Overdue) => return Err(self.overdue(guard)),
            None => {}
        }
        let count = self.check(answer, guard)?;
        if count == 0 {
            self.input.ended = true;
        } else {
            self.received += count as u64;
            self.tell_message(Direction::In, count);
        }
        Ok(count)
    }

    /// Receives while the server drains: between two requests only what has already arrived.
    fn receive_draining(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.waiting_as {
            Waiting::Between => match self.socket().recv_by(buffer, Deadline::Immediate) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                answer => answer,
            },
            Waiting::Reading if self.running.is_time_called() => Err(self.let_go()),
            Waiting::Reading => self.socket().recv_by(buffer, Deadline::Never),
        }
    }

    /// Until which moment a read may wait, and the guard to name when that has passed.
    fn patience(&self) -> (u64, &'static str) {
        let guards = &self.running.guards;
        let (limit, guard) = match self.received {
            0 => (guards.deadline_first_byte, "no first byte"),
            _ => (guards.deadline_idle, "idle"),
        };
        let until = match limit {
            Some(limit) => self.running.moment(Instant::now()) + milliseconds(limit),
            None => NEVER,
        };
        if let Some(whole) = guards.deadline_connection {
            let end = self.running.moment(self.opened) + milliseconds(whole);
            if end < until {
                return (end, "connection too long");
            }
        }
        (until, guard)
    }

    fn let_go(&mut self) -> io::Error {
        self.drained = true;
        stopping()
    }

    fn overdue(&mut self, guard: &'static str) -> io::Error {
        self.timed_out = Some(guard);
        self.input.ended = true;
        ErrorKind::TimedOut.into()
    }

    /// Sends all of `bytes` within the write deadline.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let limit = self.running.guards.deadline_write.into();
        let (deadline, guard) = self.within_connection(limit, "write");
        let answer = match self.is_datagram() {
            true => self.socket().send_to_by(bytes, &self.summary.peer, deadline).map(drop),
            false => self.socket().send_all_by(bytes, deadline),
        };
        self.check(answer, guard)?;
        self.sent += bytes.len() as u64;
        self.tell_message(Direction::Out, bytes.len());
        Ok(())
    }

    /// The deadline of one call, and the guard to name when it passes.
    fn within_connection(&self, limit: Deadline, guard: &'static str) -> (Deadline, &'static str) {
        let Some(whole) = self.running.guards.deadline_connection else { return (limit, guard) };
        let Some(end) = self.opened.checked_add(whole) else { return (limit, guard) };
        match limit.earlier(Deadline::At(end)) {
            Deadline::At(moment) if moment == end => (Deadline::At(end), "connection too long"),
            earlier => (earlier, guard),
        }
    }

    /// Looks at the answer of a call: notes a deadline that passed, and turns whatever a cut
    /// connection says into one error.
    fn check<T>(&mut self, answer: io::Result<T>, guard: &'static str) -> io::Result<T> {
        if self.link.is_cut() {
            return Err(stopping());
        }
        match answer {
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(self.overdue(guard)),
            answer => answer,
        }
    }

    fn tell_message(&self, direction: Direction, bytes: usize) {
        if self.running.message_events {
            self.running.tell(&Event::Message { connection: &self.summary, direction, bytes });
        }
    }

    /// Sends what is in the output buffer, also that of a datagram.
    fn flush_all(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut output = std::mem::take(&mut self.output);
        let answer = self.send(&output);
        output.clear();
        self.output = output;
        answer
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

fn milliseconds(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis()).unwrap_or(NEVER / 2)
}

/// What calls on a connection say when the server is stopping.
fn stopping() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "the server is stopping")
}

impl Input {
    fn rest(&self) -> &[u8] {
        &self.buffer[self.position..self.end]
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.rest().is_empty() && buffer.len() >= BUFFER_BYTES {
            return self.receive(buffer);
        }
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Connection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.input.rest().is_empty() && !self.input.ended {
            let mut buffer = std::mem::take(&mut self.input.buffer);
            buffer.resize(BUFFER_BYTES, 0);
            let answer = self.receive(&mut buffer);
            self.input.buffer = buffer;
            (self.input.position, self.input.end) = (0, *answer.as_ref().unwrap_or(&0));
            answer?;
        }
        Ok(self.input.rest())
    }

    fn consume(&mut self, count: usize) {
        self.input.position = (self.input.position + count).min(self.input.end);
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_datagram() {
            if self.output.len() + bytes.len() > DATAGRAM_BYTES {
                let why = "a datagram cannot hold so much";
                return Err(io::Error::new(ErrorKind::InvalidInput, why));
            }
            self.output.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        if self.output.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.send(bytes)?;
        } else {
            self.output.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    /// Sends what is buffered. A datagram goes out only when its handler is done.
    fn flush(&mut self) -> io::Result<()> {
        if self.is_datagram() { Ok(()) } else { self.flush_all() }
    }
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
