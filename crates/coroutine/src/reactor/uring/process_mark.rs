//! Whose process this is: one word that a fork wipes.
//!
//! A forked child inherits the queues of its parent's rings and would work on them together with
//! it, with the parent's descriptors and addresses. Nothing announces a fork, and to ask for the
//! process's number is a system call. But memory can be had that the kernel gives to a child as
//! zeroes (`MADV_WIPEONFORK`); one page of that, for the whole process, holds the number.
//!
//! It deliberately forbids nothing to the child: there a ring can be made that is its own.
//!
//! `madvise(2)`.

use std::io;
use std::process;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use socket::process::hold_forks;

/// The number of the process that took it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProcessMark {
    word: &'static AtomicU32,
    number: u32,
}

impl ProcessMark {
    /// # Errors
    /// `ENOMEM`; `EINVAL` before Linux 4.14.
    pub(super) fn of_this_process() -> io::Result<ProcessMark> {
        // A forked child does not find it half made.
        let _forks = hold_forks();
        let word = match WORD.get() {
            Some(word) => word,
            None => {
                let made = map()?;
                WORD.get_or_init(|| made)
            }
        };
        let number = process::id();
        word.store(number, Ordering::Relaxed);
        Ok(ProcessMark { word, number })
    }

    /// Whether this is still that process.
    #[inline]
    pub(super) fn holds(self) -> bool {
        self.word.load(Ordering::Relaxed) == self.number
    }
}

static WORD: OnceLock<&'static AtomicU32> = OnceLock::new();

/// A page that a fork wipes, never given back.
fn map() -> io::Result<&'static AtomicU32> {
    const BYTES: usize = 4096;
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
    // SAFETY: a new mapping, which replaces none.
    let page = unsafe { libc::mmap(ptr::null_mut(), BYTES, access, kind, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the page is ours, and its contents are not used yet.
    if unsafe { libc::madvise(page, BYTES, libc::MADV_WIPEONFORK) } != 0 {
        let error = io::Error::last_os_error();
        // SAFETY: the page is ours, and nobody has its address.
        unsafe { libc::munmap(page, BYTES) };
        return Err(error);
    }
    // SAFETY: the page is zeroed or holds a number, aligned, never unmapped, and only ever used
    // through this type.
    Ok(unsafe { &*page.cast::<AtomicU32>() })
}
