//! Buffers that the kernel chooses from when something has come: who waits has none.
//!
//! ```text
//!   shelf: place b ──published──► the kernel receives into b ─► completion names b
//!     ▲                                                             │
//!     └── the caller waits for more ◄── the caller's slot ◄── moved ┘
//! ```
//! A buffer goes to the caller as it is, nothing is copied, and comes back when the caller waits
//! again; where callers keep theirs, others are made. A crowd that comes in one moment may find the
//! shelf empty: `ENOBUFS`, upon which that receive waits for readiness and takes one of the stock;
//! and it is [noted](crate::shortage).
//!
//! It deliberately does not let the kernel fill more than one buffer for one call; see `mod.rs`.
//!
//! `io_uring_register_buf_ring(3)`, Linux 5.19.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use socket::seam::{BUFFER_BYTES, Buffer, new_buffer};

use super::ring::Ring;

/// The number of the shelf, of which a ring could have several.
pub(super) const GROUP: u16 = 1;

/// Buffers on the shelf, a power of two. One `enter` brings some twenty completions.
const PLACES: u16 = 64;

const COUNT: usize = PLACES as usize;

/// Fewer than these, and new ones are made: what one `enter` needs.
const LOW: usize = 20;

/// See the head of this file.
pub(super) struct Shelf {
    /// What the kernel reads: a page of entries, the tail in the first one's spare word.
    entries: NonNull<BufRingEntry>,
    tail: Cell<u16>,
    /// The buffers themselves. Those here are the kernel's to write.
    places: [Cell<Option<NonNull<[u8; BUFFER_BYTES]>>>; COUNT],
    /// The places without a buffer: so many of them, from the first on.
    empty: [Cell<u16>; COUNT],
    empties: Cell<usize>,
}

impl Shelf {
    /// A full shelf of the ring's.
    ///
    /// # Errors
    /// `ENOMEM`, also at the limit of locked memory; `EINVAL`, `EOPNOTSUPP` on an old kernel.
    pub(super) fn new(ring: &Ring) -> io::Result<Shelf> {
        // SAFETY: the layout is not of size zero.
        let entries = unsafe { alloc_zeroed(layout()) };
        let entries = NonNull::new(entries.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let shelf = Shelf {
            entries,
            tail: Cell::new(0),
            places: [const { Cell::new(None) }; COUNT],
            empty: std::array::from_fn(|place| Cell::new(place as u16)),
            empties: Cell::new(COUNT),
        };
        // SAFETY: the page is as long as `PLACES` entries, aligned, zeroed, and freed after the
        // ring is gone, whose field it follows.
        unsafe { ring.register_buffers(shelf.entries.as_ptr(), PLACES, GROUP) }?;
        while shelf.give(new_buffer()).is_none() {}
        Ok(shelf)
    }

    /// Puts a buffer on the shelf, and gives it back if there is no room.
    #[inline]
    pub(super) fn give(&self, buffer: Buffer) -> Option<Buffer> {
        let Some(last) = self.empties.get().checked_sub(1) else { return Some(buffer) };
        self.empties.set(last);
        self.put(self.empty[last % COUNT].get(), buffer);
        None
    }

    /// Whether so few are left that it should not wait for those to come back that callers have.
    #[inline]
    pub(super) fn is_low(&self) -> bool {
        self.empties.get() > COUNT - LOW
    }

    /// Puts a buffer in an empty place, for the kernel.
    #[inline]
    fn put(&self, place: u16, buffer: Buffer) {
        let address = NonNull::from(Box::leak(buffer));
        self.places[usize::from(place) % COUNT].set(Some(address));
        let tail = self.tail.get();
        // SAFETY: the index is below `PLACES`, so the entry is in the page.
        let entry = unsafe { self.entries.add(usize::from(tail % PLACES)) };
        // SAFETY: the entry is ours to write: the kernel reads entries before the tail only, and
        // there are no more buffers than entries. It was zeroed, and nobody else refers to it.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(address.as_ptr() as u64);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(place);
        self.tail.set(tail.wrapping_add(1));
        // SAFETY: the page begins with the first entry.
        let word = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the word is in the page, aligned, and is written through this type only.
        let word = unsafe { AtomicU16::from_ptr(word.cast_mut()) };
        word.store(self.tail.get(), Ordering::Release);
    }

    /// Takes the buffer that a completion names. `None`: that place is empty, or there is no such
    /// place.
    #[inline]
    pub(super) fn take(&self, place: u16) -> Option<Buffer> {
        let address = self.places.get(usize::from(place))?.take()?;
        // SAFETY: from a box in `put`, and taken out of the only place that had it. The kernel has
        // named it in a completion, and no longer writes there.
        let buffer = unsafe { Box::from_raw(address.as_ptr()) };
        let last = self.empties.get();
        self.empty[last % COUNT].set(place);
        self.empties.set(last + 1);
        Some(buffer)
    }

    /// Empties the shelf behind the kernel's back, so that every receive finds none.
    #[cfg(test)]
    pub(super) fn forget_all(&self, ring: &Ring) {
        ring.unregister_buffers(GROUP).unwrap();
        // SAFETY: as in `new`. The tail is zero, so nothing is offered.
        unsafe { self.entries.cast::<u8>().write_bytes(0, layout().size()) };
        // SAFETY: as in `new`.
        unsafe { ring.register_buffers(self.entries.as_ptr(), PLACES, GROUP) }.unwrap();
    }
}

/// After the ring, which has ended all that was under way.
impl Drop for Shelf {
    fn drop(&mut self) {
        for address in self.places.iter().filter_map(Cell::take) {
            // SAFETY: from a box in `put`, and nobody else has it.
            drop(unsafe { Box::from_raw(address.as_ptr()) });
        }
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.entries.as_ptr().cast(), layout()) };
    }
}

fn layout() -> Layout {
    const PAGE: usize = 4096;
    let bytes = usize::from(PLACES) * size_of::<BufRingEntry>();
    Layout::from_size_align(bytes.next_multiple_of(PAGE), PAGE).expect("a small power of two")
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("tail", &self.tail).finish_non_exhaustive()
    }
}
