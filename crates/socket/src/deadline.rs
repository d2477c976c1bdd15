//! How long a blocking call may take.
//!
//! One value says it for a whole operation, however many system calls that needs. `After` is
//! resolved as late as possible, by the driver that does the waiting, because a driver may have a
//! cheaper clock than this file; an operation of several steps fixes it first, so that every step
//! shares one limit.

use std::time::{Duration, Instant};

/// The monotonic clock as of the kernel's last tick: up to 10 ms behind, but several times cheaper
/// to read than [`Instant::now`]. For code that notes the time of every message.
///
/// Only differences mean something: it counts from some moment in the past. `clock_gettime(2)`,
/// `CLOCK_MONOTONIC_COARSE`.
#[must_use]
#[inline]
pub fn coarse_time() -> Duration {
    crate::sys::call::clock_monotonic_coarse()
}

/// When a blocking call gives up, on the monotonic clock.
///
/// ```
/// use socket::{Deadline, Family, Socket, Type};
/// use std::time::Duration;
///
/// let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
/// let both = Deadline::After(Duration::from_secs(5)).fixed(); // one limit for two calls
/// left.send_all_by(b"hello", both)?;
/// assert_eq!(right.recv_by(&mut [0; 8], both)?, 5);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deadline {
    /// Wait for as long as it takes.
    #[default]
    Never,
    /// Do not wait at all: what cannot be done now fails with `ErrorKind::WouldBlock`.
    Immediate,
    /// This long from the moment the call begins. A zero fails with `TimedOut` unless the call can
    /// be done at once.
    After(Duration),
    /// At this moment. A call that begins later fails with `TimedOut` without trying, so that a
    /// peer that always has data ready cannot outlive it.
    At(Instant),
}

impl Deadline {
    /// The same limit as a moment: `After` counted from now, the rest unchanged.
    ///
    /// A duration too long for the clock means never.
    #[must_use]
    pub fn fixed(self) -> Deadline {
        match self {
            Deadline::After(wait) => match Instant::now().checked_add(wait) {
                Some(moment) => Deadline::At(moment),
                None => Deadline::Never,
            },
            other => other,
        }
    }

    /// The earlier of the two. [`Deadline::Immediate`] is earlier than every other.
    #[must_use]
    pub fn earlier(self, other: Deadline) -> Deadline {
        match (self.fixed(), other.fixed()) {
            (Deadline::Immediate, _) | (_, Deadline::Immediate) => Deadline::Immediate,
            (Deadline::Never, limit) | (limit, Deadline::Never) => limit,
            (Deadline::At(one), Deadline::At(two)) => Deadline::At(one.min(two)),
            (limit, _) => limit,
        }
    }

    /// What is left of it: `None` for never, zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Option<Duration> {
        match self {
            Deadline::Never => None,
            Deadline::Immediate => Some(Duration::ZERO),
            Deadline::After(wait) => Some(wait),
            Deadline::At(moment) => Some(moment.saturating_duration_since(Instant::now())),
        }
    }
}

impl From<Option<Duration>> for Deadline {
    /// `None` is never.
    fn from(wait: Option<Duration>) -> Deadline {
        wait.map_or(Deadline::Never, Deadline::After)
    }
}
