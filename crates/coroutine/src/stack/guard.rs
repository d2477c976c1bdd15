//! Guards: pages that fault when touched, so that an overflowing stack ends in a message and not in
//! its neighbour.
//!
//! Since Linux 6.13 `madvise(MADV_GUARD_INSTALL)` marks pages in the page table: no mapping is
//! split and a hundred thousand stacks stay a handful of mappings. Older kernels, and memory locked
//! with
//! `mlockall(2)`, need `mprotect(2)`, which splits: two mappings for each stack, of which a process
//! may have `vm.max_map_count` (65 530 unless raised).
//!
//! Deliberately absent: guards that can be taken away again. A slab is unmapped as a whole.

#![allow(unsafe_code)]

use std::fs;
use std::io;

/// `MADV_GUARD_INSTALL` of `linux/mman.h`, which libc does not have yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// Mappings that are left to the rest of the process where each stack takes two.
const SPARED: usize = 4096;

/// How guards are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guards {
    /// `MADV_GUARD_INSTALL`.
    Marked,
    /// `mprotect(PROT_NONE)`.
    Protected,
}

impl Guards {
    /// Tries out which ones this kernel has, on a page of its own.
    pub(crate) fn probe() -> io::Result<Guards> {
        let length = page_bytes();
        let page = reserve(length)?;
        let guards = match install(page, length, Guards::Marked) {
            Ok(()) => Guards::Marked,
            Err(_) => Guards::Protected,
        };
        // SAFETY: the mapping was made above, and nothing points into it.
        unsafe { release(page, length) };
        Ok(guards)
    }

    /// How many stacks there may be, and why not more.
    pub(crate) fn most_stacks(self) -> usize {
        match self {
            Guards::Marked => usize::MAX,
            Guards::Protected => mappings_allowed().saturating_sub(SPARED) / 2,
        }
    }
}

/// What a process may have of mappings; the kernel's default where it does not say.
pub(crate) fn mappings_allowed() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    text.trim().parse().unwrap_or(65_530)
}

/// Makes `length` bytes from `start` on a guard.
///
/// # Errors
/// `EINVAL` where the kernel does not know marked guards; `ENOMEM` out of memory or mappings.
pub(crate) fn install(start: usize, length: usize, guards: Guards) -> io::Result<()> {
    let pointer = start as *mut libc::c_void;
    let answer = match guards {
        // SAFETY: the range is inside a mapping of the slab, between its stacks, where nothing is.
        Guards::Marked => unsafe { libc::madvise(pointer, length, MADV_GUARD_INSTALL) },
        // SAFETY: as above.
        Guards::Protected => unsafe { libc::mprotect(pointer, length, libc::PROT_NONE) },
    };
    check(answer)
}

/// Reserves `length` bytes of address space that cost memory only where they are touched, and are
/// never made of huge pages: those would make a stack of one page one of 512.
pub(crate) fn reserve(length: usize) -> io::Result<usize> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    // SAFETY: asks for a new mapping anywhere; no existing memory is involved.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range is the new mapping; the advice changes no content. A kernel built without
    // huge pages refuses it, and needs it as little.
    unsafe { libc::madvise(start, length, libc::MADV_NOHUGEPAGE) };
    Ok(start as usize)
}

/// Gives the pages back; the range stays and reads as zeros.
///
/// # Safety
/// Nothing in the range is in use.
pub(crate) unsafe fn discard(start: usize, length: usize) {
    // SAFETY: the caller's promise; the range is inside a private anonymous mapping. Guards in it
    // survive. It fails for locked memory, which then stays as it is.
    unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
}

/// Which pages of a mapping have memory, a byte for each, 1 if it has: those that were touched and
/// not given back. A guard among them may be either. `mincore(2)`.
///
/// # Errors
/// `ENOMEM` for what is not mapped, `EAGAIN` out of memory.
pub(crate) fn resident(start: usize, length: usize, pages: &mut Vec<u8>) -> io::Result<()> {
    pages.clear();
    pages.resize(length.div_ceil(page_bytes()), 0);
    // SAFETY: there is a byte for each page, and what is asked about is only looked at by the
    // kernel, wherever it is.
    let answer = unsafe { libc::mincore(start as *mut libc::c_void, length, pages.as_mut_ptr()) };
    pages.iter_mut().for_each(|page| *page &= 1);
    check(answer)
}

/// Unmaps what [`reserve`] has mapped.
///
/// # Safety
/// Nothing points into the range.
pub(crate) unsafe fn release(start: usize, length: usize) {
    // SAFETY: the caller's promise. It cannot fail for a whole mapping.
    unsafe { libc::munmap(start as *mut libc::c_void, length) };
}

/// The size of a page.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: takes an integer.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(answer).expect("every system has pages")
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
