//! The operations of the seam: every call that may block, with all it needs for one attempt.
//!
//! An operation knows how to make its system call once and what to wait for when that would block.
//! It does not know deadlines, retries or who waits: those are the driver's (`seam.rs`).

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::poll::Interest;
use crate::sys::batch::{RecvBatch, SendMmsg};
use crate::sys::message::{RecvMsg, SendMsg};
use crate::sys::sockaddr::RawSockAddr;
use crate::sys::{call, transfer};

/// A call that may block, with all it needs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// `recv(2)`.
    Recv {
        /// Where the bytes go. An empty one receives nothing from a stream.
        buffer: &'a mut [u8],
        /// `MSG_*`, zero for none.
        flags: i32,
    },
    /// `send(2)`. `MSG_NOSIGNAL` is always added.
    Send {
        /// What to send; the answer may be less than its length.
        bytes: &'a [u8],
        /// `MSG_*`, zero for none.
        flags: i32,
    },
    /// `recvfrom(2)`.
    RecvFrom {
        /// Where the bytes go; what does not fit of a datagram is lost.
        buffer: &'a mut [u8],
        /// `MSG_*`, zero for none.
        flags: i32,
        /// Where the sender's address goes.
        from: &'a mut Peer,
    },
    /// `sendto(2)`. `MSG_NOSIGNAL` is always added.
    SendTo {
        /// What to send.
        bytes: &'a [u8],
        /// `MSG_*`, zero for none.
        flags: i32,
        /// Where to.
        to: &'a Peer,
    },
    /// `accept4(2)`; the new descriptor is closed on exec.
    Accept {
        /// Where the peer's address goes.
        peer: &'a mut Peer,
        /// Where the new descriptor goes.
        accepted: &'a mut Option<OwnedFd>,
    },
    /// `connect(2)`, through to the end of the handshake.
    Connect {
        /// Where to.
        to: &'a Peer,
        /// Whether the kernel has begun: from then on the attempt asks how it went.
        begun: bool,
    },
    /// `recvmsg(2)`: bytes, sender, flags, ancillary data.
    RecvMsg(RecvMsg<'a>),
    /// `sendmsg(2)`. `MSG_NOSIGNAL` is always added.
    SendMsg(SendMsg<'a>),
    /// `recvmmsg(2)`, which waits for the first message only. The answer counts messages.
    RecvMmsg {
        /// Where the messages go.
        batch: &'a mut RecvBatch,
        /// `MSG_*`, zero for none.
        flags: i32,
    },
    /// `sendmmsg(2)`. `MSG_NOSIGNAL` is always added. The answer counts messages.
    SendMmsg(SendMmsg<'a>),
    /// `sendfile(2)`: from a file into the socket, without passing through the process.
    SendFile {
        /// Where the bytes come from; its own position is neither used nor moved.
        file: BorrowedFd<'a>,
        /// Where in the file they begin, in bytes.
        offset: u64,
        /// How many at most; the answer may be less. Zero is the end of the file.
        count: usize,
    },
    /// `splice(2)`: from the socket into a pipe, which must be empty.
    SpliceIn {
        /// The pipe's writing end.
        pipe: BorrowedFd<'a>,
        /// How many bytes at most; the answer may be less. Zero is the end of the stream.
        count: usize,
    },
    /// `splice(2)`: from a pipe into the socket.
    SpliceOut {
        /// The pipe's reading end, in which there must be `count` bytes.
        pipe: BorrowedFd<'a>,
        /// How many bytes at most; the answer may be less.
        count: usize,
    },
    /// No call at all: only wait until the descriptor is ready.
    Ready(Interest),
}

/// A peer's address in the kernel's own form.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub(crate) RawSockAddr);

impl Peer {
    /// Makes room for an address, for a driver that has the kernel write it: where the bytes go,
    /// as a `struct sockaddr`, and where their number is, which is that of the room before. Both
    /// belong to the peer and are valid for as long as it is borrowed.
    pub fn room(&mut self) -> (*mut u8, *mut u32) {
        self.0 = RawSockAddr::room();
        self.0.parts()
    }
}

/// Whether one attempt of an operation may wait in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// As the descriptor's mode says: a blocking one sleeps in the system call.
    Allowed,
    /// Answer at once, with `WouldBlock` if there is nothing to be had, whatever the mode. For
    /// [`Operation::Connect`], [`Operation::SendFile`] and [`Operation::SpliceOut`], which have no
    /// flag that says so, the descriptor itself must be non-blocking.
    Refused,
}

impl Operation<'_> {
    /// Makes the system call once.
    ///
    /// # Errors
    /// The call's own error. Where [`is_pending`] says so: wait for [`interest`](Self::interest),
    /// then attempt again. `Interrupted` means: attempt again.
    #[inline]
    pub fn attempt(&mut self, fd: BorrowedFd<'_>, waiting: Waiting) -> io::Result<usize> {
        #[cfg(feature = "fault-points")]
        crate::fault::consult(crate::fault::Call::of(self))?;
        let wait = if waiting == Waiting::Refused { libc::MSG_DONTWAIT } else { 0 };
        match self {
            Operation::Recv { buffer, flags } => call::recv(fd, buffer, *flags | wait),
            Operation::Send { bytes, flags } => {
                call::send(fd, bytes, *flags | wait | libc::MSG_NOSIGNAL)
            }
            _ => self.attempt_rarer(fd, waiting, wait),
        }
    }

    /// Asked by a driver before it hands the operation to the kernel instead of attempting it. It
    /// fails in tests only, which put their faults here and into [`attempt`](Self::attempt).
    ///
    /// # Errors
    /// Those of a test. The operation is then not to be handed over.
    #[inline]
    pub fn hand_over(&self) -> io::Result<()> {
        #[cfg(feature = "fault-points")]
        crate::fault::consult(crate::fault::Call::of(self))?;
        Ok(())
    }

    /// The others, out of the way of the two that every message takes.
    #[inline(never)]
    fn attempt_rarer(
        &mut self,
        fd: BorrowedFd<'_>,
        waiting: Waiting,
        wait: i32,
    ) -> io::Result<usize> {
        match self {
            Operation::Recv { .. } | Operation::Send { .. } => self.attempt(fd, waiting),
            Operation::RecvFrom { buffer, flags, from } => {
                call::recvfrom(fd, buffer, *flags | wait, &mut from.0)
            }
            Operation::SendTo { bytes, flags, to } => {
                call::sendto(fd, bytes, *flags | wait | libc::MSG_NOSIGNAL, &to.0)
            }
            Operation::Accept { peer, accepted } => {
                look_first(fd, Interest::READ, waiting)?;
                **accepted = Some(call::accept(fd, &mut peer.0)?);
                Ok(0)
            }
            Operation::Connect { to, begun } => connect(fd, to, begun),
            Operation::RecvMsg(message) => message.attempt(fd, wait),
            Operation::SendMsg(message) => message.attempt(fd, wait | libc::MSG_NOSIGNAL),
            Operation::RecvMmsg { batch, flags } => batch.attempt(fd, *flags | wait),
            Operation::SendMmsg(batch) => batch.attempt(fd, wait | libc::MSG_NOSIGNAL),
            Operation::SendFile { file, offset, count } => {
                transfer::sendfile(fd, *file, *offset, *count)
            }
            Operation::SpliceIn { pipe, count } => {
                look_first(fd, Interest::READ, waiting)?;
                transfer::splice(fd, *pipe, *count)
            }
            Operation::SpliceOut { pipe, count } => transfer::splice(*pipe, fd, *count),
            Operation::Ready(interest) => look_first(fd, *interest, Waiting::Refused).map(|()| 0),
        }
    }

    /// What to wait for when an attempt would block.
    #[inline]
    #[must_use]
    pub fn interest(&self) -> Interest {
        match self {
            Operation::Recv { .. }
            | Operation::RecvFrom { .. }
            | Operation::RecvMsg(_)
            | Operation::RecvMmsg { .. }
            | Operation::Accept { .. }
            | Operation::SpliceIn { .. } => Interest::READ,
            Operation::Send { .. }
            | Operation::SendTo { .. }
            | Operation::SendMsg(_)
            | Operation::SendMmsg(_)
            | Operation::Connect { .. }
            | Operation::SendFile { .. }
            | Operation::SpliceOut { .. } => Interest::WRITE,
            Operation::Ready(interest) => *interest,
        }
    }
}

