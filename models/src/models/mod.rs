//! One model per promise. Each is run in every order that loom finds.
//!
//! What a lock guards is watched by a cell of loom's, which fails the model when two threads use it
//! at once or one of them does not see what the other has done.

#![allow(clippy::arc_with_non_send_sync, reason = "loom runs all of its threads on one")]

mod channels;
mod conditions;
mod locks;
mod mail;
mod parking;
mod permits;

use loom::cell::UnsafeCell;

/// What a lock guards.
pub(crate) struct Guarded {
    watch: UnsafeCell<()>,
    count: usize,
}

impl Guarded {
    pub(crate) fn new() -> Guarded {
        Guarded { watch: UnsafeCell::new(()), count: 0 }
    }

    /// A use that has to be alone.
    pub(crate) fn add_one(&mut self) {
        self.watch.with_mut(|_| ());
        self.count += 1;
    }

    /// A use beside others like it.
    pub(crate) fn count(&self) -> usize {
        self.watch.with(|_| ());
        self.count
    }
}

/// Runs `model` in every order in which a thread is interrupted at most `interruptions` times where
/// it need not be. Most faults show with two; what more would find, it would find in days.
pub(crate) fn explore(interruptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(model);
}
