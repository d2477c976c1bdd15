//! The ring: two queues shared with the kernel, and the one call that serves both.
//!
//! ```text
//!   push ─► entries ══════════► kernel          one enter per loop: it submits what was pushed,
//!                  enter(wait)    │             runs the completions that are due, and sleeps
//!   drain ◄ completions ◄═════════┘
//! ```
//! The kernel runs completions only inside `enter` (`DEFER_TASKRUN`), and only for the thread that
//! made the ring (`SINGLE_ISSUER`); whether any are due it says in a word of the queue
//! (`TASKRUN_FLAG`), so that a busy loop need not ask by a system call. Completions that find no
//! room wait in the kernel (`NODROP`) and are fetched by the next `enter`; and it is
//! [noted](crate::shortage).
//!
//! A forked child has the queues too, and shares them with its parent. So every ring knows its
//! process, and refuses to work in another one; see `process_mark.rs`.
//!
//! What it deliberately does not know: what the entries mean, or who waits for them.
//!
//! `io_uring_setup(2)`, `io_uring_enter(2)`.

use std::fmt;
use std::io;
use std::mem::size_of;
use std::sync::Arc;

use io_uring::squeue::Entry;
use io_uring::types::{BufRingEntry, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, Probe};

use super::process_mark::ProcessMark;
use crate::clock::NEVER;
use crate::shortage::{Shortage, Shortages};

/// The room of a ring's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Entries that may be pushed before they are submitted.
    pub(crate) submissions: u32,
    /// Completions that may lie before they are taken. More are kept by the kernel, slowly.
    pub(crate) completions: u32,
}

/// 16 KiB and 64 KiB. A loop resumes at most 256 coroutines, each of which pushes one entry and
/// rarely two; and most connections have at most one completion under way.
pub(crate) const SIZES: Sizes = Sizes { submissions: 256, completions: 4096 };

/// See the head of this file.
pub(super) struct Ring {
    ring: IoUring,
    /// Waits are not counted as waiting for a disk (Linux 6.15).
    quiet: EnterFlags,
    mark: ProcessMark,
    pub(super) shortages: Arc<Shortages>,
}

