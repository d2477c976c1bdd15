//! Waiting for readiness: of one descriptor, or of several at once. `poll(2)`.
//!
//! This is the thread's own wait, never a coroutine's: an accept loop or a program with two inputs
//! uses it. It does not go through the seam and always blocks the thread.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::sys::call::{self, PollFd};

/// What a descriptor is asked for, and what it has: to be read from, to be written to, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// A read would not block: data, an end of file, a connection to accept, or an error.
    pub read: bool,
    /// A write would not block: room, a finished connect, or an error.
    pub write: bool,
}

impl Interest {
    /// Neither: only errors and hang-ups are reported.
    pub const NONE: Interest = Interest { read: false, write: false };
    /// Reading only.
    pub const READ: Interest = Interest { read: true, write: false };
    /// Writing only.
    pub const WRITE: Interest = Interest { read: false, write: true };
    /// Reading and writing.
    pub const BOTH: Interest = Interest { read: true, write: true };

    /// Whether the descriptor has any of it now.
    pub(crate) fn is_ready(self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.wait(fd, Some(Duration::ZERO))
    }

    /// Waits for any of it; false when the time is over. `None` is without a limit.
    pub(crate) fn wait(self, fd: BorrowedFd<'_>, wait: Option<Duration>) -> io::Result<bool> {
        let end = wait.and_then(|wait| Instant::now().checked_add(wait));
        let mut left = wait;
        loop {
            match call::poll(&mut [self.asked(fd)], left) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    left = end.map(|end| end.saturating_duration_since(Instant::now()));
                }
                answer => return Ok(answer? > 0),
            }
        }
    }

    fn asked(self, fd: BorrowedFd<'_>) -> PollFd {
        let read = if self.read { libc::POLLIN } else { 0 };
        let write = if self.write { libc::POLLOUT } else { 0 };
        PollFd { fd: fd.as_raw_fd(), events: read | write, revents: 0 }
    }
}

/// One descriptor in a [`poll()`].
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    /// The descriptor.
    pub fd: BorrowedFd<'a>,
    /// What it is asked for.
    pub interest: Interest,
    /// What it has, after the call. An error or a hang-up makes both true, since neither a read
    /// nor a write would block.
    pub ready: Interest,
}

impl<'a> Poll<'a> {
    /// Asks `fd` for `interest`.
    #[must_use]
    pub fn new(fd: BorrowedFd<'a>, interest: Interest) -> Poll<'a> {
        Poll { fd, interest, ready: Interest::NONE }
    }
}

/// Waits until one of the descriptors is ready, and answers how many are; zero when the deadline
/// passed first.
///
/// [`Deadline::Immediate`] only looks. An interrupted wait goes on with the time that is left.
///
/// # Errors
/// `EINVAL` for more descriptors than the process may have open; `ENOMEM`. See `poll(2)`.
///
/// ```
/// use socket::{Deadline, Family, Interest, Poll, Socket, Type, poll};
/// use std::os::fd::AsFd;
///
/// let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
/// left.send_all(b"x")?;
/// let readable = |socket| Poll::new(socket, Interest::READ);
/// let mut both = [readable(left.as_fd()), readable(right.as_fd())];
/// assert_eq!(poll(&mut both, Deadline::Never)?, 1);
/// assert!(both[1].ready.read && !both[0].ready.read);
/// # std::io::Result::Ok(())
/// ```
pub fn poll(polls: &mut [Poll<'_>], deadline: Deadline) -> io::Result<usize> {
    let deadline = deadline.fixed();
    let mut asked: Vec<PollFd> = polls.iter().map(|poll| poll.interest.asked(poll.fd)).collect();
    let count = loop {
        match call::poll(&mut asked, deadline.remaining()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => break answer?,
        }
    };
    for (poll, answer) in polls.iter_mut().zip(&asked) {
        let failed = answer.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
        poll.ready = Interest {
            read: failed || answer.revents & libc::POLLIN != 0,
            write: failed || answer.revents & libc::POLLOUT != 0,
        };
    }
    Ok(count)
}
