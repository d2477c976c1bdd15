//! The end of a coroutine: its root, and the payload of an unwinding by force.
//!
//! The root catches everything, so nothing ever unwinds into the worker. What a coroutine panics
//! with goes to its join handle (`join.rs`), which catches it first; here arrives only what panics
//! on the way out.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::slot::{SlotRef, UNWINDING};

/// What a coroutine unwinds with that had to be ended by force.
#[derive(Debug)]
pub(crate) struct Forced;

/// Whether a caught panic is none: the coroutine is being ended by force, or what was joined was
/// cancelled. Whoever catches everything asks this, and passes such a payload on with
/// [`resume_unwind`](std::panic::resume_unwind).
///
/// ```
/// let caught = std::panic::catch_unwind(|| panic!("a defect"));
/// assert!(!coroutine::is_cancel(&*caught.unwrap_err()));
/// ```
#[must_use]
pub fn is_cancel(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Forced>()
}

/// Runs the body of a coroutine, or only drops it if the coroutine is to be ended already.
pub(crate) fn run(slot: SlotRef, body: impl FnOnce()) {
    let end = catch_unwind(AssertUnwindSafe(move || match slot.has(UNWINDING) {
        false => body(),
        true => drop(body),
    }));
    if let Err(payload) = end {
        drop_quietly(payload);
    }
}

/// Drops a payload, whose own drop may panic again: that one is forgotten.
pub(crate) fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}
