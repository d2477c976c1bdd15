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

/// Runs `work` as if this thread had no coroutines: whatever blocks in it blocks the thread, and no
/// other coroutine of this worker runs before it returns.
///
/// For foreign frames. Code that C calls back (a comparison for `qsort(3)`, a hook of a library, an
/// interpreter) runs above frames of C, which can be neither suspended beside each other nor
/// unwound by force; so it must not wait the way coroutines do. Wrap the body of the callback in
/// this, and keep it short: it holds the worker. On a plain thread it changes nothing.
///
/// ```
/// use socket::{Family, Socket, Type};
///
/// coroutine::run(|| {
///     let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
///     std::thread::spawn(move || left.send_all(b"well"));
///     // The thread waits, in the kernel.
///     coroutine::without_switching(|| right.recv_exact(&mut [0; 4]))
/// })??;
/// # std::io::Result::Ok(())
/// ```
pub fn without_switching<T>(work: impl FnOnce() -> T) -> T {
    let _later = Reinstall(seam::install(None));
    work()
}

/// Gives the thread its driver back, also when `work` panics.
struct Reinstall(Option<&'static dyn seam::Driver>);

impl Drop for Reinstall {
    fn drop(&mut self) {
        seam::install(self.0);
    }
}
