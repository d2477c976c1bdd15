//! Answers to datagrams, sent many at once: one `sendmmsg(2)`, and of those of one size to one peer
//! one message of it, which the kernel parts again (`UDP_SEGMENT`, `udp(7)`).
//!
//! ```text
//!   [ a a a | b | c c ] ──► sendmmsg: 3 messages, 6 datagrams     a failure stops before it
//! ```
//! An answer that fails is told of its own request. Where a train fails, perhaps because its
//! datagrams are too large for one or the device cannot part it, each of it is sent by itself, and
//! trains of that size are not tried again.
//!
//! What it deliberately does not do: wait. An answer for which the socket has no room is sent by
//! its own request, which knows for how long it may wait.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use socket::{Ancillary, Flags, Outgoing};

use crate::atomic::Lock;
use crate::request::Unsent;

/// Requests that are over but for their answers.
pub(crate) struct Answers {
    unsent: Lock<Vec<Unsent>>,
    /// Answers of up to so many bytes make trains.
    train_bytes: AtomicUsize,
}

/// How many answers are sent at once: twice what is received at once.
const MOST: usize = 64;
/// The datagrams of a train that every kernel takes: `UDP_MAX_SEGMENTS`, 128 from Linux 6.9.
const TRAIN: usize = 64;
/// The bytes of all of it: what fits into an IPv4 packet behind its header and UDP's.
const TRAIN_BYTES: usize = 65_535 - 20 - 8;

impl Default for Answers {
    fn default() -> Answers {
        Answers { unsent: Lock::default(), train_bytes: AtomicUsize::new(TRAIN_BYTES) }
    }
}

/// Answers that make one message.
struct Train {
    /// The first.
    at: usize,
    length: usize,
    size: [Ancillary<'static>; 1],
}

/// What became of the first answers of several.
enum Sent {
    /// So many were sent.
    Some(usize),
    /// The first was not, and why.
    Failed(io::Error),
    /// So many are each to be sent by itself.
    Apart(usize),
}

impl Answers {
    /// Adds one; false if they should be sent now.
    pub(crate) fn add(&self, unsent: Unsent) -> bool {
        let mut all = self.unsent.lock();
        all.push(unsent);
        all.len() < MOST
    }

    /// Sends those that are there, and ends their requests.
    pub(crate) fn send(&self) {
        let mut unsent = std::mem::take(&mut *self.unsent.lock()).into_iter();
        while unsent.len() > 1 {
            match self.send_some(unsent.as_slice()) {
                Sent::Some(count) => {
                    unsent.by_ref().take(count).for_each(|one| one.end(Some(Ok(()))));
                }
                Sent::Apart(count) => unsent.by_ref().take(count).for_each(|one| one.end(None)),
                Sent::Failed(error) => {
                    if let Some(one) = unsent.next() {
                        one.end(Some(Err(error)));
                    }
                }
            }
        }
        // One alone is sent by itself too.
        unsent.for_each(|one| one.end(None));
    }

    /// Makes one call for as many as go by the same socket.
    fn send_some(&self, unsent: &[Unsent]) -> Sent {
        let socket = unsent[0].socket();
        let same = unsent.iter().take_while(|one| std::ptr::eq(one.socket(), socket)).count();
        let bytes: Vec<_> = unsent[..same].iter().map(|one| IoSlice::new(one.answer())).collect();
        let mut trains = Vec::with_capacity(same);
        let mut at = 0;
        while at < same {
            let length = self.train(&unsent[at..same]);
            let size = [Ancillary::SegmentSize(bytes[at].len() as u16)];
            trains.push(Train { at, length, size });
            at += length;
        }
        let messages = trains.iter().map(|train| Outgoing {
            buffers: &bytes[train.at..train.at + train.length],
            ancillary: if train.length > 1 { &train.size } else { &[] },
            to: Some(unsent[train.at].peer()),
        });
        let messages: Vec<_> = messages.collect();
        let first = trains[0].length;
        match socket.send_mmsg(&messages, Flags::DONTWAIT) {
            Ok(count) => Sent::Some(trains[..count].iter().map(|train| train.length).sum()),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Sent::Apart(first),
                _ if first == 1 => Sent::Failed(error),
                _ => {
                    self.train_bytes.fetch_min(bytes[0].len() - 1, Relaxed);
                    Sent::Apart(first)
                }
            },
        }
    }

    /// How many of these answers, from the first, make one message.
    fn train(&self, unsent: &[Unsent]) -> usize {
        let (first, size) = (&unsent[0], unsent[0].answer().len());
        if size == 0 || size > self.train_bytes.load(Relaxed) || first.peer().as_inet().is_none() {
            return 1;
        }
        let fits = (TRAIN_BYTES / size).min(TRAIN);
        let alike = |one: &&Unsent| one.answer().len() == size && one.peer() == first.peer();
        unsent.iter().take(fits).take_while(alike).count().max(1)
    }
}
