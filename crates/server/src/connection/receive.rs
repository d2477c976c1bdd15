//! Receiving: the input buffer, and what surrounds each receive.
//!
//! Before it, what was written is sent, and the handler says in its [`Link`](crate::link::Link)
//! until when it waits. After it, the link says whether somebody ended the waiting, and why.

use std::io::{self, BufRead, ErrorKind, Read, Write};

use memchr::memchr;
use socket::seam::Patience;
use socket::{Deadline, Flags, Socket};

use super::buffers::INPUT_BYTES;
use super::{Connection, Guard, is_deadline, stopping, timed_out};
use crate::event::Direction;
use crate::waiting::{Ending, Waiting};

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
    #[inline]
    pub fn read_line(&mut self, line: &mut String) -> io::Result<usize> {
        if self.input.is_empty() && self.refill(Waiting::Reading)? == 0 {
            return Ok(0);
        }
        match self.whole_line().map(str::from_utf8) {
            Some(Ok(text)) => {
                line.push_str(text);
                let count = text.len();
                self.input.position += count;
                Ok(count)
            }
            _ => self.read_line_in_parts(line),
        }
    }

    /// The next line, if all of it is in the input buffer and it is not too long.
    #[inline]
    pub(super) fn whole_line(&self) -> Option<&[u8]> {
        let rest = self.input.rest();
        let end = memchr(b'\n', rest).filter(|end| *end < self.running.guards.limit_line)?;
        Some(&rest[..=end])
    }

    /// The next line, whatever it is like.
    #[inline(never)]
    fn read_line_in_parts(&mut self, line: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        self.read_line_bytes(&mut bytes)?;
        let Ok(text) = str::from_utf8(&bytes) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "a line that is not UTF-8"));
        };
        line.push_str(text);
        Ok(text.len())
    }

    /// The same in bytes.
    pub(super) fn read_line_bytes(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        let limit = self.running.guards.limit_line;
        let count = Read::take(&mut *self, limit as u64 + 1).read_until(b'\n', line)?;
        if count > limit {
            self.ended_by = Some(Guard::Limit("line"));
            let why = format!("a line of more than {limit} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        }
        Ok(count)
    }

    /// Fills the input buffer, which is empty, and answers how much is in it then.
    #[inline(never)]
    pub(super) fn refill(&mut self, waiting: Waiting) -> io::Result<usize> {
        match self.converse(waiting) {
            true => Ok(self.input.len()),
            false => self.refill_otherwise(waiting),
        }
    }

    /// The same by the long way.
    #[inline(never)]
    pub(super) fn refill_in_steps(&mut self, waiting: Waiting) -> io::Result<usize> {
        let Some((deadline, until)) = self.begin_receive(waiting)? else { return Ok(0) };
        (self.input.position, self.input.end) = (0, 0);
        let socket = self.link.socket.as_ref().expect("only a connection receives");
        let answer = match self.site.messages {
            false => {
                let patience = self.patience(waiting);
                socket.recv_lent(&mut self.input.lent, deadline, patience)
            }
            true => receive_message(socket, &mut self.input.own, deadline),
        };
        self.input.end = self.end_receive(answer, until)?;
        self.choose_pace();
        Ok(self.input.end)
    }

    /// What comes before a receive: what was written is sent, and the wait begins, by the clock
    /// that applies now. The patrol keeps that, see `waiting.rs`, so the receive itself has no
    /// deadline. `None` when there is nothing more to receive.
    fn begin_receive(&mut self, waiting: Waiting) -> io::Result<Option<(Deadline, u64)>> {
        if self.ended {
            return self.after_the_end();
        }
        self.flush()?;
        let until = self.clocks.until(self.received == 0, self.running.time());
        self.waits = self.waits.wrapping_add(1);
        self.link.wait(waiting, until, self.waits);
        match self.running.is_draining() {
            false => Ok(Some((Deadline::Never, until))),
            true => self.begin_while_draining(waiting, until),
        }
    }

    #[cold]
    fn after_the_end(&self) -> io::Result<Option<(Deadline, u64)>> {
        match self.ended_by {
            Some(Guard::Deadline(_)) => Err(timed_out()),
            _ => Ok(None),
        }
    }

    #[cold]
    fn begin_while_draining(
        &mut self,
        waiting: Waiting,
        until: u64,
    ) -> io::Result<Option<(Deadline, u64)>> {
        match waiting {
            // Between two requests, one that has already arrived is still answered.
            Waiting::Between => Ok(Some((Deadline::Immediate, until))),
            Waiting::Reading if self.running.is_time_called() => Err(self.let_go()),
            Waiting::Reading => Ok(Some((Deadline::Never, until))),
        }
    }

    /// What comes after a receive: what its answer means.
    fn end_receive(&mut self, answer: io::Result<usize>, until: u64) -> io::Result<usize> {
        let ending = self.link.resume();
        match answer {
            Ok(count @ 1..) if ending.is_none() && !self.link.is_cut() => {
                self.received += count as u64;
                if self.running.message_events {
                    self.tell_message(Direction::In, count);
                }
                Ok(count)
            }
            answer => self.end_receive_otherwise(answer, ending, until),
        }
    }

    /// The same where it was not simply some bytes.
    #[cold]
    #[inline(never)]
    pub(super) fn end_receive_otherwise(
        &mut self,
        answer: io::Result<usize>,
        ending: Option<Ending>,
        until: u64,
    ) -> io::Result<usize> {
        self.go_the_long_way();
        let guard = self.clocks.guard(self.received == 0, until);
        match ending {
            Some(Ending::LetGo) => return Err(self.let_go()),
            Some(Ending::Overdue) => return Err(self.overdue(guard)),
            Some(Ending::Drained) => {
                // What may have come in at this moment is the beginning of a request whose rest
                // cannot follow. It has not begun here, so its peer may ask somebody else.
                self.ended = true;
                return Ok(0);
            }
            None => {}
        }
        if self.patience == Patience::UntilIdle
            && !self.link.is_cut()
            && answer.as_ref().is_err_and(is_deadline)
        {
            self.idle_until = Some(until);
            return Ok(0);
        }
        match self.check(answer, guard) {
            // A drain between two requests, and none has arrived.
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            answer => {
                self.ended = true;
                self.peer_finished = matches!(answer, Ok(0)) && !self.site.messages;
                Ok(0)
            }
        }
    }

    fn let_go(&mut self) -> io::Error {
        self.drained = true;
        stopping()
    }

    pub(super) fn overdue(&mut self, guard: &'static str) -> io::Error {
        self.go_the_long_way();
        self.ended_by = Some(Guard::Deadline(guard));
        self.ended = true;
        timed_out()
    }

    /// A read into the caller's memory.
    #[inline(never)]
    fn read_past_the_buffer(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let begun = self.begin_receive(Waiting::Reading)?;
        let Some((deadline, until)) = begun else { return Ok(0) };
        let answer = self.socket().recv_by(buffer, deadline);
        self.end_receive(answer, until)
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
        if self.input.is_empty() && buffer.len() >= INPUT_BYTES && !self.site.messages {
            return self.read_past_the_buffer(buffer);
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
        if self.input.is_empty() {
            self.refill(Waiting::Reading)?;
        }
        Ok(self.input.rest())
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        self.input.position = (self.input.position + count).min(self.input.end);
    }
}