/// For calls without a flag that forbids them to wait: asks whether they would have to.
fn look_first(fd: BorrowedFd<'_>, interest: Interest, waiting: Waiting) -> io::Result<()> {
    match waiting == Waiting::Allowed || interest.is_ready(fd)? {
        true => Ok(()),
        false => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Begins a connect, or asks how one that has begun is going. An interrupted one goes on in the
/// kernel if there is a handshake, and is never begun twice; a Unix socket that waited for room in
/// the listener's queue has not begun, whatever a poll then says of it, and has to try again.
fn connect(fd: BorrowedFd<'_>, to: &Peer, begun: &mut bool) -> io::Result<usize> {
    if *begun {
        if !Interest::WRITE.is_ready(fd)? {
            return Err(io::Error::from_raw_os_error(libc::EINPROGRESS));
        }
        return match crate::options::take_error(fd)? {
            Some(error) => Err(error),
            None => Ok(0),
        };
    }
    let error = match call::connect(fd, &to.0) {
        Ok(()) => return Ok(0),
        Err(error) => error,
    };
    let goes_on = match error.raw_os_error() {
        Some(libc::EINPROGRESS) => true,
        Some(libc::EINTR) => to.0.decode().as_inet().is_some(),
        _ => false,
    };
    if !goes_on {
        return Err(error);
    }
    *begun = true;
    Err(io::Error::from_raw_os_error(libc::EINPROGRESS))
}

/// Whether an attempt failed only because it may not wait: `EAGAIN`, or a connect under way.
#[must_use]
pub fn is_pending(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS))
        || error.kind() == io::ErrorKind::WouldBlock
}
