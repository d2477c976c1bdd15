//! The room for received ancillary data, which owns the descriptors in it.
//!
//! Descriptors arrive as numbers between other bytes. From the moment the kernel has written them
//! they are open in this process, so they are owned before anything else is done: the walk over
//! the buffer that takes them cannot fail, and works the same on a buffer that was cut short. What
//! nobody takes is closed with the buffer, or when it is used again.

use std::fmt;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::slice;

use crate::message::control::{Message, Walk};

/// Room for the ancillary data of one received message, to be used again and again.
///
/// Each receive forgets what was there before, and closes descriptors that were not taken. How
/// much room a message needs is the sum of [`cmsg_space`](crate::cmsg_space) over what is expected;
/// [`DEFAULT`](ControlBuffer::DEFAULT) has room for everything this crate has a name for, and some
/// descriptors. What does not fit is lost, and the received flags have
/// [`CTRUNC`](crate::Flags::CTRUNC). [`ControlBuffer::default()`] has no room and costs nothing.
#[derive(Default)]
pub struct ControlBuffer {
    /// The room, preceded by what it takes to align it.
    bytes: Vec<u8>,
    /// Where the room begins in `bytes`.
    start: usize,
    /// How much of the room the kernel has filled.
    used: usize,
    /// The descriptors of `SCM_RIGHTS`, in the order of the bytes, until they are taken.
    fds: Vec<OwnedFd>,
    /// The descriptor of `SCM_PIDFD`, until it is taken.
    pidfd: Option<OwnedFd>,
}

impl ControlBuffer {
    /// Bytes that do for every kind of ancillary data at once, with 64 descriptors.
    pub const DEFAULT: usize = 1024;
    /// The most that a buffer is made with, in bytes. The kernel has never so much to say.
    pub const LARGEST: usize = 1 << 20;

    /// A buffer of `bytes`, at most [`LARGEST`](ControlBuffer::LARGEST).
    #[must_use]
    pub fn with_capacity(bytes: usize) -> ControlBuffer {
        const WORD: usize = align_of::<libc::cmsghdr>();
        let size = bytes.min(ControlBuffer::LARGEST);
        if size == 0 {
            return ControlBuffer::default();
        }
        let mut bytes = vec![0; size + WORD - 1];
        let start = bytes.as_ptr().align_offset(WORD).min(WORD - 1);
        bytes.truncate(start + size);
        ControlBuffer { bytes, start, ..ControlBuffer::default() }
    }

    /// The room in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Takes the received descriptors out, in the order in which they were sent. Those that nobody
    /// takes are closed.
    #[must_use]
    pub fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }

    /// Takes the received process descriptor (`SCM_PIDFD`) out.
    #[must_use]
    pub fn take_pidfd(&mut self) -> Option<OwnedFd> {
        self.pidfd.take()
    }

    /// Forgets what was received, and closes the descriptors that were not taken.
    pub fn clear(&mut self) {
        self.used = 0;
        self.fds.clear();
        self.pidfd = None;
    }

    /// What the kernel wrote.
    pub(crate) fn received(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.used]
    }

    /// The descriptors that have not been taken.
    pub(crate) fn fds(&self) -> &[BorrowedFd<'_>] {
        let (pointer, count) = (self.fds.as_ptr().cast(), self.fds.len());
        // SAFETY: both types are documented to be laid out as the descriptor's number, and the
        // owners behind the slice stay where they are for as long as it borrows `self`.
        unsafe { slice::from_raw_parts(pointer, count) }
    }

    /// The process descriptor, if it has not been taken.
    pub(crate) fn pidfd(&self) -> Option<&OwnedFd> {
        self.pidfd.as_ref()
    }

    /// All of the room, emptied, for the kernel to write into.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.clear();
        &mut self.bytes[self.start..]
    }

    /// Takes note of what the kernel has written, and possession of the descriptors in it.
    ///
    /// # Safety
    /// The first `used` bytes of [`room`](ControlBuffer::room) are the control data that the kernel
    /// has written there for one received message, and nobody has been told of them yet.
    pub(super) unsafe fn filled(&mut self, used: usize) {
        self.used = used.min(self.capacity());
        let received = &self.bytes[self.start..self.start + self.used];
        for message in Walk::new(received) {
            for number in descriptors(message) {
                // SAFETY: the kernel opened this descriptor for us with the message, as the
                // caller promises, and nobody else knows its number. It is not negative.
                let fd = unsafe { OwnedFd::from_raw_fd(number) };
                match message.kind {
                    libc::SCM_RIGHTS => self.fds.push(fd),
                    _ => self.pidfd = Some(fd),
                }
            }
        }
    }
}

pub(crate) use crate::constants::SCM_PIDFD;

/// The numbers of the descriptors that a message carries. A number cut short is none, and so is a
/// negative one, with which the kernel says that it could not open the descriptor.
pub(crate) fn descriptors(message: Message<'_>) -> impl Iterator<Item = i32> {
    let carries = match (message.level, message.kind) {
        (libc::SOL_SOCKET, libc::SCM_RIGHTS) => message.data,
        (libc::SOL_SOCKET, SCM_PIDFD) => message.data.get(..size_of::<i32>()).unwrap_or_default(),
        _ => &[],
    };
    let (numbers, _cut) = carries.as_chunks();
    numbers.iter().map(|number| i32::from_ne_bytes(*number)).filter(|number| *number >= 0)
}

/// Prints what was received, not the room.
impl fmt::Debug for ControlBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.messages()).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::{cmsg_len, cmsg_space};

    /// Promises of CPython's `CmsgMacroTests`.
    #[test]
    fn lengths_are_those_of_c() {
        for length in (0..300).chain([1 << 20, i32::MAX - 64]) {
            // SAFETY: plain arithmetic.
            let len = unsafe { libc::CMSG_LEN(length as u32) };
            assert_eq!(cmsg_len(length as usize), Some(len as usize));
            // SAFETY: plain arithmetic.
            let space = unsafe { libc::CMSG_SPACE(length as u32) };
            assert_eq!(cmsg_space(length as usize), Some(space as usize));
        }
    }
}
