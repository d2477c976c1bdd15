//! Several messages with one system call: `recvmmsg(2)` and `sendmmsg(2)`.
//!
//! For datagrams to and from many peers. For many of one size with one peer, `segment.rs` gains
//! more.

use std::io::{self, IoSlice};

use super::ancillary::{encode, space};
use super::{Ancillary, ControlBuffer, Flags};
use crate::seam::{self, Operation};
use crate::sockaddr::SockAddr;
use crate::socket::Socket;
use crate::sys::batch::{RecvBatch, SendMmsg};
use crate::sys::message::SendMsg;
use crate::sys::sockaddr::RawSockAddr;

/// One message of a batch to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outgoing<'a> {
    /// The bytes, gathered from these in order.
    pub buffers: &'a [IoSlice<'a>],
    /// What else to say with them.
    pub ancillary: &'a [Ancillary<'a>],
    /// Where to; `None` is the connected peer.
    pub to: Option<&'a SockAddr>,
}

/// One message of a batch that was received.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The bytes; an empty datagram has none.
    pub bytes: &'a [u8],
    /// What the kernel says of it: [`TRUNC`](Flags::TRUNC), [`CTRUNC`](Flags::CTRUNC) …
    pub flags: Flags,
    /// The sender, where it has an address.
    pub address: Option<SockAddr>,
    /// What came with it. Descriptors are taken with [`RecvBatch::control`].
    pub control: &'a ControlBuffer,
}

impl RecvBatch {
    /// The messages of the last call, in the order in which they came.
    pub fn messages(&self) -> impl Iterator<Item = Incoming<'_>> {
        (0..self.len()).filter_map(|index| self.message(index))
    }

    /// The message at `index`; `None` beyond the last.
    #[must_use]
    pub fn message(&self, index: usize) -> Option<Incoming<'_>> {
        if index >= self.len() {
            return None;
        }
        let (length, flags) = self.told(index);
        let room = self.room(index);
        Some(Incoming {
            bytes: &room[..length.min(room.len())],
            flags: Flags(flags),
            address: super::sender(&self.names[index]),
            control: &self.controls[index],
        })
    }

    /// The ancillary data of the message at `index`, so that descriptors can be taken from it;
    /// `None` beyond the last message.
    pub fn control(&mut self, index: usize) -> Option<&mut ControlBuffer> {
        let received = self.len();
        self.controls[..received].get_mut(index)
    }
}

impl Socket {
    /// Waits for a message, takes it and those that are there besides, up to the batch's
    /// [`capacity`](RecvBatch::capacity), and answers how many. `recvmmsg(2)`.
    ///
    /// It does not wait for a full batch. What was in the batch before is gone; descriptors that
    /// were not taken are closed. On a stream, a message is whatever bytes were there.
    ///
    /// # Errors
    /// As [`recv_msg`](Socket::recv_msg), when not even one message could be received. An error
    /// after the first message is told by the next call.
    ///
    /// ```
    /// use socket::{Family, Flags, Outgoing, RecvBatch, Socket, Type};
    /// use std::io::IoSlice;
    ///
    /// let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default())?;
    /// let (one, two) = ([IoSlice::new(b"one")], [IoSlice::new(b"two")]);
    /// let batch = [
    ///     Outgoing { buffers: &one, ..Outgoing::default() },
    ///     Outgoing { buffers: &two, ..Outgoing::default() },
    /// ];
    /// assert_eq!(left.send_mmsg(&batch, Flags::NONE)?, 2);
    ///
    /// let mut batch = RecvBatch::new(32, 1500, 0);
    /// assert_eq!(right.recv_mmsg(&mut batch, Flags::NONE)?, 2);
    /// let texts: Vec<&[u8]> = batch.messages().map(|message| message.bytes).collect();
    /// assert_eq!(texts, [b"one", b"two"]);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "recvmmsg")]
    pub fn recv_mmsg(&self, batch: &mut RecvBatch, flags: Flags) -> io::Result<usize> {
        let mut operation = Operation::RecvMmsg { batch, flags: flags.0 };
        seam::perform(self.target(), &mut operation, self.receive_deadline(flags))
    }

    /// Sends messages, in order, and answers how many were sent: at least one; the rest is for
    /// the next call. The kernel takes 1024 at most. `sendmmsg(2)`.
    ///
    /// # Errors
    /// As [`send_msg`](Socket::send_msg), for the first message. An error of a later one is told
    /// when it has become the first of a call.
    #[doc(alias = "sendmmsg")]
    pub fn send_mmsg(&self, messages: &[Outgoing<'_>], flags: Flags) -> io::Result<usize> {
        let mut peers = Vec::with_capacity(messages.len());
        let (mut total, mut ends) = (0, Vec::with_capacity(messages.len()));
        for message in messages {
            peers.push(message.to.map(RawSockAddr::encode).transpose()?);
            total += space(message.ancillary)?;
            ends.push(total);
        }
        let mut control = vec![0; total];
        let mut room = &mut control[..];
        for message in messages {
            let (place, rest) = room.split_at_mut(space(message.ancillary)?);
            encode(message.ancillary, place)?;
            room = rest;
        }
        let mut start = 0;
        let messages: Vec<_> = messages
            .iter()
            .zip(&peers)
            .zip(ends)
            .map(|((message, to), end)| {
                let control = &control[std::mem::replace(&mut start, end)..end];
                SendMsg { buffers: message.buffers, control, to: to.as_ref(), flags: 0 }
            })
            .collect();
        let batch = SendMmsg { messages: &messages, flags: flags.for_sending()? };
        let deadline = self.send_deadline(flags);
        seam::perform(self.target(), &mut Operation::SendMmsg(batch), deadline)
    }
}
