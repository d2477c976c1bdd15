//! Passing open descriptors to another process. `unix(7)`, `SCM_RIGHTS`.
//!
//! Two shorthands over [`send_msg`](Socket::send_msg) and [`recv_msg`](Socket::recv_msg), after
//! Python's functions of these names, except that flags and address count and that what arrives
//! is closed on exec.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{BorrowedFd, OwnedFd};

use super::control::{cmsg_len, cmsg_space};
use super::{Ancillary, ControlBuffer, Flags};
use crate::sockaddr::SockAddr;
use crate::socket::Socket;

/// What the kernel may write before the descriptors: credentials and a process descriptor.
const BEFORE: usize = match (cmsg_space(12), cmsg_space(4)) {
    (Some(credentials), Some(pidfd)) => credentials + pidfd,
    _ => unreachable!(),
};

impl Socket {
    /// Sends `bytes` and with them the descriptors `fds`, at most 253, to `to` or to the connected
    /// peer. Answers how many bytes were sent; the descriptors go with the first of them.
    ///
    /// On a stream there must be at least one byte, or nothing is sent.
    ///
    /// # Errors
    /// As [`send_msg`](Socket::send_msg). `EINVAL` for too many descriptors or a family without
    /// them; `ETOOMANYREFS` when too many are on their way.
    ///
    /// ```
    /// use socket::{Family, Flags, Socket, Type};
    /// use std::io::{IoSlice, Read, Seek, Write};
    /// use std::os::fd::AsFd;
    ///
    /// let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    /// let (near, far) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    /// left.send_fds(&[IoSlice::new(b"take it")], &[far.as_fd()], Flags::NONE, None)?;
    /// drop(far);
    ///
    /// let mut buffer = [0; 16];
    /// let (count, mut fds, _, _) = right.recv_fds(&mut buffer, 1, Flags::NONE)?;
    /// assert_eq!(&buffer[..count], b"take it");
    /// let far = Socket::from(fds.remove(0));
    /// far.send_all(b"it is here")?;
    /// assert_eq!(near.recv(&mut buffer)?, 10);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn send_fds(
        &self,
        buffers: &[IoSlice<'_>],
        fds: &[BorrowedFd<'_>],
        flags: Flags,
        to: Option<&SockAddr>,
    ) -> io::Result<usize> {
        self.send_msg(buffers, &[Ancillary::Rights(fds)], flags, to)
    }

    /// Receives into `buffer`, with at most `max_fds` descriptors. Answers how many bytes came, the
    /// descriptors, the message's flags, and the sender where it has an address.
    ///
    /// Descriptors beyond `max_fds` are closed, and [`CTRUNC`](Flags::CTRUNC) tells of it.
    ///
    /// # Errors
    /// As [`recv_msg`](Socket::recv_msg).
    pub fn recv_fds(
        &self,
        buffer: &mut [u8],
        max_fds: usize,
        flags: Flags,
    ) -> io::Result<(usize, Vec<OwnedFd>, Flags, Option<SockAddr>)> {
        let wanted = max_fds.saturating_mul(size_of::<i32>());
        let wanted = cmsg_len(wanted).unwrap_or(ControlBuffer::LARGEST);
        let mut control = ControlBuffer::with_capacity(BEFORE + wanted);
        let received = self.recv_msg(&mut [IoSliceMut::new(buffer)], &mut control, flags)?;
        let (mut fds, mut flags) = (control.take_fds(), received.flags);
        if fds.len() > max_fds {
            fds.truncate(max_fds);
            flags |= Flags::CTRUNC;
        }
        Ok((received.count, fds, flags, received.address))
    }
}
