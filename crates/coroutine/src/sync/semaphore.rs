//! A number of permits that callers wait for.
//!
//! Deliberately absent: taking several at once, which invites two callers to wait for each other's
//! halves.

use std::fmt;
use std::time::Duration;

use socket::Deadline;

use super::error::WaitError;
use super::gate::{Gate, PERMITS_MAX};
use crate::atomic::const_where_possible;
use crate::parker::Heed;

/// Permits, of which so many callers at once may have one: a bound on how many do something.
///
/// ```
/// use coroutine::sync::Semaphore;
///
/// static TRANSCODERS: Semaphore = Semaphore::new(2);
/// {
///     let _one = TRANSCODERS.acquire()?;
///     let _two = TRANSCODERS.acquire()?;
///     assert!(TRANSCODERS.try_acquire().is_none());
/// }
/// assert_eq!(TRANSCODERS.available(), 2);
/// # Ok::<(), coroutine::sync::WaitError>(())
/// ```
pub struct Semaphore(Gate);

/// A permit of a [`Semaphore`], given back when it is dropped.
#[must_use = "the permit is given back as soon as this is dropped"]
pub struct Permit<'a>(&'a Semaphore);

impl Semaphore {
    /// The most permits there can be at once: far more than there can be callers.
    pub const PERMITS_MAX: usize = PERMITS_MAX / 2;

    const_where_possible! {
        /// With so many permits; zero until [`release`](Semaphore::release) adds some.
        ///
        /// # Panics
        /// With more than [`PERMITS_MAX`](Semaphore::PERMITS_MAX).
        #[must_use]
        pub const fn new(permits: usize) -> Semaphore {
            assert!(permits <= Semaphore::PERMITS_MAX, "more permits than Semaphore::PERMITS_MAX");
            Semaphore(Gate::new(permits))
        }
    }

    /// Waits for a permit and takes it.
    ///
    /// # Errors
    /// [`WaitError::Cancelled`] when the coroutine is cancelled and would have to wait;
    /// [`WaitError::WouldBlock`] while it is unwinding and would have to.
    pub fn acquire(&self) -> Result<Permit<'_>, WaitError> {
        self.acquire_by(Deadline::Never)
    }

    /// Waits for a permit for so long at most. A zero takes one that is free.
    ///
    /// # Errors
    /// As [`acquire`](Semaphore::acquire), and [`WaitError::TimedOut`].
    pub fn acquire_timeout(&self, limit: Duration) -> Result<Permit<'_>, WaitError> {
        self.acquire_by(Deadline::After(limit))
    }

    /// Waits for a permit until `deadline`. One that is free is taken even if that has passed.
    ///
    /// # Errors
    /// As [`acquire_timeout`](Semaphore::acquire_timeout); for [`Deadline::Immediate`],
    /// [`WaitError::WouldBlock`].
    pub fn acquire_by(&self, deadline: Deadline) -> Result<Permit<'_>, WaitError> {
        self.0.acquire(1, deadline, Heed::Cancel)?;
        Ok(Permit(self))
    }

    /// Takes a permit if one is free, and is nobody's turn.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.0.try_acquire(1).then(|| Permit(self))
    }

    /// How many permits are free at this moment; the next may be different.
    #[must_use]
    pub fn available(&self) -> usize {
        self.0.free()
    }

    /// Adds `count` permits: those of [`Permit::forget`], or new ones.
    ///
    /// # Panics
    /// If there are more than [`PERMITS_MAX`](Semaphore::PERMITS_MAX) free or added.
    pub fn release(&self, count: usize) {
        let most = Semaphore::PERMITS_MAX;
        let fits = count <= most && self.available() <= most - count;
        assert!(fits, "more permits than Semaphore::PERMITS_MAX");
        if count > 0 {
            self.0.release(count);
        }
    }
}

impl Permit<'_> {
    /// Does not give the permit back now. Whoever does the rest of the work gives it back with
    /// [`Semaphore::release`]: another coroutine, to which a guard cannot be taken.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.0.release(1);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).finish()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(self.0).finish()
    }
}
