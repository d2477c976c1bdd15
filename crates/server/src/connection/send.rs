//! Sending: the output buffer, and the write deadline.

use std::io::{self, ErrorKind, Write};

use socket::Deadline;

use super::Connection;
use super::buffers::{self, DATAGRAM_BYTES, OUTPUT_BYTES, OWN_BYTES};
use crate::event::Direction;

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
    #[inline(always)]
    pub(super) fn send_output(&mut self) -> io::Result<()> {
        let count = self.output.len();
        let begun = match (&self.sending, &self.link.socket, self.clocks.write_alone()) {
            (None, Some(socket), Some(deadline)) => socket.send_by(&self.output, deadline),
            _ => Ok(0),
        };
        match begun {
            Ok(sent) if sent == count && !self.link.is_cut() => {
                buffers::sent(&mut self.output);
                self.sent += count as u64;
                if self.running.message_events {
                    self.tell_message(Direction::Out, count);
                }
                Ok(())
            }
            begun => self.send_output_on(begun),
        }
    }

    /// The same where that was not all.
    #[inline(never)]
    fn send_output_on(&mut self, begun: io::Result<usize>) -> io::Result<()> {
        let (deadline, guard) = self.clocks.send();
        let answer = begun.and_then(|sent| self.transmit(&self.output[sent..], deadline));
        let count = self.output.len();
        buffers::sent(&mut self.output);
        self.end_send(answer, count, guard)
    }

    /// Sends all of it to the peer of a connection, taking turns with its writers if it has any.
    #[inline(always)]
    fn transmit(&self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        match (&self.sending, &self.link.socket) {
            (None, Some(socket)) => socket.send_all_by(bytes, deadline),
            (Some(sending), _) => sending.send(bytes, deadline),
            (None, None) => unreachable!("a datagram is sent to its sender"),
        }
    }

    /// What comes after a send: what its answer means.
    pub(super) fn end_send(
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

    /// Writes what the output buffer has no room for.
    #[inline(never)]
    fn write_more(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_datagram() {
            if self.output.len() + bytes.len() > DATAGRAM_BYTES {
                let why = "a datagram cannot hold so much";
                return Err(io::Error::new(ErrorKind::InvalidInput, why));
            }
        } else {
            if self.output.len() + bytes.len() > OUTPUT_BYTES {
                self.flush()?;
            }
            if bytes.len() >= OUTPUT_BYTES {
                let part = &bytes[..bytes.len().min(PART_BYTES)];
                self.send(part)?;
                return Ok(part.len());
            }
        }
        let more = !self.input.is_empty() && !self.is_datagram();
        buffers::grow(&mut self.output, bytes.len(), more);
        if self.output.capacity() > OWN_BYTES {
            // It is to be given back as soon as it has been sent.
            self.send_first();
        }
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline(never)]
    fn write_all_of_more(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.write(bytes)?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// What a datagram's handler has written, which is to go back as one, if it may be sent.
    pub(crate) fn answer_to_send(&self) -> Option<&[u8]> {
        let sends = self.is_datagram() && !self.output.is_empty() && !self.link.is_cut();
        sends.then_some(&self.output[..])
    }

    /// Notes what became of that, which somebody else has sent.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn answer_sent(&mut self, sent: io::Result<()>) -> io::Result<()> {
        let count = std::mem::take(&mut self.output).len();
        let (_, guard) = self.clocks.send();
        self.end_send(sent, count, guard)
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
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.output.capacity() - self.output.len() {
            return self.write_more(bytes);
        }
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Of a slice that fits, in one step; the provided one loops.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.output.capacity() - self.output.len() {
            return self.write_all_of_more(bytes);
        }
        self.output.extend_from_slice(bytes);
        Ok(())
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
