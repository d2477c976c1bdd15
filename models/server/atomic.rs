//! Loom's atomics and locks in the shape of `crates/server/src/atomic.rs`.
//!
//! The server's operations are sequentially consistent, all of them, and loom knows no such loads
//! and stores: it would report orders that no machine shows. It is exact about operations that read
//! and write in one step, which always see the latest value. So here every operation is one of
//! those, which is the same as sequential consistency where nothing weaker is used.

use loom::sync::MutexGuard;
use std::sync::atomic::Ordering;

macro_rules! atomics {
    ($($name:ident: $value:ty = $unchanged:ident($neutral:expr);)*) => { $(
        #[derive(Debug, Default)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        impl $name {
            pub(crate) fn load(&self, order: Ordering) -> $value {
                only_consistent(order);
                self.0.$unchanged($neutral, order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.swap(value, order);
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                only_consistent(order);
                self.0.swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                done: Ordering,
                failed: Ordering,
            ) -> Result<$value, $value> {
                only_consistent(done);
                only_consistent(failed);
                self.0.compare_exchange(old, new, done, failed)
            }
        }
    )* };
}

atomics! {
    AtomicBool: bool = fetch_or(false);
    AtomicU64: u64 = fetch_or(0);
    AtomicUsize: usize = fetch_or(0);
}

impl AtomicUsize {
    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        only_consistent(order);
        self.0.fetch_add(value, order)
    }

    pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
        only_consistent(order);
        self.0.fetch_sub(value, order)
    }

    pub(crate) fn fetch_update(
        &self,
        done: Ordering,
        failed: Ordering,
        step: impl Fn(usize) -> Option<usize>,
    ) -> Result<usize, usize> {
        let mut seen = self.load(failed);
        while let Some(next) = step(seen) {
            match self.compare_exchange(seen, next, done, failed) {
                Ok(_) => return Ok(seen),
                Err(other) => seen = other,
            }
        }
        Err(seen)
    }
}

/// What the above rests on.
fn only_consistent(order: Ordering) {
    assert_eq!(order, Ordering::SeqCst, "the server's own files use nothing else");
}

/// A lock.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(loom::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("nothing panics under it")
    }
}
