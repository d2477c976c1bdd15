//! Memory that a process and those forked from it both see. `mmap(2)` with `MAP_SHARED`.
//!
//! Only atomics live there: a process that is killed in the middle of anything leaves each word
//! whole, and no pointer of one process can reach another.

use std::io;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// Words that this process and every child forked from it later share: what one writes, the others
/// read. All are zero at first. They are given back when the last process that has them drops
/// them or ends.
///
/// ```
/// use socket::process::{Fork, SharedWords};
/// use std::sync::atomic::Ordering::SeqCst;
///
/// let words = SharedWords::new(2)?;
/// let mut child = Fork::new().run(|| {
///     words[1].store(42, SeqCst);
///     0
/// })?;
/// child.wait()?;
/// assert_eq!(words[1].load(SeqCst), 42);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct SharedWords {
    first: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the mapping belongs to this value alone, and what is in it may be used from any thread.
unsafe impl Send for SharedWords {}
// SAFETY: a shared reference gives out nothing but shared references to atomics.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// `count` words. Memory is taken by the page, and only for the pages that are written to.
    ///
    /// # Errors
    /// `InvalidInput` for none, or for more than fit into the address space; `ENOMEM`.
    pub fn new(count: usize) -> io::Result<SharedWords> {
        let bytes = count.checked_mul(size_of::<AtomicU64>()).filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or(io::ErrorKind::InvalidInput)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: asks for new memory at a place of the kernel's choice, so nothing is replaced.
        let place = unsafe { libc::mmap(ptr::null_mut(), bytes, access, flags, -1, 0) };
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = NonNull::new(place.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(SharedWords { first, count })
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping holds `count` words, begins at a page and therefore aligned, is zero
        // or what was stored, and lasts as long as `self`.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        let bytes = self.count * size_of::<AtomicU64>();
        // SAFETY: the mapping is `self`'s own, and every reference into it has ended by now. In
        // other processes it stays.
        unsafe { libc::munmap(self.first.as_ptr().cast(), bytes) };
    }
}
