//! A file over a socket, without the bytes passing through the process.
//!
//! `sendfile(2)` takes nearly every file that lies on a disk. What it does not take (a terminal, a
//! pipe, some files of `/proc`) is read and sent in the ordinary way. Reading the disk blocks the
//! thread in either case; the seam only knows of the socket.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use crate::deadline::Deadline;
use crate::kinds::Type;
use crate::seam::{self, Operation};
use crate::socket::Socket;

/// How many bytes one `sendfile` is asked for without a time limit. More is hardly faster, and a
/// driver that serves others has its turn after each.
const BLOCK: usize = 1024 * 1024;

/// The same where the thread waits with a time limit, which the kernel applies anew to as much as
/// fits its internal pipe: this. It is also what is read and sent at once in the ordinary way.
const BLOCK_LIMITED: usize = 64 * 1024;

impl Socket {
    /// Sends `file` from `offset` bytes on: `count` bytes, or up to its end for `None`. Answers how
    /// many were sent, fewer than `count` only if the file ended, all within one time limit.
    /// `sendfile(2)`.
    ///
    /// Afterwards, also after an error, the file's position is behind the last byte that was sent,
    /// in a file that has a position. From one that has none (a pipe), `offset` must be zero, and
    /// bytes that were read may be lost by an error.
    ///
    /// # Errors
    /// As [`send`](Socket::send), and what reading the file says. `InvalidInput` for a socket that
    /// is not a stream or is non-blocking, and for a `count` of zero.
    ///
    /// ```
    /// use socket::{Family, Socket, Type};
    /// use std::io::Seek;
    ///
    /// let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    /// let mut file = std::fs::File::open("/proc/self/exe")?;
    /// assert_eq!(left.sendfile(&file, 1, Some(3))?, 3);
    /// assert_eq!(file.stream_position()?, 4);
    ///
    /// let mut buffer = [0; 3];
    /// right.recv_exact(&mut buffer)?;
    /// assert_eq!(&buffer, b"ELF");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn sendfile(&self, file: &File, offset: u64, count: Option<u64>) -> io::Result<u64> {
        let invalid = |why| Err(io::Error::new(ErrorKind::InvalidInput, why));
        if self.kind()? != Type::STREAM {
            return invalid("only SOCK_STREAM sockets send files");
        }
        if !self.blocking() {
            return invalid("non-blocking sockets do not send files");
        }
        if count == Some(0) {
            return invalid("the count of bytes to send must not be zero");
        }
        let mut sending = Sending {
            socket: self,
            file,
            has_position: (&*file).stream_position().is_ok(),
            offset,
            left: count.unwrap_or(u64::MAX),
            sent: 0,
            deadline: self.deadline().fixed(),
        };
        let mut answer = sending.by_the_kernel();
        if let Err(error) = &answer
            && sending.sent == 0
            && is_unsuitable(error)
        {
            answer = sending.by_reading();
        }
        if sending.has_position {
            let end = SeekFrom::Start(offset.saturating_add(sending.sent));
            answer = answer.and((&*file).seek(end).map(drop));
        }
        answer.map(|()| sending.sent)
    }
}

impl Socket {
    /// What one `sendfile(2)` sends of `file` from `offset` on: at least one byte and at most
    /// `count`, zero at the end of the file. Waits for room until `deadline`. The file's position
    /// is neither used nor moved. For who sends a file in turns, each with a deadline of its own;
    /// [`sendfile`](Socket::sendfile) sends all of it, of any kind of file.
    ///
    /// In a coroutine the descriptor is non-blocking (`O_NONBLOCK`) from then on, which saves the
    /// driver three system calls for each turn. Nothing here minds; a program that is given it
    /// afterwards, as its standard output say, might.
    ///
    /// # Errors
    /// As [`send`](Socket::send), and what reading the file says. `EINVAL` for a file that cannot
    /// be sent so, and for a socket that is not a stream.
    ///
    /// ```
    /// use socket::{Deadline, Family, Socket, Type};
    ///
    /// let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    /// let file = std::fs::File::open("/proc/self/exe")?;
    /// assert_eq!(left.sendfile_by(&file, 1, 3, Deadline::Never)?, 3);
    /// let mut buffer = [0; 3];
    /// right.recv_exact(&mut buffer)?;
    /// assert_eq!(&buffer, b"ELF");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn sendfile_by(
        &self,
        file: &File,
        offset: u64,
        count: usize,
        deadline: Deadline,
    ) -> io::Result<usize> {
        if seam::is_driven() {
            self.keep_nonblocking()?;
        }
        let count = count.min(block(deadline));
        let mut operation = Operation::SendFile { file: file.as_fd(), offset, count };
        seam::perform(self.target(), &mut operation, deadline)
    }
}

/// How much one call is asked for: less where the thread itself waits in it, with a limit.
fn block(deadline: Deadline) -> usize {
    match deadline == Deadline::Never || seam::is_driven() {
        true => BLOCK,
        false => BLOCK_LIMITED,
    }
}

/// Whether the kernel cannot send this file, though it may well be read.
fn is_unsuitable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP | libc::ESPIPE | libc::EOVERFLOW)
    )
}

struct Sending<'a> {
    socket: &'a Socket,
    file: &'a File,
    has_position: bool,
    offset: u64,
    left: u64,
    sent: u64,
    deadline: Deadline,
}

impl Sending<'_> {
    fn by_the_kernel(&mut self) -> io::Result<()> {
        let most = block(self.deadline);
        while self.left > 0 {
            let (offset, count) = (self.place(), self.at_most(most));
            let mut operation = Operation::SendFile { file: self.file.as_fd(), offset, count };
            match seam::perform(self.socket.target(), &mut operation, self.deadline)? {
                0 => break,
                count => self.advance(count),
            }
        }
        Ok(())
    }

    fn by_reading(&mut self) -> io::Result<()> {
        if !self.has_position && self.offset != 0 {
            return Err(io::Error::from_raw_os_error(libc::ESPIPE));
        }
        let mut buffer = vec![0; self.at_most(BLOCK_LIMITED)];
        while self.left > 0 {
            let room = self.at_most(buffer.len());
            let count = match self.read(&mut buffer[..room]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                answer => answer?,
            };
            if count == 0 {
                break;
            }
            let mut bytes = &buffer[..count];
            while !bytes.is_empty() {
                let mut operation = Operation::Send { bytes, flags: 0 };
                let count = seam::perform(self.socket.target(), &mut operation, self.deadline)?;
                bytes = &bytes[count..];
                self.advance(count);
            }
        }
        Ok(())
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.has_position {
            true => self.file.read_at(buffer, self.place()),
            false => { self.file }.read(buffer),
        }
    }

    fn place(&self) -> u64 {
        self.offset.saturating_add(self.sent)
    }

    fn at_most(&self, block: usize) -> usize {
        usize::try_from(self.left).unwrap_or(block).min(block)
    }

    fn advance(&mut self, count: usize) {
        self.sent += count as u64;
        self.left -= count as u64;
    }
}
