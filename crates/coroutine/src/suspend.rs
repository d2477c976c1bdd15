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

    /// [`park`](Self::park) until an event, for whoever has just asked for itself what that asks
    /// first. With [`DOZES`](crate::slot::DOZES) it is told when it has waited for long, as if its
    /// deadline had passed.
    #[inline(always)]
    pub(crate) fn park_now(&self, me: SlotRef, waits_for: WaitsFor, dozes: Moment) -> Resumed {
        self.dozes.set(true);
        me.state.set(State::Parked);
        self.switch_since(me, waits_for, self.time.get() | dozes);
        match me.has(Ends::Event as u32 | TIMED_OUT) {
            true => self.after_parking(me, Ends::Event),
            false => Resumed::Woken,
        }
    }

    /// Whether an operation of the kernel's may begin for which `me` then is to be
    /// [parked](Self::park_pinned): what [`park`](Self::park) asks first. Unwinds as that does.
    #[inline]
    pub(crate) fn before_operation(&self, me: SlotRef) -> Option<Resumed> {
        if me.has(Ends::Event as u32)
            && let Some(answer) = self.before_parking(me, Ends::Event)
        {
            return Some(answer);
        }
        std::thread::panicking().then_some(Resumed::Refused)
    }

    /// Suspends the running coroutine while memory of its is the kernel's: it returns, and never
    /// unwinds, also where the coroutine is to be unwound, so that its caller can take the memory
    /// back first and then [give in](Self::give_in). `TimedOut` or `Cancelled` ask for that.
    ///
    /// Not for a thread that is panicking, see [`before_operation`](Self::before_operation).
    #[inline(always)]
    pub(crate) fn park_pinned(
        &self,
        me: SlotRef,
        deadline: Moment,
        waits_for: WaitsFor,
    ) -> Resumed {
        if deadline != NEVER {
            self.set_timer(me, deadline);
        }
        me.state.set(State::Parked);
        self.switch(me, waits_for);
        if deadline != NEVER {
            me.deadline.set(NEVER);
        }
        if !me.has(Ends::Event as u32 | TIMED_OUT) {
            return Resumed::Woken;
        }
        let timed_out = me.has(TIMED_OUT);
        me.lower(TIMED_OUT);
        match me.has(Ends::Event as u32) {
            true => Resumed::Cancelled,
            false if timed_out => Resumed::TimedOut,
            false => Resumed::Woken,
        }
    }

    /// Lets the others run once, where [`park_pinned`](Self::park_pinned) would have nobody who
    /// wakes.
    #[cold]
    pub(crate) fn yield_pinned(&self, me: SlotRef) {
        self.make_ready_later(me);
        self.switch(me, WaitsFor::Turn);
    }

    /// Unwinds the running coroutine if it is to be, now that nothing of it is the kernel's.
    #[inline]
    pub(crate) fn give_in(&self, me: SlotRef) {
        if me.has(UNWINDING) {
            self.unwind(me);
        }
    }

    /// Lets the others run first. Does nothing where the coroutine may not be suspended.
    pub(crate) fn yield_now(&self, me: SlotRef) {
        if me.has(UNWINDING) {
            return self.unwind(me);
        }
        if !std::thread::panicking() {
            self.make_ready_later(me);
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

    /// Counts that an operation moved many bytes: as if they had come a kilobyte at a time.
    #[inline]
    pub(crate) fn spend_for(&self, bytes: usize) {
        let worth = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        self.budget.set(self.budget.get().saturating_sub(worth));
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
        self.switch_since(me, waits_for, self.time.get());
    }

    /// The same; the wait begins at this moment, which may be marked, see `Slot::since`.
    #[inline(always)]
    fn switch_since(&self, me: SlotRef, waits_for: WaitsFor, since: Moment) {
        me.waits_for.set(waits_for);
        me.since.set(since);
        let yielder = me.yielder.get();
        // SAFETY: `me` is running, so its root has noted its yielder, which stays where it is, at
        // the base of the stack this runs on, until the root returns.
        unsafe { (*yielder).suspend(()) };
    }

    /// Suspends the running coroutine for ever.
    #[cold]
    pub(crate) fn abandon_running(&self, me: SlotRef) -> ! {
        self.abandon(me);
        loop {
            self.switch(me, WaitsFor::Another);
        }
    }
}
