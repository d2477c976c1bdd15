//! Sending: the output buffer, and the write deadline.

use std::io::{self, ErrorKind, Write};

use socket::Deadline;

use super::{BUFFER_BYTES, Connection};
use crate::event::Direction;

/// The most that a datagram of any family here can hold, near enough: the 16-bit length of UDP.
const DATAGRAM_BYTES: usize = 65_535;
/// The most that one deadline covers, so that a peer that takes a large answer slowly, but takes
/// it, is not given up: with 30 s it has to take 9 kB a second. More than a socket buffer usually
/// holds, so that a part rarely ends before the send would have waited anyway.
const PART_BYTES: usize = 256 * 1024;

impl Connection {
    /// Sends all of `bytes` within the write deadline.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (deadline, guard) = self.clocks.send();
        let answer = match self.is_datagram() {
            true => self.socket().send_to_by(bytes, &self.summary.peer, deadline).map(drop),
            false => self.transmit(bytes, deadline),
        };
        self.end_send(answer, bytes.len(), guard)
    }

    /// Sends what a connection has in its output buffer.
    fn send_output(&mut self) -> io::Result<()> {
        let (deadline, guard) = self.clocks.send();
        let answer = self.transmit(&self.output, deadline);
        let count = self.output.len();
        self.output.clear();
        self.end_send(answer, count, guard)
    }

    /// Sends all of it to the peer of a connection, taking turns with its writers if it has any.
    #[inline]
    fn transmit(&self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        match &self.sending {
            None => self.socket().send_all_by(bytes, deadline),
            Some(sending) => sending.send(bytes, deadline),
        }
    }

    /// What comes after a send: what its answer means.
    fn end_send(
        &mut self,
        answer: io::Result<()>,
        count: usize,
        guard: &'static str,
    ) -> io::Result<()> {
        self.check(answer, guard)?;
        if self.sending.is_none() {
            self.sent += count as u64;
        }
        if self.running.message_events {
            self.tell_message(Direction::Out, count);
        }
        Ok(())
    }

    /// Sends what is in the output buffer at the end: for a datagram, only now.
    pub(super) fn flush_all(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        if !self.is_datagram() {
            return self.send_output();
        }
        let reply = std::mem::take(&mut self.output);
        self.send(&reply)
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
            let part = &bytes[..bytes.len().min(PART_BYTES)];
            self.send(part)?;
            return Ok(part.len());
        }
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Sends what is buffered. A datagram goes out only when its handler is done.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match self.output.is_empty() || self.is_datagram() {
            true => Ok(()),
            false => self.send_output(),
        }
    }
}
