//! Bytes from one socket to another, without passing through the process: what a proxy does.
//!
//! `splice(2)` moves bytes between a socket and a pipe, so a pipe stands between the two sockets:
//!
//! ```text
//!   from ── SpliceIn, waits for bytes ──► pipe, ≤ 64 KiB ── SpliceOut, waits for room ──► to
//! ```
//! What has left the one socket and not reached the other is in the pipe. A [`Splice`] keeps it
//! after an error, so that nothing is lost by a time limit; [`Socket::splice`] does not.
//!
//! It is for streams (TCP, Unix): the bounds of messages do not survive the pipe.

use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::os::fd::AsFd;

use crate::deadline::Deadline;
use crate::kinds::Type;
use crate::seam::{self, Operation};
use crate::socket::Socket;

/// The capacity of a pipe as Linux makes them: 16 pages. `pipe(7)`.
const PIPE_CAPACITY: usize = 64 * 1024;

/// The pipe between two sockets, for as many transfers in one direction as one likes.
#[derive(Debug)]
pub struct Splice {
    reader: PipeReader,
    writer: PipeWriter,
    held: usize,
    moved: u64,
}

impl Splice {
    /// Makes the pipe: two descriptors, closed on exec and when this is dropped.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` out of descriptors.
    pub fn new() -> io::Result<Splice> {
        let (reader, writer) = io::pipe()?;
        Ok(Splice { reader, writer, held: 0, moved: 0 })
    }

    /// How many bytes are in the pipe: received, and not yet sent because of an error.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many bytes have been sent by this pipe so far, those before an error included.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Waits for bytes on `from` and sends them to `to`: at least one, at most 64 KiB and at most
    /// `count`. Zero means that `from` has finished, or that `count` is zero. What an earlier
    /// error left in the pipe is sent first, and nothing else then.
    ///
    /// Receiving has the time limit of `from`, sending that of `to`.
    ///
    /// # Errors
    /// As [`recv`](Socket::recv) and [`send`](Socket::send), with what was received
    /// [held](Splice::held) for the next call. `EINVAL` for sockets that the kernel cannot splice.
    pub fn transfer(&mut self, from: &Socket, to: &Socket, count: usize) -> io::Result<usize> {
        self.transfer_by(from, from.deadline(), to, to.deadline(), count)
    }

    fn transfer_by(
        &mut self,
        from: &Socket,
        receive_by: Deadline,
        to: &Socket,
        send_by: Deadline,
        count: usize,
    ) -> io::Result<usize> {
        if self.held == 0 && count > 0 {
            let count = count.min(PIPE_CAPACITY);
            let mut operation = Operation::SpliceIn { pipe: self.writer.as_fd(), count };
            self.held = seam::perform(from.target(), &mut operation, receive_by)?;
        }
        let (moved, send_by) = (self.held, send_by.fixed());
        while self.held > 0 {
            let mut operation =
                Operation::SpliceOut { pipe: self.reader.as_fd(), count: self.held };
            let count = seam::perform(to.target(), &mut operation, send_by)?;
            self.held -= count;
            self.moved += count as u64;
        }
        Ok(moved)
    }
}

impl Socket {
    /// Sends to `to` what is received here: `count` bytes, or all up to the end of the stream for
    /// `None`. Answers how many, fewer than `count` only if the stream ended. The whole has one
    /// time limit, the shorter of the two sockets'. `splice(2)`.
    ///
    /// # Errors
    /// As [`recv`](Socket::recv) and [`send`](Socket::send); up to 64 KiB that were received may
    /// be lost then, which a [`Splice`] of your own would keep. `InvalidInput` if one is not a
    /// stream or is non-blocking.
    ///
    /// ```
    /// use socket::{Family, Socket, Type};
    ///
    /// let (client, near) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    /// let (far, server) = Socket::pair(Family::INET, Type::STREAM, Default::default())?;
    /// client.send_all(b"hello, world")?;
    /// assert_eq!(near.splice(&far, Some(5))?, 5);
    /// let mut buffer = [0; 16];
    /// assert_eq!(server.recv(&mut buffer)?, 5);
    ///
    /// client.shutdown(std::net::Shutdown::Write)?;
    /// assert_eq!(near.splice(&far, None)?, 7);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn splice(&self, to: &Socket, count: Option<u64>) -> io::Result<u64> {
        let invalid = |why| Err(io::Error::new(ErrorKind::InvalidInput, why));
        if self.kind()? != Type::STREAM || to.kind()? != Type::STREAM {
            return invalid("only SOCK_STREAM sockets are spliced");
        }
        if !self.blocking() || !to.blocking() {
            return invalid("non-blocking sockets are spliced with a Splice of your own");
        }
        let deadline = self.deadline().earlier(to.deadline());
        let mut pipe = Splice::new()?;
        loop {
            let left = count.map_or(u64::MAX, |count| count - pipe.moved);
            let step = usize::try_from(left).unwrap_or(PIPE_CAPACITY);
            if pipe.transfer_by(self, deadline, to, deadline, step)? == 0 {
                return Ok(pipe.moved);
            }
        }
    }
}
