//! Many readers or one writer, over a wait.
//!
//! A gate with very many permits, of which a reader takes one and a writer all. Deliberately
//! absent: poisoning (see [the module](super)), and turning one kind of guard into the other.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use socket::Deadline;

use super::gate::{Gate, PERMITS_MAX};
use super::mutex::must_have;
use crate::atomic::const_where_possible;
use crate::parker::Heed;

/// A value that many callers may read at once, or one may change.
///
/// Whoever waits gets its turn in the order of coming: a writer waits for the readers before it,
/// and readers that come after it wait for the writer. So to read twice at once in the same thread
/// or coroutine may wait for ever, if a writer came in between.
///
/// ```
/// use coroutine::sync::RwLock;
///
/// let motd = RwLock::new(String::from("hello"));
/// {
///     let (one, other) = (motd.read(), motd.read());
///     assert_eq!(*one, *other);
/// }
/// motd.write().push_str(", world");
/// assert_eq!(motd.into_inner(), "hello, world");
/// ```
pub struct RwLock<T: ?Sized> {
    gate: Gate,
    value: UnsafeCell<T>,
}

/// The right to read the value of an [`RwLock`], until it is dropped.
#[must_use = "the lock is free again as soon as this is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*const ()>,
}

/// The right to change the value of an [`RwLock`], until it is dropped.
#[must_use = "the lock is free again as soon as this is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*const ()>,
}

/// What a writer takes. More readers than memory has room for guards.
const ALL: usize = PERMITS_MAX;

// SAFETY: with a `&RwLock` the value can be taken to any thread by a writer, which `T: Send`
// allows, and read in several at once, which `T: Sync` allows. A writer has all permits and a
// reader one, so a writer is alone.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

// SAFETY: a shared guard gives out `&T` and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

// SAFETY: as above; what changes the value takes the guard mutably.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> RwLock<T> {
    const_where_possible! {
        /// A free lock around `value`.
        #[must_use]
        pub const fn new(value: T) -> RwLock<T> {
            RwLock { gate: Gate::new(ALL), value: UnsafeCell::new(value) }
        }
    }

    /// The value, for good: nobody else can have the lock any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes, and nobody waits to write who came earlier. A cancelled coroutine
    /// waits like any other, as in [`Mutex::lock`](super::Mutex::lock).
    ///
    /// # Panics
    /// In a coroutine that is unwinding, if the lock does not come free in about a second; see
    /// [the module](super).
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        must_have(self.gate.acquire(1, Deadline::Never, Heed::Nothing));
        RwLockReadGuard { lock: self, not_send: PhantomData }
    }

    /// Waits until nobody reads or writes.
    ///
    /// # Panics
    /// As [`read`](RwLock::read).
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        must_have(self.gate.acquire(ALL, Deadline::Never, Heed::Nothing));
        RwLockWriteGuard { lock: self, not_send: PhantomData }
    }

    /// The right to read, if nobody writes or has waited to.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let free = self.gate.try_acquire(1);
        free.then(|| RwLockReadGuard { lock: self, not_send: PhantomData })
    }

    /// The right to change, if nobody reads or writes.
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        let free = self.gate.try_acquire(ALL);
        free.then(|| RwLockWriteGuard { lock: self, not_send: PhantomData })
    }

    /// The value. That there is no other reference to the lock is as good as holding it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard has a permit, so there is no writer, who would have all.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard has all permits, so no other guard exists, and mutable access through
        // this one takes it mutably.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard has all permits, and it is taken mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.gate.release(1);
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.gate.release(ALL);
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

/// Prints the value if nobody writes.
impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_struct("RwLock").field("value", &&*guard).finish(),
            None => f.debug_struct("RwLock").finish_non_exhaustive(),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
