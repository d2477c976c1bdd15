//! The scheduler of one worker: which coroutine runs next, and how it gives way.
//!
//! First in, first out, and fair: a coroutine gives way when it has to wait and, if it never has
//! to, after [`BUDGET`] operations; then the reactor is asked before it goes on. Switching is
//! corosensei's; everything else is plain memory of one thread. A coroutine is resumed by the
//! worker's loop only, and suspends itself here only.
//!
//! ```text
//!   worker's stack:      turn ─► resume ─┐                    ┌─► next
//!   ─────────────────────────────────────┼────────────────────┼──────
//!   coroutine's stack:                   └─► … recv ─► park ──┘
//! ```
//! How a coroutine gives way is in `suspend.rs`.
//!
//! What it deliberately does not know: descriptors, the reactor, other threads.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;

use corosensei::CoroutineResult;

use crate::clock::{Moment, NEVER};
use crate::dormant::Dormant;
use crate::roster::Tables;
use crate::slot::{CANCELLED, DOZES, Fiber, NO_TIMER, PERMIT, SlotRef, State, TIMED_OUT};
use crate::slots::Slots;
use crate::stack::slab::{CHUNK, Slab, SlotStack};

/// Operations that a coroutine may complete before others get their turn. One that receives as much
/// as it can take counts for as many as there are kilobytes.
pub(crate) const BUDGET: u32 = 64;

/// See the head of this file.
pub(crate) struct Scheduler {
    slab: Slab,
    /// For debuggers.
    tables: Tables,
    slots: Slots,
    first: Cell<Option<SlotRef>>,
    last: Cell<Option<SlotRef>>,
    /// Those that gave way though they could go on, the last one first.
    gave_way: Cell<Option<SlotRef>>,
    running: Cell<Option<SlotRef>>,
    timers: RefCell<crate::timers::Timers>,
    next_deadline: Cell<Moment>,
    /// What is left of the running coroutine's budget.
    pub(crate) budget: Cell<u32>,
    alive: Cell<usize>,
    abandoned: Cell<usize>,
    next_id: Cell<u64>,
    /// Whether anybody has dozed since the last look.
    pub(crate) dozes: Cell<bool>,
    /// Those whose sockets can be read from, and who have no stack yet.
    pub(crate) awake: RefCell<Vec<Box<dyn Dormant>>>,
    /// The cheap clock, as of this turn.
    pub(crate) time: Cell<Moment>,
}

impl Scheduler {
    pub(crate) fn new(slab: Slab, coroutines: usize, tables: Tables) -> Scheduler {
        Scheduler {
            tables,
            slots: Slots::new(coroutines, slab.layout()),
            slab,
            first: Cell::new(None),
            last: Cell::new(None),
            gave_way: Cell::new(None),
            running: Cell::new(None),
            timers: RefCell::default(),
            next_deadline: Cell::new(NEVER),
            budget: Cell::new(BUDGET),
            alive: Cell::new(0),
            abandoned: Cell::new(0),
            next_id: Cell::new(0),
            dozes: Cell::new(false),
            awake: RefCell::default(),
            time: Cell::new(crate::clock::coarse() & !DOZES),
        }
    }

    /// A slot and a stack for [`spawn`](Self::spawn).
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(crate) fn reserve(&self) -> io::Result<(SlotRef, SlotStack)> {
        let (number, stack) = self.slab.take()?;
        let stacks = self.slab.start_of(number);
        self.tables.note(number as usize / CHUNK, stacks);
        Ok((self.slots.take(number, stacks), stack))
    }

    /// Gives back what nobody has used for long: the pages of stacks, and chunks of which nobody
    /// has used any. `keep` is held while memory goes that others may look at.
    pub(crate) fn sweep<T>(&self, keep: impl Fn() -> T) {
        self.slab.sweep();
        while let Some(chunk) = self.slab.unused() {
            let _kept = keep();
            self.tables.forget(chunk);
            self.slots.forget(chunk);
            self.slab.release(chunk);
        }
    }

