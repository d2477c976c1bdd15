//! Waiting for what a mutex guards to change.
//!
//! The guard goes in by value and comes back by value. Were it lent, an unwinding that comes out of
//! the wait would drop a guard of a lock that it does not hold.

use std::fmt;
use std::time::Duration;

use socket::Deadline;

use super::error::WaitError;
use super::mutex::MutexGuard;
use super::queue::{Fate, Queue, Ticket};
use crate::atomic::Ordering::Relaxed;
use crate::atomic::{Arc, AtomicUsize, Latch, const_where_possible};
use crate::parker::{Heed, Parked, Parker};

/// Where callers wait until someone says that what a [`Mutex`](super::Mutex) guards has changed.
///
/// Every wait gives the guard back, with the lock held again, and beside it how the wait ended. A
/// cancelled coroutine does not wait: so a loop has to look at that, or it would never end.
///
/// ```
/// use coroutine::sync::{Condvar, Mutex};
/// use std::sync::Arc;
///
/// let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
/// let other = Arc::clone(&shared);
/// let worker = coroutine::spawn(move || {
///     other.0.lock().push("done");
///     other.1.notify_one();
/// });
/// let (jobs, waited) = shared.1.wait_while(shared.0.lock(), |jobs| jobs.is_empty());
/// waited?;
/// assert_eq!(*jobs, ["done"]);
/// # drop(jobs);
/// # worker.join().unwrap();
/// # Ok::<(), coroutine::sync::WaitError>(())
/// ```
pub struct Condvar {
    /// How many wait, so that a notification that nobody waits for is one load. Whoever has seen
    /// the change that a waiter has not comes after it in the order of the mutex, and so sees it
    /// counted.
    waiting: AtomicUsize,
    queue: Latch<Queue>,
}

/// The guard, with the lock held again, and how the wait ended.
type Waited<'a, T> = (MutexGuard<'a, T>, Result<(), WaitError>);

impl Condvar {
    const_where_possible! {
        /// Where nobody waits yet.
        #[must_use]
        pub const fn new() -> Condvar {
            Condvar { waiting: AtomicUsize::new(0), queue: Latch::new(Queue::new()) }
        }
    }

    /// Frees the lock, waits for a notification and takes the lock again. What is waited for need
    /// not be so then; see [`wait_while`](Condvar::wait_while).
    ///
    /// # Errors
    /// Beside the guard: [`WaitError::Cancelled`] when the coroutine is cancelled, before or
    /// meanwhile; [`WaitError::WouldBlock`] while it is unwinding.
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> Waited<'a, T> {
        self.wait_by(guard, Deadline::Never)
    }

    /// [`wait`](Condvar::wait), for so long at most. The lock is taken again however long that
    /// takes.
    ///
    /// # Errors
    /// As [`wait`](Condvar::wait), and [`WaitError::TimedOut`].
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> Waited<'a, T> {
        self.wait_by(guard, Deadline::After(limit))
    }

    /// Waits for as long as `condition` says so of the value.
    ///
    /// # Errors
    /// As [`wait`](Condvar::wait); the condition then still holds.
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Waited<'a, T> {
        self.wait_while_by(guard, condition, Deadline::Never)
    }

    /// [`wait_while`](Condvar::wait_while), for so long at most.
    ///
    /// # Errors
    /// As [`wait_timeout`](Condvar::wait_timeout); the condition then still holds.
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Waited<'a, T> {
        self.wait_while_by(guard, condition, Deadline::After(limit).fixed())
    }

    /// Wakes whoever has waited longest, if anybody waits.
    pub fn notify_one(&self) {
        if self.waiting.load(Relaxed) == 0 {
            return;
        }
        loop {
            let ticket = self.next(&mut self.queue.lock());
            // One that will not run again has no use for it.
            if ticket.is_none_or(|ticket| ticket.unpark()) {
                return;
            }
        }
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        if self.waiting.load(Relaxed) == 0 {
            return;
        }
        let mut queue = self.queue.lock();
        let all: Vec<_> = std::iter::from_fn(|| self.next(&mut queue)).collect();
        drop(queue);
        for ticket in all {
            ticket.unpark();
        }
    }

    fn wait_while_by<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        deadline: Deadline,
    ) -> Waited<'a, T> {
        while condition(&mut guard) {
            let waited;
            (guard, waited) = self.wait_by(guard, deadline);
            if waited.is_err() {
                let still = condition(&mut guard);
                return (guard, if still { waited } else { Ok(()) });
            }
        }
        (guard, Ok(()))
    }

    fn wait_by<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Deadline,
    ) -> Waited<'a, T> {
        let parker = Parker::new();
        if parker.refuses() {
            return (guard, Err(WaitError::WouldBlock));
        }
        let place = self.queue_up(&parker);
        let mutex = guard.mutex();
        drop(guard);
        let waited = place.wait(&parker, deadline.fixed());
        (mutex.lock(), waited)
    }

    /// Takes a place in the queue. What is notified from now on may come to it.
    pub(crate) fn queue_up(&self, parker: &Parker) -> Place<'_> {
        let mut queue = self.queue.lock();
        self.waiting.fetch_add(1, Relaxed);
        Place { condvar: self, ticket: queue.push(parker, 1), left: false }
    }

    /// Takes out whoever has waited longest.
    fn next(&self, queue: &mut Queue) -> Option<Arc<Ticket>> {
        let ticket = queue.grant()?;
        self.waiting.fetch_sub(1, Relaxed);
        Some(ticket)
    }

    fn leave(&self, ticket: &Arc<Ticket>) -> Fate {
        let mut queue = self.queue.lock();
        let fate = queue.leave(ticket);
        if fate == Fate::Waiting {
            self.waiting.fetch_sub(1, Relaxed);
        }
        fate
    }
}

/// A place in the queue. Dropped without having waited to the end, which is what an unwinding does,
/// it passes its notification on.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    condvar: &'a Condvar,
    ticket: Arc<Ticket>,
    left: bool,
}

impl Place<'_> {
    fn wait(mut self, parker: &Parker, deadline: Deadline) -> Result<(), WaitError> {
        let why = loop {
            match parker.park(deadline, Heed::Cancel) {
                Parked::Woken if self.ticket.fate() == Fate::Waiting => {}
                Parked::Woken => {
                    self.left = true;
                    return Ok(());
                }
                Parked::TimedOut => break WaitError::TimedOut,
                Parked::Cancelled => break WaitError::Cancelled,
                Parked::Refused => break WaitError::WouldBlock,
            }
        };
        self.left = true;
        match self.condvar.leave(&self.ticket) {
            Fate::Waiting => Err(why),
            _ => Ok(()),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.left && self.condvar.leave(&self.ticket) == Fate::Granted {
            self.condvar.notify_one();
        }
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiting", &self.waiting.load(Relaxed)).finish()
    }
}
