//! What the crate's concurrent parts are built from, under one name.
//!
//! Whoever shares memory between threads here takes atomics, latches and thread parking from this
//! module and from nowhere else. The models (`models/` at the root of the repository) compile the
//! same files with another `atomic` of the same shape, which tries every order of events.
//!
//! A [`Latch`] is the lock around a queue: held for some instructions, never while anything waits,
//! never over a switch of coroutines, so that blocking the thread on it is right.
//!
//! Deliberately absent: anything that only one thread touches.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
pub(crate) use std::thread::{Thread, current as current_thread, park, park_timeout};

/// A lock that is held for some instructions only.
#[derive(Debug, Default)]
pub(crate) struct Latch<T>(std::sync::Mutex<T>);

impl<T> Latch<T> {
    pub(crate) const fn new(value: T) -> Latch<T> {
        Latch(std::sync::Mutex::new(value))
    }

    /// Nothing panics while it holds a latch, so a poisoned one is as good as any.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often the longest waiter of a [gate](crate::sync) may be woken in vain because another one
/// was quicker, before it is given its turn. Each time costs it about one wake-up; and whoever is
/// running saves as much each time, because nobody has to be woken for the next turn. The models
/// have 1, so that they are finite.
pub(crate) const OVERTAKEN: u8 = 4;

/// A function that is `const` where the atomics' constructors are, which those of the models are
/// not.
macro_rules! const_where_possible {
    ($(#[$attribute:meta])* $visible:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $visible const fn $($rest)*
    };
}

pub(crate) use const_where_possible;