    /// Makes a coroutine of `body` in a slot that [`reserve`](Self::reserve) gave, ready to run,
    /// with `flags`.
    pub(crate) fn spawn(
        &self,
        slot: SlotRef,
        stack: SlotStack,
        body: impl FnOnce() + 'static,
        flags: u32,
    ) {
        let fiber = Fiber::with_stack(stack, move |yielder, ()| {
            slot.yielder.set(yielder);
            crate::forced::run(slot, body);
        });
        // SAFETY: the slot is free, so nobody resumes or looks at a fiber in it.
        unsafe { *slot.fiber.get() = Some(ManuallyDrop::new(fiber)) };
        slot.flags.set(flags);
        slot.id.set(self.next_id.get());
        // Of all that the worker has made in its life: the slot may be newer than those before.
        slot.generation.set(self.next_id.get() as u32);
        self.next_id.set(self.next_id.get() + 1);
        self.alive.set(self.alive.get() + 1);
        self.make_ready(slot);
    }

    /// The coroutine whose stack this is called on.
    #[inline]
    pub(crate) fn running(&self) -> Option<SlotRef> {
        self.running.get()
    }

    /// The next coroutine in the run queue.
    #[inline]
    pub(crate) fn pop(&self) -> Option<SlotRef> {
        let slot = self.first.get()?;
        self.first.set(slot.next.get());
        if self.first.get().is_none() {
            self.last.set(None);
        }
        Some(slot)
    }

    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.first.get().is_some()
    }

    /// Runs a ready coroutine until it gives way or is done. Only the worker's loop may.
    #[inline(always)]
    pub(crate) fn resume(&self, slot: SlotRef) {
        slot.state.set(State::Running);
        self.budget.set(BUDGET);
        self.running.set(Some(slot));
        // SAFETY: only this function touches the fiber of a slot that is not free, and it is never
        // entered twice for one slot: a coroutine cannot call the worker's loop.
        let fiber = unsafe { &mut *slot.fiber.get() }.as_mut();
        debug_assert!(fiber.is_some());
        // SAFETY: `spawn` puts a fiber into a slot before it is ready for the first time, and
        // `finish` takes it out when it is never ready again.
        let fiber = unsafe { fiber.unwrap_unchecked() };
        let result = fiber.resume(());
        self.running.set(None);
        if let CoroutineResult::Return(()) = result {
            self.finish(slot);
        }
    }

    /// Puts a coroutine at the end of the run queue.
    #[inline]
    pub(crate) fn make_ready(&self, slot: SlotRef) {
        slot.state.set(State::Ready);
        slot.next.set(None);
        match self.last.replace(Some(slot)) {
            Some(last) => last.next.set(Some(slot)),
            None => self.first.set(Some(slot)),
        }
    }

    /// Has a coroutine that gives way run again in the next turn: when the reactor has been asked,
    /// and those whose events it had not told yet have had theirs.
    pub(crate) fn make_ready_later(&self, slot: SlotRef) {
        slot.state.set(State::Ready);
        slot.next.set(self.gave_way.replace(Some(slot)));
    }

    /// Puts those that gave way into the run queue, in the order in which they did.
    #[inline]
    pub(crate) fn end_turn(&self) {
        if self.gave_way.get().is_some() {
            self.queue_those_that_gave_way();
        }
    }

    #[inline(never)]
    fn queue_those_that_gave_way(&self) {
        let (mut left, mut first) = (self.gave_way.take(), None);
        while let Some(slot) = left {
            left = slot.next.replace(first);
            first = Some(slot);
        }
        while let Some(slot) = first {
            first = slot.next.get();
            self.make_ready(slot);
        }
    }

    /// Wakes a coroutine that is parked. Any other one is left as it is.
    #[inline]
    pub(crate) fn unpark(&self, slot: SlotRef) {
        if slot.state.get() == State::Parked {
            self.make_ready(slot);
        }
    }

    /// Gives the coroutine its permit, and wakes it. False if it has ended or was abandoned.
    pub(crate) fn wake(&self, number: u32, generation: u32) -> bool {
        let Some(slot) = self.living(number, generation) else { return false };
        slot.raise(PERMIT);
        self.unpark(slot);
        true
    }

    /// Cancels a coroutine. One that has ended is ignored.
    pub(crate) fn cancel(&self, number: u32, generation: u32) {
        if let Some(slot) = self.living(number, generation) {
            slot.raise(CANCELLED);
            self.unpark(slot);
        }
    }

    /// Leaves a coroutine that is not in the run queue as it is, for ever.
    pub(crate) fn abandon(&self, slot: SlotRef) {
        slot.state.set(State::Abandoned);
        self.slab.abandon(slot.number);
        self.alive.set(self.alive.get() - 1);
        self.abandoned.set(self.abandoned.get() + 1);
    }

    /// Takes a returned coroutine out of its slot, and both are free again.
    fn finish(&self, slot: SlotRef) {
        // SAFETY: the fiber has returned, and `resume`, which alone touches it, has let go of it.
        let fiber = unsafe { &mut *slot.fiber.get() }.take();
        let fiber = fiber.expect("a slot that ran has a fiber");
        slot.state.set(State::Free);
        if slot.timer.get() != NO_TIMER {
            self.timers.borrow_mut().remove(slot);
        }
        self.slots.give_back(slot);
        self.slab.give_back(slot.number, ManuallyDrop::into_inner(fiber).into_stack());
        self.alive.set(self.alive.get() - 1);
    }

    /// The slot of this number, if there is one.
    #[inline]
    pub(crate) fn find(&self, number: u32) -> Option<SlotRef> {
        self.slots.find(number)
    }

    /// The slot, if that coroutine is still in it.
    fn living(&self, number: u32, generation: u32) -> Option<SlotRef> {
        let slot = self.find(number)?;
        (slot.generation.get() == generation && slot.is_alive()).then_some(slot)
    }

    /// Every slot with a coroutine that may still run.
    pub(crate) fn all(&self) -> impl Iterator<Item = SlotRef> {
        self.slots.all()
    }

    /// Wakes everyone whose deadline has passed, in the order of the deadlines.
    pub(crate) fn fire(&self, now: Moment) {
        while let Some(slot) = { self.timers.borrow_mut().due(now) } {
            slot.deadline.set(NEVER);
            if slot.state.get() == State::Parked {
                slot.raise(TIMED_OUT);
                self.make_ready(slot);
            }
        }
        self.next_deadline.set(self.timers.borrow().next());
    }

    /// Ends the waits of those who doze since `before`.
    pub(crate) fn end_dozes(&self, before: Moment) {
        self.dozes.set(false);
        for slot in self.all().filter(|slot| slot.dozes.get() || slot.since.get() & DOZES != 0) {
            if slot.state.get() == State::Parked && slot.since.get() <= before {
                slot.raise(TIMED_OUT);
                self.make_ready(slot);
            } else {
                self.dozes.set(true);
            }
        }
    }

    /// No later than the next deadline.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Moment {
        self.next_deadline.get()
    }

    #[inline(never)]
    pub(crate) fn set_timer(&self, slot: SlotRef, deadline: Moment) {
        let mut timers = self.timers.borrow_mut();
        timers.set(slot, deadline);
        self.next_deadline.set(timers.next());
    }

    /// What the coroutine in slot `number` is called by [`list`](crate::list).
    pub(crate) fn id_of(&self, number: u32) -> u64 {
        self.find(number).map_or(0, |slot| slot.id.get())
    }

    #[inline]
    pub(crate) fn set_time(&self, time: Moment) {
        self.time.set(time & !DOZES);
    }

    pub(crate) fn slab(&self) -> &Slab {
        &self.slab
    }

    /// How many coroutines may still run.
    pub(crate) fn alive(&self) -> usize {
        self.alive.get()
    }

    pub(crate) fn abandoned(&self) -> usize {
        self.abandoned.get()
    }
}
