//! `recvmmsg(2)` and `sendmmsg(2)`: several messages in one call.
//!
//! The array of `mmsghdr` that the kernel wants is full of pointers into other arrays. It is
//! written anew for every attempt, so that none of them is ever older than the call it is for.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::control::ControlBuffer;
use super::message::{SendMsg, clamp, empty_header};
use super::sockaddr::RawSockAddr;
use super::{check, check_size};

/// Room for several messages, received by one call, to be used again and again.
///
/// It owns everything the kernel writes: the bytes, the senders' addresses, the ancillary data.
/// Reading it is [`messages`](RecvBatch::messages).
pub struct RecvBatch {
    /// The bytes of all messages, `size` for each.
    bytes: Vec<u8>,
    size: usize,
    pub(crate) controls: Vec<ControlBuffer>,
    pub(crate) names: Vec<RawSockAddr>,
    headers: Headers,
    /// How many messages the last call received.
    received: usize,
}

/// The arrays of pointers for the kernel, and what it writes beside them.
struct Headers {
    messages: Vec<libc::mmsghdr>,
    buffers: Vec<libc::iovec>,
}

// SAFETY: the pointers are followed only inside `RecvBatch::attempt`, which writes them first.
unsafe impl Send for Headers {}
// SAFETY: as above; through a shared reference only lengths and flags are read.
unsafe impl Sync for Headers {}

impl RecvBatch {
    /// Room for `messages` of `size` bytes, each with `control` bytes of ancillary data.
    ///
    /// A batch of 32 to 64 messages has all the gain there is. At least one message has room.
    ///
    /// # Panics
    /// When the room is more than memory can ever hold, like [`Vec::with_capacity`].
    #[must_use]
    pub fn new(messages: usize, size: usize, control: usize) -> RecvBatch {
        let messages = messages.max(1);
        let length = messages.checked_mul(size).expect("a batch fits into memory");
        let empty = libc::mmsghdr { msg_hdr: empty_header(), msg_len: 0 };
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        RecvBatch {
            bytes: vec![0; length],
            size,
            controls: (0..messages).map(|_| ControlBuffer::with_capacity(control)).collect(),
            names: vec![RawSockAddr::room(); messages],
            headers: Headers { messages: vec![empty; messages], buffers: vec![nothing; messages] },
            received: 0,
        }
    }

    /// How many messages have room.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.controls.len()
    }

    /// How many messages the last call received; zero when it failed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.received
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// The length and the flags that the kernel told of a message.
    pub(crate) fn told(&self, index: usize) -> (usize, i32) {
        let header = &self.headers.messages[index];
        (header.msg_len as usize, header.msg_hdr.msg_flags & !libc::MSG_CMSG_CLOEXEC)
    }

    /// The room for the bytes of a message.
    pub(crate) fn room(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.size..][..self.size]
    }

    /// Makes the call and answers the number of messages received.
    pub(crate) fn attempt(&mut self, fd: BorrowedFd<'_>, flags: i32) -> io::Result<usize> {
        self.received = 0;
        self.write_headers();
        let flags = flags | libc::MSG_CMSG_CLOEXEC | libc::MSG_WAITFORONE;
        let (pointer, count) = (self.headers.messages.as_mut_ptr(), self.capacity());
        // SAFETY: `write_headers` has made each header point at memory of this batch that is
        // written by nobody else, with its length; no timeout is passed.
        let received = check(unsafe {
            libc::recvmmsg(fd.as_raw_fd(), pointer, clamp(count), flags as _, std::ptr::null_mut())
        })?;
        self.received = (received as usize).min(count);
        for index in 0..self.received {
            let header = &self.headers.messages[index].msg_hdr;
            self.names[index].length = header.msg_namelen;
            // SAFETY: the kernel has just written that much control data for this message.
            unsafe { self.controls[index].filled(header.msg_controllen as _) };
        }
        Ok(self.received)
    }

    /// Points every header at its room.
    fn write_headers(&mut self) {
        for index in 0..self.controls.len() {
            let bytes = &mut self.bytes[index * self.size..][..self.size];
            let buffer = &mut self.headers.buffers[index];
            *buffer = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
            let name = &mut self.names[index];
            *name = RawSockAddr::room();
            let control = self.controls[index].room();
            let mut header = empty_header();
            header.msg_name = name.bytes.as_mut_ptr().cast();
            header.msg_namelen = name.length;
            header.msg_iov = buffer;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = clamp(control.len());
            self.headers.messages[index] = libc::mmsghdr { msg_hdr: header, msg_len: 0 };
        }
    }
}

/// A `sendmmsg(2)` to be made.
pub struct SendMmsg<'a> {
    pub(crate) messages: &'a [SendMsg<'a>],
    pub(crate) flags: i32,
}

impl SendMmsg<'_> {
    /// Makes the call, with `flags` added to its own, and answers the number of messages sent.
    pub(crate) fn attempt(&self, fd: BorrowedFd<'_>, flags: i32) -> io::Result<usize> {
        let header =
            |message: &SendMsg<'_>| libc::mmsghdr { msg_hdr: message.header(), msg_len: 0 };
        let mut headers: Vec<_> = self.messages.iter().map(header).collect();
        let (pointer, count) = (headers.as_mut_ptr(), clamp(headers.len()));
        let flags = self.flags | flags;
        // SAFETY: each header points at parts that its message borrows, of the length said beside
        // them; the kernel writes only the lengths in the array, which is ours.
        let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), pointer, count, flags as _) };
        check_size(sent as libc::ssize_t)
    }
}

impl fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.messages()).finish()
    }
}

impl fmt::Debug for SendMmsg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.messages).finish()
    }
}
