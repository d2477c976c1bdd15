//! The reactor over `io_uring(7)`: one ring for each worker.
//!
//! ```text
//!   recv, send, accept:  hand over ─► park ══► completion ─► unpark ─► answer
//!                            │
//!   the others:          attempt ─► would block ─► hand over a poll ─► park ══► attempt …
//!                            │
//!   the worker's loop:   one `enter`: submits all of them, fetches what is complete, sleeps
//! ```
//! **An operation lives no longer than the call that waits for it.** Whoever hands one over parks,
//! and leaves its call only when the last completion has come, whatever else happens meanwhile: a
//! deadline, a cancel, an unwinding by force, the worker's end. So the caller's own buffer can be
//! the kernel's: it outlives the operation because the caller is in it. And the ring holds no file
//! longer than a caller borrows its descriptor: closing one needs no bookkeeping.
//!
//! That is why no receive and no accept goes on by itself here (multishot): bytes taken from a
//! socket before anybody asked for them are lost to everyone else who may read from it, a thread,
//! a copy of the descriptor, another process, and so is a connection. The buffers that the kernel
//! chooses from need no such receive. What was measured is in `docs/performance-notes.md`.
//!
//! | file | its one idea |
//! |---|---|
//! | `ring.rs` | the queues, and the one call |
//! | `buffers.rs` | buffers that the kernel chooses from when something has come |
//! | `operations.rs` | who waits for what, and how it ended |
//! | `perform.rs` | a coroutine's operation, from the handing over to its end |
//! | `messages.rs` | receive and send |
//! | `converse.rs` | both at once: an answer and the wait for what comes next |
//! | `together.rs` | many sends of one caller's |
//! | `probe.rs` | whether a ring does here what it says |
//! | `process_mark.rs` | a forked child leaves its parent's ring alone |
//!
//! What it deliberately does not use: threads of the kernel's (`SQPOLL`), its table of files, which
//! shuts out every other call, and copies saved by `SEND_ZC`, which loopback makes all the same.

#![allow(unsafe_code)]

mod buffers;
mod converse;
mod messages;
mod operations;
mod perform;
mod probe;
mod process_mark;
mod ring;
#[cfg(test)]
mod tests;
mod together;

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use io_uring::opcode::{AsyncCancel, AsyncCancel2, PollAdd, Timeout};
use io_uring::squeue::Flags;
use io_uring::types::{CancelBuilder, Fd, Timespec};
use socket::seam::Target;

use self::buffers::Shelf;
use self::operations::{Kind, Operations, Outcome, Ticket, Waiter, mark, mark_of, read_mark};
use self::ring::{Completion, Ring};
use self::together::Together;
use super::ALARM;
use crate::clock::NEVER;
use crate::dormant::Dormant;
use crate::scheduler::Scheduler;
use crate::shortage::Shortages;

pub(crate) use self::operations::GENERATION;
pub(crate) use self::ring::{SIZES, Sizes};

/// See the head of this file.
pub(crate) struct Uring {
    ring: Ring,
    /// Buffers for receives into lent memory, where the kernel takes them. Goes after the ring.
    shelf: Option<Shelf>,
    operations: Operations,
    together: Together,
    bell: RawFd,
    /// Whether the poll of the bell is under way.
    hears: Cell<bool>,
    /// How many coroutines the last look woke.
    woken: Cell<u32>,
}

impl Uring {
    /// A reactor that hears `bell`, which outlives it, and notes what runs short. The ring has
    /// passed its test.
    ///
    /// # Errors
    /// Why there is no ring, or none that works.
    pub(crate) fn new(
        bell: &OwnedFd,
        sizes: Sizes,
        shortages: &Arc<Shortages>,
    ) -> io::Result<Uring> {
        let ring = Ring::new(sizes, Arc::clone(shortages))?;
        probe::test(&ring)?;
        let uring = Uring {
            // Without it a receive waits for readiness first, and costs a system call.
            shelf: Shelf::new(&ring).ok(),
            ring,
            operations: Operations::default(),
            together: Together::default(),
            bell: bell.as_raw_fd(),
            hears: Cell::new(false),
            woken: Cell::new(0),
        };
        uring.hear()?;
        Ok(uring)
    }

    /// Has the bell end the sleep, each time it rings.
    fn hear(&self) -> io::Result<()> {
        let poll = PollAdd::new(Fd(self.bell), libc::POLLIN as u32).multi(true).build();
        // SAFETY: the entry points to nothing.
        unsafe { self.ring.push(&poll.user_data(mark_of(Kind::Bell))) }?;
        self.hears.set(true);
        Ok(())
    }

    /// Looks what has happened, sleeping up to `wait` nanoseconds, and wakes whom it concerns.
    pub(crate) fn poll(&self, scheduler: &Scheduler, wait: u64) -> io::Result<()> {
        if !self.hears.get() {
            self.hear()?;
        }
        self.ring.enter(wait)?;
        self.woken.set(self.deliver(scheduler));
        Ok(())
    }

