//! What waits to be sent to one connection: messages by reference, which many connections share.
//!
//! ```text
//!   post ──► [ m m m m ] ──send_now──► the socket           listed: somebody is going to look
//!              └── begun: bytes of the first that are gone   taken:  a sender is in the socket
//! ```
//! Those that wait are sent in one piece where they are small, so many messages cost one call and
//! one is sent from where it lies. The queue is bounded by what it holds, see
//! [`limit_queue`](crate::Guards::limit_queue).
//!
//! With a thousand members the cost beside the send itself is that of fetching what has fallen out
//! of the processor's caches since the message before: so the first message lies in the queue, and
//! what is touched for each stands together.
//!
//! What it deliberately does not do: wait, and know who looks. It is the data under the lock of a
//! connection's senders, and its sends do not block, so they are made under that lock.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;

use coroutine::JoinHandle;
use socket::seam::try_send;

use crate::link::Link;

/// See the head of this file.
pub(super) struct Queue {
    /// The connection; `None` after its end.
    pub(super) link: Option<Arc<Link>>,
    first: Option<Arc<[u8]>>,
    /// What all messages count for, each for its own length and [`ENTRY_BYTES`].
    bytes: usize,
    /// Bytes of the first message that have been sent.
    begun: usize,
    /// Bytes that the connection's senders have sent.
    pub(super) sent: u64,
    /// An outbox or a carrier is going to look at it.
    pub(super) listed: bool,
    /// Somebody sends and may wait; whoever does sees to the queue afterwards.
    pub(super) taken: bool,
    /// Taken by its outbox, which does not wait.
    pub(super) handed: bool,
    /// Nothing is taken any more.
    pub(super) closed: bool,
    /// The messages behind the first.
    more: VecDeque<Arc<[u8]>>,
    /// Why a send failed that nobody waited for.
    pub(super) failure: Option<io::Error>,
    /// What waits for the socket of a peer that does not keep up.
    pub(super) carrier: Option<JoinHandle<()>>,
}

/// What a message counts for besides its bytes: its reference and its share of what holds it. So
/// the bound on bytes bounds the messages too.
const ENTRY_BYTES: usize = 64;
/// Small messages are sent in one piece of up to this much.
const PIECE_BYTES: usize = 16 * 1024;
/// Messages behind the first whose room a queue keeps.
const KEPT: usize = 16;

/// What is to be sent next.
pub(super) enum Piece {
    /// One message, from this byte.
    One(Arc<[u8]>, usize),
    /// So many messages, now in the buffer one after the other.
    Gathered(usize),
}

