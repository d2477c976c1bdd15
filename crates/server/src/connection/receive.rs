//! Receiving: the input buffer, and what surrounds each receive.
//!
//! Before it, what was written is sent, and the handler says in its [`Link`](crate::link::Link)
//! until when it waits. After it, the link says whether somebody ended the waiting, and why.

use std::io::{self, BufRead, ErrorKind, Read, Write};

use socket::{Deadline, Flags, Socket};

use super::{BUFFER_BYTES, Connection, Guard, stopping, timed_out};
use crate::event::Direction;
use crate::waiting::{Ending, Waiting};

/// Bytes received and not yet read by the handler.
///
/// ```text
///   buffer: [ read already | position .. end: to be read | room ]
/// ```
#[derive(Default)]
pub(super) struct Input {
    pub(super) buffer: Vec<u8>,
    pub(super) position: usize,
    pub(super) end: usize,
    /// The peer has finished, or a deadline has passed: nothing more will be received.
    pub(super) ended: bool,
}

impl Input {
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.position..self.end]
    }
}

impl Connection {
    /// Adds the next line to `line`, its end (`\n`) included, and answers how many bytes that was;
    /// zero at the end of the input. The last line may lack its end.
    ///
    /// Like [`BufRead::read_line`], which it replaces on a connection, but for a line of
    /// [`limit_line`](crate::Guards::limit_line) at most: a peer that never ends its line cannot
    /// fill our memory.
    ///
    /// # Errors
    /// `InvalidData` for a longer line, and for one that is not UTF-8, of which nothing is added to
    /// `line`; otherwise as reading.
    pub fn read_line(&mut self, line: &mut String) -> io::Result<usize> {
        let limit = self.running.guards.limit_line;
        let mut bytes = std::mem::take(line).into_bytes();
        let before = bytes.len();
        let outcome = Read::take(&mut *self, limit as u64 + 1).read_until(b'\n', &mut bytes);
        let failure = match outcome {
            Err(error) => Some(error),
            Ok(count) if count > limit => {
                self.ended_by = Some(Guard::Limit("line"));
                let why = format!("a line of more than {limit} bytes");
                Some(io::Error::new(ErrorKind::InvalidData, why))
            }
            Ok(_) if std::str::from_utf8(&bytes[before..]).is_err() => {
                Some(io::Error::new(ErrorKind::InvalidData, "a line that is not UTF-8"))
            }
            Ok(_) => None,
        };
        if failure.is_some() {
            bytes.truncate(before);
        }
        let count = bytes.len() - before;
        *line = String::from_utf8(bytes).expect("it was text, and what was added is");
        failure.map_or(Ok(count), Err)
    }

    /// Fills the input buffer, which is empty.
    pub(super) fn refill(&mut self, waiting: Waiting) -> io::Result<()> {
        let Some((deadline, guard)) = self.begin_receive(waiting)? else { return Ok(()) };
        (self.input.position, self.input.end) = (0, 0);
        if self.input.buffer.is_empty() {
            self.input.buffer = vec![0; BUFFER_BYTES];
        }
        let socket = self.link.socket.as_ref().expect("only a connection receives");
        let answer = match self.site.messages {
            true => receive_message(socket, &mut self.input.buffer, deadline),
            false => socket.recv_by(&mut self.input.buffer, deadline),
        };
        self.input.end = self.end_receive(answer, guard)?;
        Ok(())
    }

    /// What comes before a receive: what was written is sent, and the wait begins, by the clock
    /// that applies now. The patrol keeps that, see `waiting.rs`, so the receive itself has no
    /// deadline. `None` when there is nothing more to receive.
    fn begin_receive(&mut self, waiting: Waiting) -> io::Result<Option<(Deadline, &'static str)>> {
        if self.input.ended {
            return match self.ended_by {
                Some(Guard::Deadline(_)) => Err(timed_out()),
                _ => Ok(None),
            };
        }
        self.flush()?;
        let (until, guard) = self.clocks.receive(self.received == 0);
        self.link.wait(waiting, until);
        if !self.running.is_draining() {
            return Ok(Some((Deadline::Never, guard)));
        }
        match waiting {
            // Between two requests, one that has already arrived is still answered.
            Waiting::Between => Ok(Some((Deadline::Immediate, guard))),
            Waiting::Reading if self.running.is_time_called() => Err(self.let_go()),
            Waiting::Reading => Ok(Some((Deadline::Never, guard))),
        }
    }

    /// What comes after a receive: what its answer means.
    fn end_receive(&mut self, answer: io::Result<usize>, guard: &'static str) -> io::Result<usize> {
        match self.link.resume() {
            Some(Ending::LetGo) => return Err(self.let_go()),
            Some(Ending::Overdue) => return Err(self.overdue(guard)),
            Some(Ending::Drained) => {
                // What may have come in at this moment is the beginning of a request whose rest
                // cannot follow. It has not begun here, so its peer may ask somebody else.
                self.input.ended = true;
                return Ok(0);
            }
            None => {}
        }
        let count = match self.check(answer, guard) {
            // A drain between two requests, and none has arrived.
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            answer => answer?,
        };
        self.input.ended = count == 0;
        self.received += count as u64;
        if self.running.message_events && count > 0 {
            self.tell_message(Direction::In, count);
        }
        Ok(count)
    }

    fn let_go(&mut self) -> io::Error {
        self.drained = true;
        stopping()
    }

    pub(super) fn overdue(&mut self, guard: &'static str) -> io::Error {
        self.ended_by = Some(Guard::Deadline(guard));
        self.input.ended = true;
        timed_out()
    }
}

/// Receives one message, whole: the kernel throws away what has no room, so it is asked first how
/// much there is. It cannot be more than the kernel lets a peer send at once.
fn receive_message(socket: &Socket, buffer: &mut Vec<u8>, deadline: Deadline) -> io::Result<usize> {
    let wait = if deadline == Deadline::Immediate { Flags::DONTWAIT } else { Flags::default() };
    let length = socket.recv_with(&mut [0], Flags::PEEK | Flags::TRUNC | wait)?;
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    socket.recv_by(buffer, Deadline::Immediate)
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let large = buffer.len() >= BUFFER_BYTES && !self.site.messages;
        if large && self.input.rest().is_empty() {
            let begun = self.begin_receive(Waiting::Reading)?;
            let Some((deadline, guard)) = begun else { return Ok(0) };
            let answer = self.socket().recv_by(buffer, deadline);
            return self.end_receive(answer, guard);
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Connection {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.input.rest().is_empty() {
            self.refill(Waiting::Reading)?;
        }
        Ok(self.input.rest())
    }

    fn consume(&mut self, count: usize) {
        self.input.position = (self.input.position + count).min(self.input.end);
    }
}
