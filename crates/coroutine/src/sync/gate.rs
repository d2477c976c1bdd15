//! Permits that are taken and given back, and those who wait for them: what every lock, semaphore
//! and channel here is made of.
//!
//! | made of it | permits |
//! |---|---|
//! | a mutex | one |
//! | a lock of readers and writers | very many; a reader takes one, a writer all |
//! | a semaphore | as many as it has |
//! | a channel | one gate for values to take, one for room to send into |
//!
//! One word holds the free permits and what is known of the queue, so that taking a permit that is
//! free is one compare-exchange, and giving one back that nobody waits for is one addition:
//!
//! ```text
//!   63                                            4   3        2       1     0
//!   ┌──────────────────────────────────────────────┬────────┬───────┬─────┬────────┐
//!   │ free permits                                 │ CLOSED │ WOKEN │ DUE │ QUEUED │
//!   └──────────────────────────────────────────────┴────────┴───────┴─────┴────────┘
//! ```
//! The flags change only under the latch of the queue; the permits by anyone. `QUEUED`: somebody
//! waits. `WOKEN`: the longest waiter was told of a permit and has not answered yet. `DUE`: it is
//! that waiter's turn, and nobody else may take a permit.
//!
//! **Fairness.** Who has waited longest is woken first, and then competes for the permit with those
//! who happen to come by: to hand it over instead would leave it idle for as long as a sleeping
//! thread takes to wake up, at each turn. A waiter that was woken [`OVERTAKEN`] times in vain is
//! due. Someone who wants several permits is due as soon as nobody is before it, because otherwise
//! those who want one could keep it waiting for ever. Where there are permits for the longest
//! waiter and more, it is given its own without competition.
//!
//! **Waiters that vanish.** A waiter that times out, is cancelled or is unwound leaves the queue,
//! and what it was granted or told of meanwhile goes to the next. One that is abandoned, its stack
//! leaked, cannot do so: it stays in the queue until its turn, when it turns out that nobody is
//! there to be woken, and the turn goes to the next. (If it is abandoned between its being woken
//! and its running, its turn is lost like a guard that was leaked. What it waits in is shared
//! memory, so that is as bad as it gets.)
//!
//! Deliberately absent: what the permits guard.

use socket::Deadline;

use super::error::WaitError;
use super::queue::{Fate, Queue, Ticket};
use crate::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::atomic::{Arc, AtomicUsize, Latch, OVERTAKEN, const_where_possible};
use crate::parker::{Heed, Parked, Parker};

/// Permits, and those who wait for them.
#[derive(Debug)]
pub(crate) struct Gate {
    state: AtomicUsize,
    queue: Latch<Queue>,
}

const QUEUED: usize = 1;
const DUE: usize = 1 << 1;
const WOKEN: usize = 1 << 2;
const CLOSED: usize = 1 << 3;
const ONE: usize = 1 << 4;

/// The most permits there can be.
pub(crate) const PERMITS_MAX: usize = usize::MAX / ONE;

fn free(state: usize) -> usize {
    state / ONE
}

impl Gate {
    const_where_possible! {
        /// With so many free permits, [`PERMITS_MAX`] at most.
        pub(crate) const fn new(permits: usize) -> Gate {
            Gate { state: AtomicUsize::new(permits * ONE), queue: Latch::new(Queue::new()) }
        }
    }

    /// How many permits are free at this moment.
    pub(crate) fn free(&self) -> usize {
        free(self.state.load(Relaxed))
    }

    /// Takes the permit of a gate that has one in all, if it is free and nobody waits for it: one
    /// compare-exchange.
    #[inline]
    pub(crate) fn try_only(&self) -> bool {
        self.state.compare_exchange(ONE, 0, Acquire, Relaxed).is_ok()
    }