impl Queue {
    pub(super) fn new(link: Arc<Link>) -> Queue {
        Queue {
            link: Some(link),
            first: None,
            bytes: 0,
            begun: 0,
            sent: 0,
            listed: false,
            taken: false,
            handed: false,
            closed: false,
            more: VecDeque::new(),
            failure: None,
            carrier: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether there is room for a message of so many bytes; one alone always has.
    #[inline]
    pub(super) fn has_room(&self, bytes: usize, limit: usize) -> bool {
        self.is_empty() || self.bytes + bytes + ENTRY_BYTES <= limit
    }

    #[inline]
    pub(super) fn push(&mut self, message: Arc<[u8]>) {
        self.bytes += message.len() + ENTRY_BYTES;
        match self.first {
            None => self.first = Some(message),
            Some(_) => self.more.push_back(message),
        }
    }

    /// The first message, from the byte where it is to go on, unless others are sent with it.
    #[inline]
    pub(super) fn first_alone(&self, apart: bool) -> Option<(Arc<[u8]>, usize)> {
        let first = self.first.as_ref()?;
        let rest = first.len() - self.begun;
        let follows = self.more.front().is_some_and(|next| rest + next.len() <= PIECE_BYTES);
        (apart || !follows).then(|| (Arc::clone(first), self.begun))
    }

    /// What is to be sent next: one message, or several in `buffer` unless each is to be sent
    /// `apart`. `None`: nothing is queued.
    pub(super) fn next(&self, buffer: &mut Vec<u8>, apart: bool) -> Option<Piece> {
        if let Some((first, from)) = self.first_alone(apart) {
            return Some(Piece::One(first, from));
        }
        let first = self.first.as_ref()?;
        buffer.clear();
        buffer.extend_from_slice(&first[self.begun..]);
        let fits = self.more.iter().take_while(|message| {
            let fits = buffer.len() + message.len() <= PIECE_BYTES;
            if fits {
                buffer.extend_from_slice(message);
            }
            fits
        });
        Some(Piece::Gathered(1 + fits.count()))
    }

    /// Takes out messages that have been sent, and what has been sent of the one after them.
    pub(super) fn advance(&mut self, mut sent: usize) {
        while let Some(first) = &self.first {
            let rest = first.len() - self.begun;
            if sent < rest {
                self.begun += sent;
                return;
            }
            sent -= rest;
            self.remove_first();
            if sent == 0 {
                return;
            }
        }
    }

    /// The same of whole messages.
    pub(super) fn remove(&mut self, count: usize) {
        (0..count).for_each(|_| self.remove_first());
    }

    #[inline]
    fn remove_first(&mut self) {
        if let Some(message) = self.first.take() {
            self.bytes -= message.len() + ENTRY_BYTES;
            self.begun = 0;
        }
        if !self.more.is_empty() {
            self.first = self.more.pop_front();
            if self.more.is_empty() && self.more.capacity() > KEPT {
                self.more = VecDeque::new();
            }
        }
    }

    /// Throws away what is left, and takes nothing more.
    pub(super) fn close(&mut self) {
        (self.closed, self.handed) = (true, false);
        (self.link, self.first, self.more) = (None, None, VecDeque::new());
        (self.bytes, self.begun) = (0, 0);
    }

    /// The same because of an error that nobody waits for.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.close();
        self.failure.get_or_insert(error);
    }

    /// Sends what the socket takes without waiting; false when it is full before that is all. A
    /// failure closes the queue.
    pub(super) fn send_now(&mut self, buffer: &mut Vec<u8>, apart: bool) -> bool {
        while let Some(piece) = self.next(buffer, apart) {
            let (bytes, messages) = match &piece {
                Piece::One(message, from) => (&message[*from..], 1),
                Piece::Gathered(messages) => (&buffer[..], *messages),
            };
            let Some(socket) = self.link.as_ref().and_then(|link| link.socket.as_ref()) else {
                self.close();
                break;
            };
            if !self.note(try_send(socket.as_fd(), bytes), bytes.len(), messages) {
                return false;
            }
        }
        true
    }

    /// Notes what came of an attempt to send so many bytes, of so many messages; false when the
    /// socket is full. A failure closes the queue.
    #[inline]
    pub(super) fn note(
        &mut self,
        answer: io::Result<usize>,
        bytes: usize,
        messages: usize,
    ) -> bool {
        match answer {
            Ok(sent) => {
                self.sent += sent as u64;
                if sent < bytes {
                    self.advance(sent);
                    return false;
                }
                self.remove(messages);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => {
                if let Some(socket) = self.link.as_ref().and_then(|link| link.socket.as_ref()) {
                    drop(socket.shutdown(Shutdown::Both));
                    self.fail(error);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(messages: &[&[u8]]) -> Queue {
        let mut queue = Queue::new(Arc::new(Link::new(None, None, 0)));
        messages.iter().for_each(|message| queue.push(Arc::from(*message)));
        queue
    }

    #[test]
    fn small_messages_leave_in_one_piece() {
        let mut buffer = Vec::new();
        let mut queue = queue(&[b"one", b"", b"three"]);
        assert!(matches!(queue.next(&mut buffer, false), Some(Piece::Gathered(3))));
        assert_eq!(buffer, b"onethree");
        assert!(matches!(queue.next(&mut buffer, true), Some(Piece::One(_, 0))));
        // Sent up to the middle of the last one, whose rest is then what is left.
        queue.advance(5);
        match queue.next(&mut buffer, false) {
            Some(Piece::One(message, from)) => assert_eq!(message[from..], *b"ree"),
            _ => panic!("one message is left"),
        }
        assert_eq!(queue.bytes, 5 + ENTRY_BYTES);
        queue.advance(3);
        assert!(queue.next(&mut buffer, false).is_none());
        assert_eq!((queue.bytes, queue.begun), (0, 0));
    }

    #[test]
    fn large_messages_are_not_copied() {
        let large = [7; PIECE_BYTES];
        let mut buffer = Vec::new();
        let mut queue = queue(&[b"small", b"small too", &large, b"small"]);
        assert!(matches!(queue.next(&mut buffer, false), Some(Piece::Gathered(2))));
        queue.remove(2);
        assert!(matches!(queue.next(&mut buffer, false), Some(Piece::One(_, 0))));
        queue.advance(1);
        assert!(matches!(queue.next(&mut buffer, false), Some(Piece::One(_, 1))));
    }

    #[test]
    fn room_is_counted_in_bytes_and_for_each_message() {
        let mut queue = queue(&[b""]);
        assert!(!queue.has_room(0, ENTRY_BYTES));
        assert!(queue.has_room(0, 2 * ENTRY_BYTES));
        assert!(!queue.has_room(1, 2 * ENTRY_BYTES));
        // One message alone always has room, or it could never be sent.
        queue.remove(1);
        assert!(queue.has_room(1 << 20, 0));
    }
}
