//! Messages: bytes with everything that can go with them.
//!
//! `recv` and `send` move bytes. The calls here move *messages*: bytes gathered from several
//! buffers or scattered over them, the peer's address, flags, and ancillary data, which is open
//! descriptors, credentials, the way a packet came, the time it did, errors of earlier packets.
//!
//! | file | what is in it |
//! |---|---|
//! | here | one message: [`Socket::send_msg`], [`Socket::recv_msg`]; datagrams; calls with flags |
//! | `flags.rs` | [`Flags`]: `MSG_*` |
//! | `ancillary.rs` | [`Ancillary`]: each kind with its meaning |
//! | `control.rs` | how kinds lie in memory, `CMSG_LEN`, `CMSG_SPACE` |
//! | `error.rs` | [`ExtendedError`]: what the queue of errors tells |
//! | `descriptors.rs` | [`Socket::send_fds`], [`Socket::recv_fds`] |
//! | `batch.rs` | several messages in one call |
//! | `segment.rs` | many UDP datagrams in one buffer |
//!
//! What is deliberately not here: the options that ask for ancillary data (`options/`), and sending
//! without copying (`MSG_ZEROCOPY`), which no borrowed buffer can be safe for.

pub(crate) mod ancillary;
mod batch;
pub(crate) mod control;
mod descriptors;
mod error;
mod flags;
mod segment;

use std::io::{self, IoSlice, IoSliceMut};

use crate::deadline::Deadline;
use crate::kinds::Type;
use crate::seam::{self, Operation, Peer};
use crate::sockaddr::SockAddr;
use crate::socket::Socket;
use crate::sys::message::{RecvMsg, SendMsg};
use crate::sys::sockaddr::RawSockAddr;

pub use crate::sys::batch::RecvBatch;
pub use crate::sys::control::ControlBuffer;
pub use ancillary::{Ancillary, Credentials, Messages, PacketInfo, PacketInfo6, Timestamping};
pub use batch::{Incoming, Outgoing};
pub use control::{cmsg_len, cmsg_space};
pub use error::{ErrorOrigin, ExtendedError};
pub use flags::Flags;
pub use segment::Segments;

/// What is known of a message that was received, besides its bytes and its ancillary data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Received {
    /// How many bytes came. More than the buffers hold only if [`Flags::TRUNC`] was asked for.
    pub count: usize,
    /// What the kernel says of the message: [`TRUNC`](Flags::TRUNC) for a datagram that was cut,
    /// [`CTRUNC`](Flags::CTRUNC) for ancillary data that was, [`EOR`](Flags::EOR),
    /// [`OOB`](Flags::OOB), [`ERRQUEUE`](Flags::ERRQUEUE).
    pub flags: Flags,
    /// The sender; `None` on a connection, and for a sender that has no address. From the queue
    /// of errors: the destination of the packet that failed.
    pub address: Option<SockAddr>,
}

/// Ancillary data up to this many bytes is encoded on the stack: any three kinds without
/// descriptors, or 26 descriptors.
const INLINE: usize = 120;

impl Socket {
    /// Receives one message: its bytes into `buffers`, one after the other, and its ancillary data
    /// into `control`. `recvmsg(2)`.
    ///
    /// Received descriptors are closed on exec and owned by `control`. The examples are at
    /// [`ControlBuffer::messages`] and [`send_fds`](Socket::send_fds).
    ///
    /// # Errors
    /// As [`recv_from`](Socket::recv_from); `EMSGSIZE` for more than `IOV_MAX` (1024) buffers;
    /// `WouldBlock` in every mode from an empty queue of errors ([`Flags::ERRQUEUE`]), and for an
    /// urgent byte that is still on its way ([`Flags::OOB`]).
    #[doc(alias = "recvmsg")]
    #[doc(alias = "recvmsg_into")]
    pub fn recv_msg(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        control: &mut ControlBuffer,
        flags: Flags,
    ) -> io::Result<Received> {
        let (mut from, mut answer) = (RawSockAddr::room(), 0);
        let message = RecvMsg::new(buffers, control, &mut from, &mut answer, flags.0);
        let deadline = self.receive_deadline(flags);
        let count = seam::perform(self.target(), &mut Operation::RecvMsg(message), deadline)?;
        Ok(Received { count, flags: Flags(answer), address: sender(&from) })
    }

