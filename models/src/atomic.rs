//! Loom's atomics and locks in the shape of `crates/coroutine/src/atomic.rs`.
//!
//! Threads are parked at loom's `Notify`, because its own `park` and its mutex do not go together:
//! an `unpark` there also wakes a thread that waits for a mutex.

use std::time::Duration;

use loom::sync::{MutexGuard, Notify};

pub(crate) use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
pub(crate) use std::sync::Arc;

/// A lock that is held for some instructions only.
#[derive(Debug)]
pub(crate) struct Latch<T>(loom::sync::Mutex<T>);

impl<T> Latch<T> {
    pub(crate) fn new(value: T) -> Latch<T> {
        Latch(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("nothing panics while it holds a latch")
    }
}

/// A thread, as whoever wakes it sees it.
#[derive(Debug, Clone)]
pub(crate) struct Thread(Arc<Notify>);

impl Thread {
    pub(crate) fn unpark(&self) {
        self.0.notify();
    }
}

loom::thread_local! {
    static THREAD: Thread = Thread(Arc::new(Notify::new()));
}

pub(crate) fn current_thread() -> Thread {
    THREAD.with(Clone::clone)
}

pub(crate) fn park() {
    THREAD.with(Clone::clone).0.wait();
}

/// Nobody waits for a while in a model.
pub(crate) fn park_timeout(_limit: Duration) {
    loom::thread::yield_now();
}

/// Fewer times than in the product, so that a model is small: being due is seen after one.
pub(crate) const OVERTAKEN: u8 = 1;

/// Loom's constructors are not `const`.
macro_rules! const_where_possible {
    ($(#[$attribute:meta])* $visible:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $visible fn $($rest)*
    };
}

pub(crate) use const_where_possible;
