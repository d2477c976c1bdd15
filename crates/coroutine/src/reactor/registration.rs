//! What is known of the descriptors: one entry for each number.
//!
//! ```text
//!   number ─► chunk of 256 ─► entry { word, drained, …, waiters }
//!                                      ║ equal?
//!   socket's memory word ══════════════╝   worker's number : generation
//!   event's data            ── number : generation ──► the same entry, the same generation?
//! ```
//! A number is used again when its descriptor is closed, and one file can have several numbers. So
//! an entry is believed only where the generation agrees: the socket's word says that *this* socket
//! was registered by *this* worker, the event's data that the event is of *this* registration.
//! Anything else is registered anew (where the kernel says `EEXIST`, the file is the same and its
//! data is put right) or ignored. Closing therefore needs no bookkeeping at all.

#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::os::fd::{AsRawFd, BorrowedFd};

use socket::seam::{Target, is_plain_tcp};

use super::waiters::Waiters;
use crate::dormant::Dormant;

/// Entries that are allocated at once.
const CHUNK: usize = 256;

/// What is known of the descriptor of one number.
pub(crate) struct Registration {
    /// What a socket of this registration has in its memory word; [`NOBODY`]: nothing is
    /// registered.
    pub(crate) word: Cell<u64>,
    pub(crate) generation: Cell<u32>,
    /// A read would find nothing, unless an event tells.
    pub(crate) drained: Cell<bool>,
    /// How far a short read can be trusted.
    pub(crate) trust: Cell<Trust>,
    /// epoll does not take it: it is a file, and always ready.
    pub(crate) always_ready: Cell<bool>,
    /// Registered for writing, too: once somebody has had to wait for that.
    pub(crate) writes: Cell<bool>,
    pub(crate) waiters: Waiters,
    /// Who sleeps without a stack until it can be read from.
    pub(crate) dormant: Cell<Option<Box<dyn Dormant>>>,
}

/// A word that no socket has.
const NOBODY: u64 = u64::MAX;

/// Whether a read that did not fill its buffer has emptied the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Not asked yet; so many short reads so far.
    Unknown(u8),
    /// Yes: it is TCP.
    Yes,
    /// No, or no longer.
    No,
}

impl Registration {
    const fn new() -> Registration {
        Registration {
            word: Cell::new(NOBODY),
            generation: Cell::new(0),
            drained: Cell::new(false),
            trust: Cell::new(Trust::Unknown(0)),
            always_ready: Cell::new(false),
            writes: Cell::new(false),
            waiters: Waiters::new(),
            dormant: Cell::new(None),
        }
    }

    /// Notes a read that did not fill its buffer.
    ///
    /// A TCP socket's queue is empty then, and whatever comes later makes a new edge, with these
    /// exceptions, in which the next read is attempted as if nothing were known: urgent data, at
    /// which reads stop short, and an end of the stream or an error. epoll reports each of them
    /// (`EPOLLPRI`, `EPOLLRDHUP`, `EPOLLHUP`, `EPOLLERR`), before or after this read; before, and
    /// [`no_longer`](Self::no_longer) has been called; after, and it is an edge. Sockets of other
    /// kinds stop short for more reasons (Unix sockets between two senders' credentials), and so do
    /// upper layer protocols in the kernel (TLS).
    #[inline(always)]
    pub(crate) fn note_short_read(&self, fd: BorrowedFd<'_>) {
        match self.trust.get() {
            Trust::Yes => self.drained.set(true),
            Trust::No => {}
            Trust::Unknown(count) => self.find_out(fd, count),
        }
    }

    /// Notes that it could not be read from a moment ago, while it was registered.
    pub(crate) fn note_empty(&self) {
        self.drained.set(!self.always_ready.get());
    }

    #[cold]
    fn find_out(&self, fd: BorrowedFd<'_>, short_reads: u8) {
        self.trust.set(match short_reads {
            // Four system calls to find out: not for a connection of a single request.
            0 | 1 => Trust::Unknown(short_reads + 1),
            _ if is_plain_tcp(fd) => Trust::Yes,
            _ => Trust::No,
        });
    }

    /// Notes that short reads prove nothing any more.
    #[inline]
    pub(crate) fn no_longer(&self) {
        self.trust.set(Trust::No);
    }

    /// Forgets everything but who waits, for a new file of the same number, or the same again.
    pub(crate) fn begin(&self, word: u64, target: Target<'_>) {
        self.word.set(word);
        self.drained.set(false);
        self.trust.set(if target.is_plain_tcp() { Trust::Yes } else { Trust::Unknown(0) });
        self.always_ready.set(false);
    }
}

/// All entries. They are allocated as numbers appear, and never move.
#[derive(Default)]
pub(crate) struct Registrations {
    chunks: UnsafeCell<Vec<Option<Box<Chunk>>>>,
}

type Chunk = [Registration; CHUNK];

impl Registrations {
    /// The entry of a descriptor's number.
    #[inline]
    pub(crate) fn of(&self, fd: BorrowedFd<'_>) -> &Registration {
        let number = fd.as_raw_fd() as usize;
        match self.find(number) {
            Some(entry) => entry,
            None => self.grow(number),
        }
    }

    /// The entry of this number, if there is one.
    #[inline]
    pub(crate) fn find(&self, number: usize) -> Option<&Registration> {
        // SAFETY: one thread has this, and the only reference that may write is inside `grow`,
        // which calls nothing that comes back here while it has it.
        let chunks = unsafe { &*self.chunks.get() };
        let chunk: *const Chunk = &raw const **chunks.get(number / CHUNK)?.as_ref()?;
        // SAFETY: a chunk is on the heap, and is neither moved nor dropped nor borrowed for
        // writing before `self` is dropped: growing moves the boxes only.
        let chunk: &Chunk = unsafe { &*chunk };
        Some(&chunk[number % CHUNK])
    }

    /// Every entry.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Registration> {
        // SAFETY: as in `find`, and the reference ends at once.
        let chunks = unsafe { &*self.chunks.get() }.len();
        (0..chunks * CHUNK).filter_map(|number| self.find(number))
    }

    #[cold]
    fn grow(&self, number: usize) -> &Registration {
        let chunk: Box<[Registration]> = (0..CHUNK).map(|_| Registration::new()).collect();
        let chunk: Box<Chunk> = chunk.try_into().ok().expect("it has so many");
        {
            // SAFETY: see `find`; what it gave out are references to chunks, not to this list.
            let chunks = unsafe { &mut *self.chunks.get() };
            if chunks.len() <= number / CHUNK {
                chunks.resize_with(number / CHUNK + 1, || None);
            }
            chunks[number / CHUNK] = Some(chunk);
        }
        self.find(number).expect("the entry has just been made")
    }
}