    /// Sends one message: its bytes from `buffers`, one after the other, with the ancillary data,
    /// to `to`, or to the connected peer. Answers how many bytes were sent: at least one for a
    /// stream, with which the ancillary data goes, all for a datagram. `sendmsg(2)`.
    ///
    /// # Errors
    /// As [`send_to`](Socket::send_to); `EMSGSIZE` for more than `IOV_MAX` (1024) buffers; `EINVAL`
    /// for ancillary data the kernel does not take here; `EPERM` for credentials or a mark that
    /// need a privilege. `InvalidInput` for a kind that is only received.
    #[doc(alias = "sendmsg")]
    #[doc(alias = "sendmsg_afalg")]
    pub fn send_msg(
        &self,
        buffers: &[IoSlice<'_>],
        ancillary: &[Ancillary<'_>],
        flags: Flags,
        to: Option<&SockAddr>,
    ) -> io::Result<usize> {
        self.send_msg_by(buffers, ancillary, flags, to, self.send_deadline(flags))
    }

    fn send_msg_by(
        &self,
        buffers: &[IoSlice<'_>],
        ancillary: &[Ancillary<'_>],
        flags: Flags,
        to: Option<&SockAddr>,
        deadline: Deadline,
    ) -> io::Result<usize> {
        let length = ancillary::space(ancillary)?;
        let (mut inline, mut heap) = ([0; INLINE], Vec::new());
        let control = match inline.get_mut(..length) {
            Some(control) => control,
            None => {
                heap.resize(length, 0);
                &mut heap
            }
        };
        ancillary::encode(ancillary, control)?;
        let to = to.map(RawSockAddr::encode).transpose()?;
        let flags = flags.for_sending()?;
        let message = SendMsg { buffers, control, to: to.as_ref(), flags };
        seam::perform(self.target(), &mut Operation::SendMsg(message), deadline)
    }

    /// Receives one datagram and its sender. What does not fit in `buffer` is lost. `recvfrom(2)`.
    ///
    /// # Errors
    /// As [`recv`](Socket::recv); `ECONNREFUSED` when an earlier datagram found no receiver.
    #[doc(alias = "recvfrom")]
    #[doc(alias = "recvfrom_into")]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        let mut from = Peer(RawSockAddr::room());
        let count = self.perform(&mut Operation::RecvFrom { buffer, flags: 0, from: &mut from })?;
        Ok((count, from.0.decode()))
    }

    /// Sends one datagram to `address`. `sendto(2)`.
    ///
    /// # Errors
    /// As [`send`](Socket::send); `EACCES` for a broadcast address without `SO_BROADCAST`.
    #[doc(alias = "sendto")]
    pub fn send_to(&self, bytes: &[u8], address: &SockAddr) -> io::Result<usize> {
        self.send_to_by(bytes, address, self.deadline())
    }

    /// [`send_to`](Socket::send_to) with a limit of its own, whatever the socket's mode.
    ///
    /// # Errors
    /// As [`send_to`](Socket::send_to).
    pub fn send_to_by(
        &self,
        bytes: &[u8],
        address: &SockAddr,
        deadline: Deadline,
    ) -> io::Result<usize> {
        let to = Peer(RawSockAddr::encode(address)?);
        seam::perform(self.target(), &mut Operation::SendTo { bytes, flags: 0, to: &to }, deadline)
    }

    /// [`recv`](Socket::recv) with flags.
    ///
    /// With [`Flags::TRUNC`], a datagram's whole length is answered, which may be more than
    /// `buffer` holds. With [`Flags::WAITALL`], a stream is received until `buffer` is full, the
    /// peer has finished or the time limit has passed, whichever is first; then the count tells.
    ///
    /// # Errors
    /// As [`recv`](Socket::recv) and [`recv_msg`](Socket::recv_msg). With [`Flags::WAITALL`], an
    /// error that is not for want of time leaves it unknown how much was received before it.
    pub fn recv_with(&self, buffer: &mut [u8], flags: Flags) -> io::Result<usize> {
        const ONCE: Flags = Flags(Flags::PEEK.0 | Flags::TRUNC.0 | Flags::OOB.0);
        let deadline = self.receive_deadline(flags);
        let whole = flags.contains(Flags::WAITALL) && !flags.intersects(ONCE);
        if whole && deadline != Deadline::Immediate && self.kind()? == Type::STREAM {
            return self.recv_all(buffer, flags, deadline.fixed());
        }
        seam::perform(self.target(), &mut Operation::Recv { buffer, flags: flags.0 }, deadline)
    }

    /// Receives until the buffer is full, the peer has finished, or time is up.
    fn recv_all(&self, buffer: &mut [u8], flags: Flags, deadline: Deadline) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let mut operation = Operation::Recv { buffer: &mut buffer[filled..], flags: flags.0 };
            match seam::perform(self.target(), &mut operation, deadline) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::TimedOut && filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// [`recv_from`](Socket::recv_from) with flags. The sender is `None` where it has no address.
    ///
    /// # Errors
    /// As [`recv_msg`](Socket::recv_msg).
    pub fn recv_from_with(
        &self,
        buffer: &mut [u8],
        flags: Flags,
    ) -> io::Result<(usize, Option<SockAddr>)> {
        let mut from = Peer(RawSockAddr::room());
        let deadline = self.receive_deadline(flags);
        let mut operation = Operation::RecvFrom { buffer, flags: flags.0, from: &mut from };
        let count = seam::perform(self.target(), &mut operation, deadline)?;
        Ok((count, sender(&from.0)))
    }

    /// [`send`](Socket::send) with flags.
    ///
    /// # Errors
    /// As [`send`](Socket::send); `InvalidInput` for [`Flags::ZEROCOPY`].
    pub fn send_with(&self, bytes: &[u8], flags: Flags) -> io::Result<usize> {
        let mut operation = Operation::Send { bytes, flags: flags.for_sending()? };
        seam::perform(self.target(), &mut operation, self.send_deadline(flags))
    }

    /// [`send_all`](Socket::send_all) with flags.
    ///
    /// # Errors
    /// As [`send_with`](Socket::send_with). After an error it is unknown how much was sent.
    pub fn send_all_with(&self, mut bytes: &[u8], flags: Flags) -> io::Result<()> {
        let number = flags.for_sending()?;
        let deadline = self.send_deadline(flags).fixed();
        while !bytes.is_empty() {
            let mut operation = Operation::Send { bytes, flags: number };
            bytes = &bytes[seam::perform(self.target(), &mut operation, deadline)?..];
        }
        Ok(())
    }

    /// [`send_to`](Socket::send_to) with flags.
    ///
    /// # Errors
    /// As [`send_to`](Socket::send_to); `InvalidInput` for [`Flags::ZEROCOPY`].
    pub fn send_to_with(
        &self,
        bytes: &[u8],
        flags: Flags,
        address: &SockAddr,
    ) -> io::Result<usize> {
        let (to, flags_number) = (Peer(RawSockAddr::encode(address)?), flags.for_sending()?);
        let mut operation = Operation::SendTo { bytes, flags: flags_number, to: &to };
        seam::perform(self.target(), &mut operation, self.send_deadline(flags))
    }

    /// The socket's time limit for receiving, or none where the flags make the kernel answer at
    /// once: waiting for readiness would then be waiting for something else.
    fn receive_deadline(&self, flags: Flags) -> Deadline {
        const AT_ONCE: Flags = Flags(Flags::DONTWAIT.0 | Flags::ERRQUEUE.0 | Flags::OOB.0);
        match flags.intersects(AT_ONCE) {
            true => Deadline::Immediate,
            false => self.deadline(),
        }
    }

    /// The socket's time limit for sending, or none where the flags say so.
    fn send_deadline(&self, flags: Flags) -> Deadline {
        match flags.contains(Flags::DONTWAIT) {
            true => Deadline::Immediate,
            false => self.deadline(),
        }
    }
}

/// The sender's address, unless the kernel gave none.
fn sender(from: &RawSockAddr) -> Option<SockAddr> {
    (!from.is_empty()).then(|| from.decode())
}
