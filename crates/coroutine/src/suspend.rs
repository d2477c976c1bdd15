//! How a running coroutine gives way: because it waits, or because it is somebody else's turn.
//!
//! ```text
//!   park ──► refused? a permit? cancelled? ──► switch ══► resumed: woken, timed out, cancelled
//! ```
//! **Cancel and force.** A cancelled coroutine's waits end and its later ones do not begin. One
//! that is unwound by force is resumed once more, and its wait turns into an unwinding with a
//! payload of ours. What then still wants to wait is refused, and one that does not take the hint
//! is abandoned: it stays suspended, its stack stays where it is, and what it borrowed stays valid.
//!
//! What it deliberately does not know: what is waited for, and who wakes.

#![allow(unsafe_code)]

use std::panic::resume_unwind;

use crate::clock::{Moment, NEVER};
use crate::forced::Forced;
use crate::scheduler::{BUDGET, Scheduler};
use crate::slot::{CANCELLED, PERMIT, SlotRef, State, TIMED_OUT, UNWINDING, WaitsFor};

/// So many calls of a cancelled coroutine fail before one of them gives way to others; and so many
/// of one that is unwound by force before it is abandoned.
pub(crate) const REFUSALS: u32 = 128;

/// How a suspension ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// Somebody woke it, or nobody did: look at what is waited for.
    Woken,
    /// The deadline has passed.
    TimedOut,
    /// The coroutine is cancelled; it was not, or not for long, suspended.
    Cancelled,
    /// It may not be suspended: its thread is panicking.
    Refused,
}

/// What may end a suspension, beside its deadline and an unwinding by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Ends {
    /// A wake by the reactor, or a cancel.
    Event = CANCELLED | UNWINDING,
    /// A wake, also an earlier one, or a cancel.
    WakeOrCancel = PERMIT | CANCELLED | UNWINDING,
    /// A wake, also an earlier one; a cancel does not.
    Wake = PERMIT | UNWINDING,
}

impl Scheduler {
    /// Suspends the running coroutine `me` until something that `ends` it happens or `deadline`
    /// has passed.
    #[inline(always)]
    pub(crate) fn park(
        &self,
        me: SlotRef,
        deadline: Moment,
        waits_for: WaitsFor,
        ends: Ends,
    ) -> Resumed {
        if me.has(ends as u32)
            && let Some(answer) = self.before_parking(me, ends)
        {
            return answer;
        }
        if std::thread::panicking() {
            return Resumed::Refused;
        }
        if deadline != NEVER {
            self.set_timer(me, deadline);
        }
        me.state.set(State::Parked);
        self.switch(me, waits_for);
        if deadline != NEVER {
            me.deadline.set(NEVER);
        }
        if me.has(ends as u32 | TIMED_OUT) { self.after_parking(me, ends) } else { Resumed::Woken }
    }

    /// Lets the others run first. Does nothing where the coroutine may not be suspended.
    pub(crate) fn yield_now(&self, me: SlotRef) {
        if me.has(UNWINDING) {
            return self.unwind(me);
        }
        if !std::thread::panicking() {
            self.make_ready(me);
            self.switch(me, WaitsFor::Turn);
            if me.has(UNWINDING) {
                self.unwind(me);
            }
        }
    }

    /// Counts a completed operation, and lets the others run if there were many.
    #[inline]
    pub(crate) fn spend(&self, me: SlotRef) {
        let left = self.budget.get();
        if left == 0 {
            return self.spent(me);
        }
        self.budget.set(left - 1);
    }

    #[cold]
    #[inline(never)]
    fn spent(&self, me: SlotRef) {
        self.budget.set(BUDGET);
        self.yield_now(me);
    }

    /// Counts a call that fails because the coroutine is cancelled or unwinding.
    #[cold]
    pub(crate) fn refuse(&self, me: SlotRef) {
        let refusals = me.refusals.get() + 1;
        me.refusals.set(refusals);
        if std::thread::panicking() || !refusals.is_multiple_of(REFUSALS) {
            return;
        }
        if me.has(UNWINDING) {
            self.abandon_running(me);
        }
        self.yield_now(me);
    }

    /// The two things for which a parking ends before it began.
    #[cold]
    fn before_parking(&self, me: SlotRef, ends: Ends) -> Option<Resumed> {
        if me.has(UNWINDING) {
            self.unwind(me);
            return Some(Resumed::Refused);
        }
        if ends != Ends::Event && me.has(PERMIT) {
            me.lower(PERMIT);
            return Some(Resumed::Woken);
        }
        self.refuse(me);
        Some(Resumed::Cancelled)
    }

    #[cold]
    fn after_parking(&self, me: SlotRef, ends: Ends) -> Resumed {
        let timed_out = me.has(TIMED_OUT);
        me.lower(TIMED_OUT);
        if me.has(UNWINDING) {
            self.unwind(me);
            return Resumed::Refused;
        }
        if ends != Ends::Event && me.has(PERMIT) {
            me.lower(PERMIT);
            return Resumed::Woken;
        }
        if ends != Ends::Wake && me.has(CANCELLED) {
            return Resumed::Cancelled;
        }
        if timed_out { Resumed::TimedOut } else { Resumed::Woken }
    }

    /// Unwinds the running coroutine from here, unless it already is unwinding.
    #[cold]
    fn unwind(&self, me: SlotRef) {
        if std::thread::panicking() {
            return;
        }
        self.refuse(me);
        resume_unwind(Box::new(Forced));
    }

    #[inline]
    fn switch(&self, me: SlotRef, waits_for: WaitsFor) {
        me.waits_for.set(waits_for);
        me.since.set(self.time.get());
        let yielder = me.yielder.get();
        // SAFETY: `me` is running, so its root has noted its yielder, which stays where it is, at
        // the base of the stack this runs on, until the root returns.
        unsafe { (*yielder).suspend(()) };
    }

    /// Suspends the running coroutine for ever.
    #[cold]
    fn abandon_running(&self, me: SlotRef) -> ! {
        self.abandon(me);
        loop {
            self.switch(me, WaitsFor::Another);
        }
    }
}
