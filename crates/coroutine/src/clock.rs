//! The worker's clock: nanoseconds on the monotonic clock, exact or as of the kernel's last tick.
//!
//! A turn of the scheduler reads the cheap clock once; the exact one is read only where something
//! is due soon. A deadline computed from the cheap clock is put one tick later, so that it is never
//! early. `clock_gettime(2)`.
//!
//! It deliberately knows nothing of who waits.

#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use socket::Deadline;

/// A moment, in nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) type Moment = u64;

/// The moment that never comes.
pub(crate) const NEVER: Moment = Moment::MAX;

/// One tick at the slowest rate that Linux is built with (100 Hz).
pub(crate) const TICK: u64 = 10_000_000;

/// From here on a wait is long enough for a clock that is a tick behind.
const LONG: Duration = Duration::from_millis(100);

/// Translates between [`Instant`], which has no number, and [`Moment`].
#[derive(Debug)]
pub(crate) struct Clock {
    instant: Instant,
    moment: Moment,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        // In this order, so that what is translated is late by some nanoseconds, never early.
        let instant = Instant::now();
        Clock { instant, moment: now() }
    }

    /// When `deadline` passes. An immediate one has.
    #[inline]
    pub(crate) fn moment(&self, deadline: Deadline) -> Moment {
        match deadline {
            Deadline::Never => NEVER,
            limited => self.moment_of(limited),
        }
    }

    #[inline(never)]
    fn moment_of(&self, deadline: Deadline) -> Moment {
        match deadline {
            Deadline::Never => NEVER,
            Deadline::Immediate => 0,
            Deadline::After(wait) if wait >= LONG => {
                coarse().saturating_add(TICK).saturating_add(nanos(wait))
            }
            Deadline::After(wait) => now().saturating_add(nanos(wait)),
            Deadline::At(instant) => match instant.checked_duration_since(self.instant) {
                Some(after) => self.moment.saturating_add(nanos(after)),
                None => 0,
            },
        }
    }
}

/// The exact clock.
pub(crate) fn now() -> Moment {
    read(libc::CLOCK_MONOTONIC)
}

/// The cheap clock, at most one tick behind the exact one.
#[inline]
pub(crate) fn coarse() -> Moment {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

#[inline]
fn read(clock: libc::clockid_t) -> Moment {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is room for the answer and outlives the call. With these clocks and a valid
    // address it cannot fail, and if it did, `time` would still hold one.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A duration as nanoseconds; one that does not fit (584 years) counts as the longest that does.
pub(crate) fn nanos(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)
}
