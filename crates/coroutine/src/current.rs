//! Who runs: the coroutine of this moment, if it is one. (The scheduler's own comes in its place.)
//!
//! It deliberately knows nothing: every caller is a thread.

use socket::Deadline;

/// Wakes one coroutine.
#[derive(Debug, Clone)]
pub(crate) struct Wake;

impl Wake {
    /// Wakes it.
    pub(crate) fn wake(&self) {}
}

/// How a suspension ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumed {
    Woken,
    TimedOut,
    Cancelled,
    Refused,
}

/// The running coroutine.
pub(crate) fn current() -> Option<Wake> {
    None
}

/// Suspends it.
pub(crate) fn suspend(_deadline: Deadline) -> Resumed {
    Resumed::Refused
}

/// Suspends it, cancelled or not.
pub(crate) fn suspend_regardless(_deadline: Deadline) -> Resumed {
    Resumed::Refused
}