/// One completion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Completion {
    /// What the entry was marked with.
    pub(super) word: u64,
    /// As of the system call, an error negated.
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Ring {
    /// A ring of the calling thread's, which alone may use it. What it runs short of is noted.
    ///
    /// # Errors
    /// `EPERM`, `EACCES` denied; `ENOSYS` unknown; `EINVAL` a kernel before 6.1; `ENOMEM` memory,
    /// or the limit of what the user may lock; `EMFILE`.
    pub(super) fn new(sizes: Sizes, shortages: Arc<Shortages>) -> io::Result<Ring> {
        let mark = ProcessMark::of_this_process()?;
        let mut builder = IoUring::builder();
        builder
            .setup_clamp()
            .setup_submit_all()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_cqsize(sizes.completions);
        let ring = match builder.setup_no_sqarray().build(sizes.submissions) {
            // Before Linux 6.6.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                older(sizes).build(sizes.submissions)?
            }
            made => made?,
        };
        let quiet = match ring.params().is_feature_no_iowait() {
            true => EnterFlags::NO_IOWAIT,
            false => EnterFlags::empty(),
        };
        Ok(Ring { ring, quiet, mark, shortages })
    }

    /// What this kernel's rings can do.
    pub(super) fn probe(&self) -> io::Result<(Probe, &io_uring::Parameters)> {
        let mut probe = Probe::new();
        self.ring.submitter().register_probe(&mut probe)?;
        Ok((probe, self.ring.params()))
    }

    /// Gives the ring buffers to choose from, which are listed in `entries`.
    ///
    /// # Safety
    /// `entries` has room for so many, is aligned to a page, zeroed, and outlives the ring.
    pub(super) unsafe fn register_buffers(
        &self,
        entries: *mut BufRingEntry,
        count: u16,
        group: u16,
    ) -> io::Result<()> {
        let submitter = self.ring.submitter();
        // SAFETY: promised by the caller.
        unsafe { submitter.register_buf_ring_with_flags(entries as u64, count, group, 0) }
    }

    #[cfg(test)]
    pub(super) fn unregister_buffers(&self, group: u16) -> io::Result<()> {
        self.ring.submitter().unregister_buf_ring(group)
    }

    /// Whether this is the process that made the ring.
    #[inline]
    pub(super) fn is_ours(&self) -> bool {
        self.mark.holds()
    }

    /// Puts an entry in the queue, to be submitted by the next [`enter`](Self::enter), or by this
    /// call if there is no room.
    ///
    /// # Errors
    /// Nothing was pushed. `EBUSY`, `EAGAIN`: take completions first, then try again. `EBADF` in a
    /// forked child.
    ///
    /// # Safety
    /// What the entry points to is the kernel's until its last completion has been taken.
    #[inline]
    pub(super) unsafe fn push(&self, entry: &Entry) -> io::Result<()> {
        if !self.is_ours() {
            return Err(in_a_child());
        }
        // SAFETY: passed on to the caller.
        match unsafe { self.queue(entry) } {
            true => Ok(()),
            // SAFETY: as above.
            false => unsafe { self.push_later(entry) },
        }
    }

    /// Puts both in the queue, or neither.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Safety
    /// As for [`push`](Self::push).
    #[inline]
    pub(super) unsafe fn push_both(&self, entries: &[Entry; 2]) -> io::Result<()> {
        if !self.is_ours() {
            return Err(in_a_child());
        }
        // SAFETY: passed on to the caller.
        match unsafe { self.queue_both(entries) } {
            true => Ok(()),
            // SAFETY: as above.
            false => unsafe { self.push_both_later(entries) },
        }
    }

    /// # Safety
    /// As for [`push`](Self::push).
    #[cold]
    unsafe fn push_both_later(&self, entries: &[Entry; 2]) -> io::Result<()> {
        self.submit()?;
        // SAFETY: passed on to the caller.
        match unsafe { self.queue_both(entries) } {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EBUSY)),
        }
    }

    /// # Safety
    /// As for [`push`](Self::push).
    #[inline]
    unsafe fn queue_both(&self, entries: &[Entry; 2]) -> bool {
        // SAFETY: as in `queue`.
        let mut queue = unsafe { self.ring.submission_shared() };
        // SAFETY: promised by the caller.
        unsafe { queue.push_multiple(entries) }.is_ok()
    }

    /// # Safety
    /// As for [`push`](Self::push).
    #[cold]
    unsafe fn push_later(&self, entry: &Entry) -> io::Result<()> {
        self.submit()?;
        // SAFETY: passed on to the caller.
        match unsafe { self.queue(entry) } {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EBUSY)),
        }
    }

    /// # Safety
    /// As for [`push`](Self::push).
    #[inline]
    unsafe fn queue(&self, entry: &Entry) -> bool {
        // SAFETY: only this thread has the ring, and no other view of this queue exists: each lives
        // in one call of this module, and none of them calls another while it has one.
        let mut queue = unsafe { self.ring.submission_shared() };
        // SAFETY: promised by the caller.
        unsafe { queue.push(entry) }.is_ok()
    }

    /// Submits what was pushed, and waits for nothing.
    pub(super) fn submit(&self) -> io::Result<()> {
        let pushed = self.state().pushed;
        self.call(pushed, 0, EnterFlags::empty(), None)
    }

    /// Submits what was pushed, has the completions run that are due, and waits for one for up to
    /// `wait` nanoseconds if none is there.
    ///
    /// # Errors
    /// None that has to do with one entry. `EBADF` in a forked child.
    #[inline]
    pub(super) fn enter(&self, wait: u64) -> io::Result<()> {
        if !self.is_ours() {
            return Err(in_a_child());
        }
        let State { pushed, due } = self.state();
        if wait == 0 && pushed == 0 && !due {
            return Ok(());
        }
        let wanted = u32::from(wait != 0 && self.has_none());
        let time = match wait {
            0 | NEVER => None,
            wait => {
                let seconds = Timespec::new().sec(wait / 1_000_000_000);
                Some(seconds.nsec((wait % 1_000_000_000) as u32))
            }
        };
        self.call(pushed, wanted, EnterFlags::GETEVENTS | self.quiet, time.as_ref())
    }

    #[inline]
    fn call(
        &self,
        submit: u32,
        wanted: u32,
        flags: EnterFlags,
        time: Option<&Timespec>,
    ) -> io::Result<()> {
        let submitter = self.ring.submitter();
        let answer = match time {
            None => {
                // SAFETY: `submit` entries are in the queue, each fit to be submitted, as whoever
                // pushed it has promised; there is no argument.
                unsafe { submitter.enter::<libc::sigset_t>(submit, wanted, flags.bits(), None) }
            }
            Some(time) => {
                let args = SubmitArgs::new().timespec(time);
                let flags = flags | EnterFlags::EXT_ARG;
                // SAFETY: as above; the argument is of the type that this flag announces, and it
                // and the time it points to outlive the call.
                unsafe { submitter.enter(submit, wanted, flags.bits(), Some(&args)) }
            }
        };
        match answer.err().and_then(|error| error.raw_os_error()) {
            // Nothing came in time; a signal came; completions have to be taken first; memory is
            // short for the moment. In each case the next loop finds everything as it was.
            None | Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            Some(error) => Err(io::Error::from_raw_os_error(error)),
        }
    }

    #[inline]
    fn state(&self) -> State {
        // SAFETY: as in `queue`.
        let queue = unsafe { self.ring.submission_shared() };
        // Asked first: the next `enter` clears it, also where others are due.
        let overflows = queue.cq_overflow();
        if overflows {
            self.shortages.note(Shortage::Completions);
        }
        State { pushed: queue.len() as u32, due: overflows || queue.taskrun() }
    }

    /// Whether no completion lies in the queue.
    #[inline]
    fn has_none(&self) -> bool {
        // SAFETY: as in `queue`, for the other queue.
        unsafe { self.ring.completion_shared() }.is_empty()
    }

    /// Takes every completion there is.
    ///
    /// # Safety
    /// `each` uses nothing of this ring.
    #[inline(always)]
    pub(super) unsafe fn drain(&self, mut each: impl FnMut(Completion)) {
        // SAFETY: as in `has_none`; for the time of this view, the caller promises it.
        for entry in unsafe { self.ring.completion_shared() } {
            let (result, flags) = (entry.result(), entry.flags());
            each(Completion { word: entry.user_data(), result, flags });
        }
    }

    /// Takes a completion, if there is one.
    pub(super) fn take(&self) -> Option<Completion> {
        // SAFETY: as in `has_none`.
        let entry = unsafe { self.ring.completion_shared() }.next()?;
        Some(Completion { word: entry.user_data(), result: entry.result(), flags: entry.flags() })
    }
}

/// What the submission queue says.
struct State {
    pushed: u32,
    /// There are completions that only an `enter` brings.
    due: bool,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").finish_non_exhaustive()
    }
}

/// The same without `NO_SQARRAY`.
fn older(sizes: Sizes) -> io_uring::Builder {
    let mut builder = IoUring::builder();
    builder
        .setup_clamp()
        .setup_submit_all()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_cqsize(sizes.completions);
    builder
}

#[cold]
pub(super) fn in_a_child() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

// The argument of `enter` is passed with its size.
const _: () = assert!(size_of::<SubmitArgs<'_, '_>>() == 24);
