//! A slot: all that the scheduler keeps of one coroutine, outside of its stack.
//!
//! ```text
//!            spawn            resume             suspend
//!   Free ──────────► Ready ──────────► Running ──────────► Parked
//!    ▲                 ▲                  │ │                 │
//!    └─────────────────┼── returned ──────┘ └─ abandoned      │
//!                      └─────────── woken, timed out, cancelled
//! ```
//! Slot and stack have the same number, and both are used again. The generation, which is the low
//! half of the coroutine's `id`, tells one of a slot from the next: a late wake finds nobody.
//!
//! A slot stands at the top of its stack, see `stack/head.rs`.
//!
//! Everything here belongs to the worker's thread; other threads know a slot by number and
//! generation only.

#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::RawFd;
use std::ptr::NonNull;

use corosensei::{Coroutine, Yielder};

use crate::clock::{Moment, NEVER};
use crate::stack::slab::SlotStack;

/// A coroutine of corosensei's. It takes nothing and gives nothing: orders are flags in its slot.
pub(crate) type Fiber = Coroutine<(), (), (), SlotStack>;

/// What a slot is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No coroutine.
    Free,
    /// In the run queue.
    Ready,
    /// On the processor.
    Running,
    /// Suspended until somebody wakes it.
    Parked,
    /// Suspended for ever.
    Abandoned,
}

/// What a coroutine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// For its turn, or it is running.
    Turn,
    /// Until this descriptor can be read from, a connection can be accepted from it, or it fails.
    Read(RawFd),
    /// Until this descriptor can be written to, its connection stands, or it fails.
    Write(RawFd),
    /// For one of so many descriptors.
    Any(u32),
    /// For time to pass.
    Time,
    /// For another coroutine or thread: a lock, a channel, a join, blocking work.
    Another,
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitsFor::Turn => f.write_str("its turn"),
            WaitsFor::Read(fd) => write!(f, "input from descriptor {fd}"),
            WaitsFor::Write(fd) => write!(f, "room in descriptor {fd}"),
            WaitsFor::Any(count) => write!(f, "one of {count} descriptors"),
            WaitsFor::Time => f.write_str("its time"),
            WaitsFor::Another => f.write_str("another coroutine or thread"),
        }
    }
}

/// Somebody has woken the coroutine by its `Wake`.
pub(crate) const PERMIT: u32 = 1;
/// Its deadline passed while it was parked.
pub(crate) const TIMED_OUT: u32 = 2;
/// It is cancelled: its calls fail.
pub(crate) const CANCELLED: u32 = 4;
/// It is being unwound by force.
pub(crate) const UNWINDING: u32 = 8;

/// See the head of this file.
pub(crate) struct Slot {
    pub(crate) number: u32,
    pub(crate) generation: Cell<u32>,
    pub(crate) state: Cell<State>,
    pub(crate) flags: Cell<u32>,
    /// The next in the run queue.
    pub(crate) next: Cell<Option<SlotRef>>,
    /// Where the coroutine's way back is, on its own stack.
    pub(crate) yielder: Cell<*const Yielder<(), ()>>,
    pub(crate) fiber: UnsafeCell<Option<ManuallyDrop<Fiber>>>,
    /// When it is woken at the latest.
    pub(crate) deadline: Cell<Moment>,
    /// Where it stands in the heap of timers, if it does.
    pub(crate) timer: Cell<u32>,
    /// How many calls have failed because it is cancelled or unwinding.
    pub(crate) refusals: Cell<u32>,
    pub(crate) id: Cell<u64>,
    pub(crate) waits_for: Cell<WaitsFor>,
    /// Since when; with [`DOZES`] in it if it would rather be told when it has waited for long.
    pub(crate) since: Cell<Moment>,
    /// Whether it would, in whatever it waits for now.
    pub(crate) dozes: Cell<bool>,
    /// The operation that it has handed to a ring, if its reactor is one.
    pub(crate) handed: Handed,
}

/// The operation that a coroutine has handed over, of which it has one at a time; and the send that
/// went with it, if it is the receive after that.
#[derive(Default)]
pub(crate) struct Handed {
    /// Tells it from the one before.
    pub(crate) generation: Cell<u32>,
    pub(crate) under_way: Cell<bool>,
    /// How it ended: the kernel's two words.
    pub(crate) result: Cell<i32>,
    pub(crate) flags: Cell<u32>,
    /// How the send ended, if it did not send everything.
    pub(crate) cut: Cell<Option<i32>>,
}

/// A mark in `since`, which is a nanosecond.
pub(crate) const DOZES: Moment = 1;

/// Not in the heap of timers.
pub(crate) const NO_TIMER: u32 = u32::MAX;

impl Slot {
    /// The size of what is at `fiber`.
    pub(crate) const FIBER_BYTES: usize = size_of::<UnsafeCell<Option<ManuallyDrop<Fiber>>>>();

    pub(crate) fn new(number: u32) -> Slot {
        Slot {
            number,
            generation: Cell::new(0),
            state: Cell::new(State::Free),
            flags: Cell::new(0),
            next: Cell::new(None),
            yielder: Cell::new(std::ptr::null()),
            fiber: UnsafeCell::new(None),
            deadline: Cell::new(NEVER),
            timer: Cell::new(NO_TIMER),
            refusals: Cell::new(0),
            id: Cell::new(0),
            waits_for: Cell::new(WaitsFor::Turn),
            since: Cell::new(0),
            dozes: Cell::new(false),
            handed: Handed::default(),
        }
    }

    #[inline]
    pub(crate) fn has(&self, flags: u32) -> bool {
        self.flags.get() & flags != 0
    }

    #[inline]
    pub(crate) fn raise(&self, flags: u32) {
        self.flags.set(self.flags.get() | flags);
    }

    #[inline]
    pub(crate) fn lower(&self, flags: u32) {
        self.flags.set(self.flags.get() & !flags);
    }

    /// Whether its calls fail without being made.
    #[inline]
    pub(crate) fn is_doomed(&self) -> bool {
        self.has(CANCELLED | UNWINDING)
    }

    /// Whether a coroutine is in it that may still run.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state.get(), State::Ready | State::Running | State::Parked)
    }
}

/// A slot of the scheduler of this thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotRef(NonNull<Slot>);

impl SlotRef {
    /// # Safety
    /// The slot is never moved, and outlives every copy of what is answered.
    #[cfg(test)]
    pub(crate) unsafe fn new(slot: &Slot) -> SlotRef {
        SlotRef(NonNull::from(slot))
    }
}

impl SlotRef {
    /// # Safety
    /// There is a slot. It is never moved, and is there as long as anybody has what is answered.
    pub(crate) unsafe fn at(slot: *mut Slot) -> SlotRef {
        SlotRef(NonNull::new(slot).expect("no slot is at zero"))
    }
}

impl Deref for SlotRef {
    type Target = Slot;

    #[inline]
    fn deref(&self) -> &Slot {
        // SAFETY: promised to `at`. There are only shared references to a slot.
        unsafe { self.0.as_ref() }
    }
}

impl fmt::Debug for SlotRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} {:?}", self.number, self.state.get())
    }
}