    /// See [`Reactor`](super::Reactor::set_alarm).
    pub(crate) fn set_alarm(&self) -> io::Result<()> {
        static TIME: Timespec = Timespec::new().sec(ALARM.0).nsec(ALARM.1);
        // Its answer says nothing, but ends the sleep.
        let timeout = Timeout::new(&raw const TIME).build().user_data(mark_of(Kind::Cancel));
        // SAFETY: the entry points to what is there for ever.
        unsafe { self.ring.push(&timeout) }
    }

    /// Keeps `dormant` until the target can be read from or fails: by a poll, whose file is held no
    /// longer than the box that owns it.
    pub(crate) fn keep<D: Dormant + 'static>(
        &self,
        target: Target<'_>,
        dormant: Box<D>,
    ) -> Result<(), Box<D>> {
        let ticket = self.operations.begin_asleep();
        let poll = PollAdd::new(Fd(target.fd.as_raw_fd()), libc::POLLIN as u32).build();
        // SAFETY: the entry points to nothing.
        match unsafe { self.ring.push(&poll.user_data(mark(Kind::Listed, ticket))) } {
            Ok(()) => {
                self.operations.lay(ticket, dormant);
                Ok(())
            }
            Err(_) => {
                self.operations.end(ticket);
                Err(dormant)
            }
        }
    }

    /// Wakes everybody who is dormant.
    pub(crate) fn wake_all(&self, scheduler: &Scheduler) {
        for (ticket, dormant) in self.operations.take_dormant() {
            scheduler.awake.borrow_mut().push(dormant);
            let cancel = AsyncCancel::new(mark(Kind::Listed, ticket)).build();
            let cancel = cancel.user_data(mark_of(Kind::Cancel)).flags(Flags::SKIP_SUCCESS);
            // Where it cannot be pushed, the ring's end cancels it.
            // SAFETY: the entry points to nothing.
            let _ = unsafe { self.ring.push(&cancel) };
        }
    }

    /// Notes every completion there is, and says how many had somebody who waits.
    #[inline]
    fn deliver(&self, scheduler: &Scheduler) -> u32 {
        let own = |kind, ticket: Ticket, outcome| {
            let Some(slot) = scheduler.find(ticket.place) else { return false };
            let wakes = match kind {
                Kind::Sent => self.operations.cut_short(slot, ticket, outcome),
                _ => self.operations.complete_own(slot, ticket, outcome),
            };
            if wakes {
                scheduler.unpark(slot);
            }
            wakes
        };
        let wake = |waiter| match waiter {
            Waiter::Coroutine(slot) => scheduler.unpark(slot),
            Waiter::Dormant(dormant) => scheduler.awake.borrow_mut().push(dormant),
        };
        self.deliver_to(own, wake)
    }

    #[inline(always)]
    fn deliver_to(
        &self,
        own: impl Fn(Kind, Ticket, Outcome) -> bool,
        wake: impl Fn(Waiter),
    ) -> u32 {
        let mut woken = 0;
        let note = |Completion { word, result, flags }| {
            let outcome = Outcome { result, flags };
            woken += match read_mark(word) {
                Some((kind @ (Kind::Own | Kind::Sent), ticket)) => {
                    u32::from(own(kind, ticket, outcome))
                }
                Some((kind, ticket)) => self.note_other(kind, ticket, outcome, &wake),
                None => 0,
            };
        };
        // SAFETY: `note` and what it calls only change what is known of operations and coroutines;
        // nothing of that has the ring.
        unsafe { self.ring.drain(note) };
        woken
    }

    /// Notes what is not a coroutine's own, and says how many it woke.
    #[cold]
    fn note_other(
        &self,
        kind: Kind,
        ticket: Ticket,
        outcome: Outcome,
        wake: &dyn Fn(Waiter),
    ) -> u32 {
        match kind {
            Kind::Listed => {
                let waiter = self.operations.complete(ticket, outcome);
                return waiter.map(wake).map_or(0, |()| 1);
            }
            Kind::Together => self.together.note(ticket.place, outcome.result),
            // A poll that goes on says so; one that does not is begun again.
            Kind::Bell if !io_uring::cqueue::more(outcome.flags) => self.hears.set(false),
            _ => {}
        }
        0
    }
}

/// Ends every operation, and waits for that. Whoever still waits for one was abandoned, and its
/// stack and all that it borrowed stays where it is; so a ring that cannot be emptied, which has
/// never been seen, hurts nobody when it goes.
impl Drop for Uring {
    fn drop(&mut self) {
        if !self.ring.is_ours() {
            return;
        }
        let all = AsyncCancel2::new(CancelBuilder::any()).build().user_data(mark_of(Kind::Cancel));
        // SAFETY: the entry points to nothing.
        let mut asked = unsafe { self.ring.push(&all) }.is_ok();
        while self.operations.pending() > 0 || self.hears.get() || !asked {
            if self.ring.enter(NEVER).is_err() {
                return;
            }
            let unheard = |kind, _, _| {
                if kind == Kind::Own {
                    self.operations.over_unheard();
                }
                true
            };
            self.deliver_to(unheard, drop);
            if !asked {
                // SAFETY: the entry points to nothing.
                asked = unsafe { self.ring.push(&all) }.is_ok();
            }
        }
    }
}
