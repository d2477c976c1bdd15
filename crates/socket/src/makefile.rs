//! A socket as a file: buffered reading and writing, as Python's `makefile` has them.
//!
//! A reader or writer holds a copy of the socket's descriptor. So it works on after the socket
//! itself is dropped, and the connection ends when the last of all of them is closed, unless
//! [`shutdown`](Socket::shutdown) ends it for everyone. Its time limit begins as the socket's and
//! is its own from then on: `reader.get_ref().socket().set_timeout(…)`.
//!
//! A program that has no need for copies reads and writes through `BufReader::new(&socket)`; `Read`
//! and `Write` are there for `&Socket` too. What that lacks is the one rule of this file: after a
//! read that timed out, how much of a line or record has been received is anybody's guess, so a
//! reader that timed out once answers nothing but errors from then on.
//!
//! On a non-blocking socket a read that finds nothing is `WouldBlock` (where Python answers
//! `None`), and the reader stays usable. `read_line` and its like then keep what they have read.

use std::io::{self, BufReader, BufWriter, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};

use crate::read_write::read_write;
use crate::socket::Socket;

/// The receiving side of a socket, behind the buffer of [`Socket::reader`].
#[derive(Debug)]
pub struct SocketReader {
    socket: Socket,
    timed_out: bool,
}

/// The sending side of a socket, behind the buffer of [`Socket::writer`].
#[derive(Debug)]
pub struct SocketWriter {
    socket: Socket,
}

impl Socket {
    /// A buffered reader over a copy of this socket's descriptor. `makefile('rb')`.
    ///
    /// What its buffer has taken in is not there for [`recv`](Socket::recv) any more.
    /// `into_inner` answers a reader without a buffer.
    ///
    /// # Errors
    /// `EMFILE` out of descriptors.
    ///
    /// ```
    /// use socket::{Family, Socket, Type};
    /// use std::io::{BufRead, Write};
    ///
    /// let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    /// let (mut writer, mut reader) = (left.writer()?, right.reader()?);
    /// drop((left, right));
    ///
    /// writeln!(writer, "hello")?;
    /// drop(writer); // sends what is in the buffer
    /// let mut line = String::new();
    /// reader.read_line(&mut line)?;
    /// assert_eq!(line, "hello\n");
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "makefile")]
    pub fn reader(&self) -> io::Result<BufReader<SocketReader>> {
        let socket = self.try_clone()?;
        Ok(BufReader::new(SocketReader { socket, timed_out: false }))
    }

    /// A buffered writer over a copy of this socket's descriptor. `makefile('wb')`.
    ///
    /// Flush it before waiting for an answer. Dropping it flushes too, but cannot say if that
    /// fails. After a write that timed out the buffer still holds exactly what was not sent.
    ///
    /// # Errors
    /// `EMFILE` out of descriptors.
    #[doc(alias = "makefile")]
    pub fn writer(&self) -> io::Result<BufWriter<SocketWriter>> {
        Ok(BufWriter::new(SocketWriter { socket: self.try_clone()? }))
    }
}

impl SocketReader {
    /// The copy of the socket that it reads from.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl SocketWriter {
    /// The copy of the socket that it writes to.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl Read for SocketReader {
    /// # Errors
    /// As [`recv`](Socket::recv); after a `TimedOut`, `Other` for ever.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.timed_out {
            return Err(io::Error::other("cannot read from timed out object"));
        }
        let answer = self.socket.recv(buffer);
        self.timed_out = matches!(&answer, Err(error) if error.kind() == ErrorKind::TimedOut);
        answer
    }
}

read_write!(@write SocketWriter, socket);

impl AsFd for SocketReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsFd for SocketWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
