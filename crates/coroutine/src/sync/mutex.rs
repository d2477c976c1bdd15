//! Mutual exclusion over a wait: the lock that may be held while its coroutine is suspended.
//!
//! A gate with one permit. Deliberately absent: poisoning (see [the module](super)), and locking
//! with a limit; who must not wait tries.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use socket::Deadline;

use super::error::WaitError;
use super::gate::Gate;
use crate::atomic::const_where_possible;
use crate::parker::Heed;

/// A value that one caller at a time may use, thread or coroutine.
///
/// Unlike a standard lock it may be held over anything that waits: whoever wants it meanwhile is
/// parked, and the worker goes on. For some instructions without a wait in between, a standard one
/// is as right.
///
/// ```
/// use coroutine::sync::Mutex;
///
/// static TOTAL: Mutex<u64> = Mutex::new(0);
/// *TOTAL.lock() += 5;
/// assert_eq!(*TOTAL.lock(), 5);
/// ```
pub struct Mutex<T: ?Sized> {
    gate: Gate,
    value: UnsafeCell<T>,
}

/// The right to use the value of a [`Mutex`], until it is dropped. It stays with the thread or
/// coroutine that has locked.
#[must_use = "the lock is free again as soon as this is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: with a `&Mutex` the value can be used and taken from any thread, but by one at a time,
// which is what `T: Send` allows: the gate has one permit, and a guard exists only with it.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

// SAFETY: a shared guard gives out `&T` and nothing else, which `T: Sync` allows anywhere. (Its
// `PhantomData` of a pointer is there to keep the guard from being sent, not from being shared.)
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    const_where_possible! {
        /// A free lock around `value`.
        #[must_use]
        pub const fn new(value: T) -> Mutex<T> {
            Mutex { gate: Gate::new(1), value: UnsafeCell::new(value) }
        }
    }

    /// The value, for good: nobody else can have the lock any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the lock is free and takes it.
    ///
    /// A cancelled coroutine waits like any other: code between two locks of the same thing is
    /// seldom ready for the second one to fail, and whoever holds the lock is being cancelled too.
    /// To lock what the same thread or coroutine has locked already waits for ever.
    ///
    /// # Panics
    /// In a coroutine that is unwinding, if the lock does not come free in about a second; see
    /// [the module](super).
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if !self.gate.try_only() {
            self.wait();
        }
        self.guard()
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.gate.try_acquire(1).then(|| self.guard())
    }

    /// The value. That there is no other reference to the lock is as good as holding it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[cold]
    fn wait(&self) {
        must_have(self.gate.acquire(1, Deadline::Never, Heed::Nothing));
    }

    /// To be called with the permit.
    fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, not_send: PhantomData }
    }
}

/// Ends a wait that cannot come to nothing.
///
/// # Panics
/// When it was refused for too long.
pub(super) fn must_have(waited: Result<(), WaitError>) {
    if waited.is_err() {
        panic!(
            "a coroutine that is unwinding waits for a lock that is not coming free: \
             a destructor that may meet a held lock has to use try_lock"
        );
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The lock it is of.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard has the only permit, so no other one exists, and mutable access
        // through this one takes it mutably.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard has the only permit, and it is taken mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.gate.release(1);
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

/// Prints the value if the lock is free.
impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_struct("Mutex").field("value", &&*guard).finish(),
            None => f.debug_struct("Mutex").finish_non_exhaustive(),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
