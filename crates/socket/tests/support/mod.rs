//! What tests share: a bound on how long one may take.

use std::process;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Aborts the test program, with a word on stderr, unless it is dropped within `limit`.
#[must_use]
pub(crate) fn watchdog(limit: Duration) -> Watchdog {
    let (alive, dropped) = mpsc::channel::<()>();
    let test = thread::current().name().unwrap_or("test").to_owned();
    thread::spawn(move || {
        if dropped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            eprintln!("watchdog: {test} hangs after {limit:?}");
            process::abort();
        }
    });
    Watchdog { _alive: alive }
}

/// Disarms the watchdog when dropped.
pub(crate) struct Watchdog {
    _alive: mpsc::Sender<()>,
}
