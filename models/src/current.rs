//! Who runs: threads only. It stands in for the scheduler, which has no part in these models.

use socket::Deadline;

/// Wakes a coroutine, of which there are none.
#[derive(Debug, Clone)]
pub(crate) struct Wake;

impl Wake {
    pub(crate) fn wake(&self) -> bool {
        false
    }
}

/// How a suspension ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the scheduler's own enum; here nothing is suspended")]
pub(crate) enum Resumed {
    Woken,
    TimedOut,
    Cancelled,
    Refused,
}

pub(crate) fn spend() {}

pub(crate) fn current() -> Option<Wake> {
    None
}

pub(crate) fn suspend(_deadline: Deadline) -> Resumed {
    Resumed::Refused
}

pub(crate) fn suspend_regardless(_deadline: Deadline) -> Resumed {
    Resumed::Refused
}
