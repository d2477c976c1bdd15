//! What the server's threads share, under one name.
//!
//! The files whose every order of events matters (`places.rs`, `latch.rs`, `waiting.rs`,
//! `patrol.rs`) take atomics, locks and the eventfd from here and from `eventfd.rs` and from
//! nowhere else. The models (`models/` at the root of the repository) compile the same files with
//! another `atomic` and another `eventfd` of the same shape, which try every order.
//!
//! All of them use sequentially consistent operations only: two parties tell each other something
//! by "write mine, then look at yours", and nothing weaker keeps that. The models assume it.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// A lock that no panic can leave with something half changed: nothing that panics runs under it.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(std::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
