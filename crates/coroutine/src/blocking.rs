//! Work that blocks, away from the worker. A thread for each call, until there is a pool.
//!
//! It deliberately does not keep threads.

use socket::Deadline;

use crate::current;

/// Runs `work` on another thread, and suspends the coroutine until it is done.
pub(crate) fn run(work: Box<dyn FnOnce() + Send>) {
    let Some(wake) = current::current() else { return work() };
    let thread = std::thread::spawn(move || {
        work();
        wake.wake();
    });
    while !thread.is_finished() {
        current::suspend_regardless(Deadline::After(std::time::Duration::from_millis(10)));
    }
}