    /// Takes `count` permits if they are free.
    #[inline]
    pub(crate) fn try_acquire(&self, count: usize) -> bool {
        let mut state = self.state.load(Relaxed);
        while free(state) >= count && state & DUE == 0 {
            let taken = state - count * ONE;
            match self.state.compare_exchange_weak(state, taken, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Takes `count` permits as soon as they are to be had.
    ///
    /// # Errors
    /// `Disconnected` when the gate is closed and too few are free; what ended the wait otherwise.
    pub(crate) fn acquire(
        &self,
        count: usize,
        deadline: Deadline,
        heed: Heed,
    ) -> Result<(), WaitError> {
        match self.try_acquire(count) {
            true => Ok(()),
            false => self.wait(count, deadline, heed),
        }
    }

    /// Gives `count` permits back.
    #[inline]
    pub(crate) fn release(&self, count: usize) {
        let before = self.state.fetch_add(count * ONE, Release);
        // Who was told of the only permit still has to answer, and will find this one.
        let told = before & WOKEN != 0 && free(before) + count == 1;
        if before & QUEUED != 0 && !told {
            self.serve();
        }
    }

    /// Ends every wait. From now on permits that are free can be taken, and none waited for.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        let waiting = queue.close();
        self.set_flags(QUEUED | DUE | WOKEN, CLOSED);
        drop(queue);
        for ticket in waiting {
            ticket.unpark();
        }
    }

    #[cold]
    fn wait(&self, count: usize, deadline: Deadline, heed: Heed) -> Result<(), WaitError> {
        if deadline == Deadline::Immediate {
            return match (self.state.load(Relaxed) & CLOSED != 0, self.try_acquire(count)) {
                (_, true) => Ok(()),
                (true, false) => Err(WaitError::Disconnected),
                (false, false) => Err(WaitError::WouldBlock),
            };
        }
        let deadline = deadline.fixed();
        let parker = Parker::new();
        while let Some(place) = self.queue_up(count, &parker)? {
            match place.wait(&parker, deadline, heed)? {
                Fate::Granted => return Ok(()),
                // The gate was closed: what is free can still be taken.
                _ => continue,
            }
        }
        Ok(())
    }

    /// Takes the permits (`None`), or a place in the queue for them.
    pub(crate) fn queue_up(
        &self,
        count: usize,
        parker: &Parker,
    ) -> Result<Option<Place<'_>>, WaitError> {
        let mut queue = self.queue.lock();
        let due = if count > 1 && queue.head().is_none() { DUE } else { 0 };
        let mut state = self.state.load(Relaxed);
        loop {
            let takes = free(state) >= count && state & DUE == 0;
            if !takes && state & CLOSED != 0 {
                return Err(WaitError::Disconnected);
            }
            let next = if takes { state - count * ONE } else { state | QUEUED | due };
            match self.state.compare_exchange_weak(state, next, Acquire, Relaxed) {
                Ok(_) if takes => return Ok(None),
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        Ok(Some(Place { gate: self, ticket: queue.push(parker, count), count, left: false }))
    }

    /// What a waiter does that was woken: it takes the permits if they are still there.
    fn answer(&self, ticket: &Arc<Ticket>, count: usize) -> Fate {
        let mut queue = self.queue.lock();
        if ticket.fate() != Fate::Waiting {
            return ticket.fate();
        }
        if !queue.is_head(ticket) {
            return Fate::Waiting;
        }
        let mut state = self.state.load(Relaxed);
        loop {
            let takes = free(state) >= count;
            if !takes && state & WOKEN == 0 {
                return Fate::Waiting;
            }
            let next = if takes { state - count * ONE } else { state & !WOKEN };
            match self.state.compare_exchange_weak(state, next, Acquire, Relaxed) {
                Ok(_) if takes => break,
                Ok(_) => {
                    self.overtaken(&mut queue);
                    return Fate::Waiting;
                }
                Err(now) => state = now,
            }
        }
        queue.grant();
        self.settle(&mut queue);
        drop(queue);
        self.serve_if_free();
        Fate::Granted
    }

    /// Takes a waiter out that does not want to wait any longer.
    fn leave(&self, ticket: &Arc<Ticket>) -> Fate {
        let mut queue = self.queue.lock();
        let was_head = queue.is_head(ticket);
        let fate = queue.leave(ticket);
        if was_head {
            self.settle(&mut queue);
            drop(queue);
            self.serve_if_free();
        }
        fate
    }

    fn serve_if_free(&self) {
        let state = self.state.load(Relaxed);
        if state & QUEUED != 0 && free(state) > 0 {
            self.serve();
        }
    }

    /// Gives the free permits to those who wait, as far as they go.
    #[cold]
    fn serve(&self) {
        loop {
            let Some((ticket, count, granted)) = self.next() else { return };
            if !ticket.unpark() {
                self.bury(&ticket, count);
            } else if !granted {
                return;
            }
        }
    }

    /// Takes a waiter out that will not run again, and takes back what it was granted.
    #[cold]
    fn bury(&self, ticket: &Arc<Ticket>, count: usize) {
        let mut queue = self.queue.lock();
        let was_head = queue.is_head(ticket);
        let fate = queue.bury(ticket);
        if was_head {
            self.settle(&mut queue);
        }
        drop(queue);
        if fate == Fate::Granted {
            self.state.fetch_add(count * ONE, Release);
        }
    }

    /// Who is to be woken now, what it wants, and whether it has been granted that.
    fn next(&self) -> Option<(Arc<Ticket>, usize, bool)> {
        let mut queue = self.queue.lock();
        let mut state = self.state.load(Relaxed);
        loop {
            let head = queue.head()?;
            let competes = head.count == 1 && free(state) == 1 && state & DUE == 0;
            if free(state) < head.count {
                // It may be that the permit was taken before anybody could be told of it.
                if head.count == 1 && state & WOKEN == 0 {
                    self.overtaken(&mut queue);
                }
                return None;
            }
            if competes && state & WOKEN != 0 {
                return None;
            }
            let count = head.count;
            let next = if competes { state | WOKEN } else { state - count * ONE };
            match self.state.compare_exchange_weak(state, next, Acquire, Relaxed) {
                Ok(_) if competes => return Some((Arc::clone(&head.ticket), count, false)),
                Ok(_) => {
                    let ticket = queue.grant()?;
                    self.settle(&mut queue);
                    return Some((ticket, count, true));
                }
                Err(now) => state = now,
            }
        }
    }

    /// Notes that the longest waiter was not quick enough.
    fn overtaken(&self, queue: &mut Queue) {
        let Some(head) = queue.head() else { return };
        head.overtaken = head.overtaken.saturating_add(1);
        if head.overtaken >= OVERTAKEN {
            self.set_flags(0, DUE);
        }
    }

    /// Brings the flags into line with whoever waits longest now.
    fn settle(&self, queue: &mut Queue) {
        let flags = match queue.head() {
            None => 0,
            Some(head) if head.count > 1 || head.overtaken >= OVERTAKEN => QUEUED | DUE,
            Some(_) => QUEUED,
        };
        self.set_flags(QUEUED | DUE | WOKEN, flags);
    }

    /// Clears and sets flags, with the latch of the queue held.
    fn set_flags(&self, clear: usize, set: usize) {
        let mut state = self.state.load(Relaxed);
        while let Err(now) =
            self.state.compare_exchange_weak(state, state & !clear | set, Relaxed, Relaxed)
        {
            state = now;
        }
    }
}

/// A place in the queue. Dropped without having waited to the end, which is what an unwinding does,
/// it passes on what it was granted.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    gate: &'a Gate,
    ticket: Arc<Ticket>,
    count: usize,
    left: bool,
}

impl Place<'_> {
    /// Waits until the permits are granted, or the gate is closed.
    fn wait(mut self, parker: &Parker, deadline: Deadline, heed: Heed) -> Result<Fate, WaitError> {
        let why = loop {
            match parker.park(deadline, heed) {
                Parked::Woken => match self.gate.answer(&self.ticket, self.count) {
                    Fate::Waiting => {}
                    fate => {
                        self.left = true;
                        return Ok(fate);
                    }
                },
                Parked::TimedOut => break WaitError::TimedOut,
                Parked::Cancelled => break WaitError::Cancelled,
                Parked::Refused => break WaitError::WouldBlock,
            }
        };
        self.left = true;
        match self.gate.leave(&self.ticket) {
            Fate::Waiting => Err(why),
            fate => Ok(fate),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.left && self.gate.leave(&self.ticket) == Fate::Granted {
            self.gate.release(self.count);
        }
    }
}
