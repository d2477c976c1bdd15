//! Calls that follow the caller: they mean the coroutine in a coroutine and the thread on a thread.
//!
//! Deliberately absent: calls on sockets. Those follow the caller by themselves.

use std::time::Duration;

use socket::{Deadline, seam};

use crate::current;
use crate::slot::{CANCELLED, UNWINDING};

/// Blocks the caller, coroutine or thread, for this long. In a coroutine that is cancelled it
/// returns at once.
pub fn sleep(time: Duration) {
    seam::sleep(Deadline::After(time));
}

/// Lets the other coroutines of this worker run that are ready, or on a thread other threads.
pub fn yield_now() {
    match current::here() {
        Some((worker, me)) => worker.scheduler.yield_now(me),
        None => std::thread::yield_now(),
    }
}

/// Whether the caller is a coroutine.
#[must_use]
pub fn in_coroutine() -> bool {
    current::here().is_some()
}

/// Whether the caller is a coroutine that is cancelled, so that each call that would wait fails.
#[must_use]
pub fn is_cancelled() -> bool {
    current::here().is_some_and(|(_, me)| me.has(CANCELLED | UNWINDING))
}

/// Runs `work`, which blocks in some way that is not a socket's (a file, a library), where it holds
/// up nobody, and blocks the caller meanwhile. On a plain thread that is the thread itself.
///
/// # Panics
/// If `work` does.
pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    seam::blocking(work)
}
