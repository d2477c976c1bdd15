//! `recvmsg(2)` and `sendmsg(2)`: one message with everything that belongs to it.
//!
//! Each of the two structures holds borrowed parts and makes its `msghdr` anew for every attempt,
//! on the stack, so that no pointer outlives a call. Of what a call leaves behind, the descriptors
//! are owned (`control.rs`) before anything else happens.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check_size;
use super::control::ControlBuffer;
use super::sockaddr::RawSockAddr;

/// A `recvmsg(2)` to be made: where everything goes.
pub struct RecvMsg<'a> {
    buffers: *mut libc::iovec,
    count: usize,
    control: &'a mut ControlBuffer,
    from: &'a mut RawSockAddr,
    answer: &'a mut i32,
    flags: i32,
    /// `buffers` borrows memory to write into.
    lifetime: PhantomData<&'a mut [u8]>,
}

/// A `sendmsg(2)` to be made: where everything comes from.
pub struct SendMsg<'a> {
    pub(crate) buffers: &'a [IoSlice<'a>],
    /// Encoded ancillary data.
    pub(crate) control: &'a [u8],
    pub(crate) to: Option<&'a RawSockAddr>,
    pub(crate) flags: i32,
}

impl<'a> RecvMsg<'a> {
    /// Bytes to `buffers`, ancillary data to `control`, the sender to `from`, and to `answer` the
    /// flags of the message.
    pub(crate) fn new(
        buffers: &'a mut [IoSliceMut<'_>],
        control: &'a mut ControlBuffer,
        from: &'a mut RawSockAddr,
        answer: &'a mut i32,
        flags: i32,
    ) -> RecvMsg<'a> {
        let (pointer, count) = (buffers.as_mut_ptr().cast(), buffers.len());
        RecvMsg { buffers: pointer, count, control, from, answer, flags, lifetime: PhantomData }
    }

    /// Makes the call, with `flags` added to its own.
    pub(crate) fn attempt(&mut self, fd: BorrowedFd<'_>, flags: i32) -> io::Result<usize> {
        *self.from = RawSockAddr::room();
        let room = self.control.room();
        let mut header = empty_header();
        header.msg_name = self.from.bytes.as_mut_ptr().cast();
        header.msg_namelen = self.from.length;
        header.msg_iov = self.buffers;
        header.msg_iovlen = clamp(self.count);
        header.msg_control = room.as_mut_ptr().cast();
        header.msg_controllen = clamp(room.len());
        let flags = self.flags | flags | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: name, buffers and control are each borrowed for `'a`, ours to write, and as long
        // as is said beside them; a slice of `IoSliceMut` is laid out as one of `iovec`.
        let count = check_size(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags) })?;
        // SAFETY: the kernel has just written that much control data for this message.
        unsafe { self.control.filled(header.msg_controllen as _) };
        self.from.length = header.msg_namelen;
        *self.answer = header.msg_flags & !libc::MSG_CMSG_CLOEXEC;
        Ok(count)
    }
}

impl SendMsg<'_> {
    /// Makes the call, with `flags` added to its own.
    pub(crate) fn attempt(&self, fd: BorrowedFd<'_>, flags: i32) -> io::Result<usize> {
        let header = self.header();
        // SAFETY: the kernel reads name, buffers and control, each borrowed and as long as is
        // said beside it.
        check_size(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, self.flags | flags) })
    }

    /// The message as the kernel wants it, for as long as its parts are borrowed.
    pub(super) fn header(&self) -> libc::msghdr {
        let mut header = empty_header();
        if let Some(to) = self.to {
            header.msg_name = to.bytes.as_ptr().cast_mut().cast();
            header.msg_namelen = to.length;
        }
        // A slice of `IoSlice` is laid out as one of `iovec`; the kernel only reads.
        header.msg_iov = self.buffers.as_ptr().cast_mut().cast();
        header.msg_iovlen = clamp(self.buffers.len());
        if !self.control.is_empty() {
            header.msg_control = self.control.as_ptr().cast_mut().cast();
            header.msg_controllen = clamp(self.control.len());
        }
        header
    }
}

/// A message with nothing in it.
pub(super) fn empty_header() -> libc::msghdr {
    // SAFETY: a structure of integers and pointers, for which zero is a value. Some C libraries
    // have private padding in it, so it cannot be written out field by field.
    unsafe { mem::zeroed() }
}

/// A length in whichever integer this C library has for it. One that does not fit is far more
/// than the kernel takes, and becomes the largest, which it refuses.
pub(super) fn clamp<T: TryFrom<usize> + TryFrom<i32>>(length: usize) -> T {
    T::try_from(length)
        .or_else(|_| T::try_from(i32::MAX))
        .unwrap_or_else(|_| unreachable!("every length type holds an i32"))
}

impl fmt::Debug for RecvMsg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMsg").field("buffers", &self.count).finish_non_exhaustive()
    }
}

impl fmt::Debug for SendMsg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMsg").field("buffers", &self.buffers.len()).finish_non_exhaustive()
    }
}

/// The calling process as the kernel sees it: process, real user, real group.
pub(crate) fn own_credentials() -> (i32, u32, u32) {
    // SAFETY: takes nothing and cannot fail.
    let pid = unsafe { libc::getpid() };
    // SAFETY: as above.
    let uid = unsafe { libc::getuid() };
    // SAFETY: as above.
    let gid = unsafe { libc::getgid() };
    (pid, uid, gid)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::super::batch::SendMmsg;
    use super::*;
    use crate::seam::{Operation, Waiting};
    use crate::{Family, Socket, Type};

    /// Whether SIGPIPE waits for this thread, which keeps it from being taken from now on.
    fn sigpipe_is_pending() -> bool {
        // SAFETY: a set of bits, for which zero is a value.
        let mut set: libc::sigset_t = unsafe { mem::zeroed() };
        // SAFETY: `set` is ours.
        unsafe { libc::sigaddset(&raw mut set, libc::SIGPIPE) };
        // SAFETY: reads `set`; the old mask is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        // SAFETY: writes `set`, which is ours.
        unsafe { libc::sigpending(&raw mut set) };
        // SAFETY: reads `set`.
        unsafe { libc::sigismember(&raw const set, libc::SIGPIPE) == 1 }
    }

    #[test]
    fn no_way_of_sending_raises_sigpipe() {
        assert!(!sigpipe_is_pending());
        let bytes = b"x";
        let buffers = [IoSlice::new(bytes)];
        let message = || SendMsg { buffers: &buffers, control: &[], to: None, flags: 0 };
        let messages = [message()];
        let operations = [
            Operation::Send { bytes, flags: 0 },
            Operation::SendMsg(message()),
            Operation::SendMmsg(SendMmsg { messages: &messages, flags: 0 }),
        ];
        for mut operation in operations {
            let (left, right) =
                Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap();
            drop(right);
            let error = operation.attempt(left.as_fd(), Waiting::Allowed).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            assert!(!sigpipe_is_pending(), "after {operation:?}");
        }
    }
}
