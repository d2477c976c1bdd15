//! Forks wait while somebody holds a lock that the child would find locked for ever.
//!
//! It deliberately knows nothing of those locks: one word says that there are some, and a fork
//! takes it alone.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held to read by whoever holds such a lock, and to write by a fork.
static HOLDING: RwLock<()> = RwLock::new(());

/// While it lives, no [`Fork`](super::Fork) forks this process. See [`hold_forks`].
#[must_use = "forks go on when it is dropped"]
pub struct HeldForks {
    _holding: RwLockReadGuard<'static, ()>,
}

/// Holds back every [`Fork`](super::Fork) of this process until the answer is dropped. Waits for
/// one that is under way; others may hold forks back at the same time.
///
/// For a lock that the child takes too and that another thread of the parent may hold at that
/// moment, a static one above all: hold forks back first, then lock, and keep both for no longer
/// than some instructions take, or a call that does not wait. Meanwhile do not print, do not fork,
/// and do not hold forks back again: a fork that has begun keeps standard output and error, and
/// waits for this.
///
/// ```
/// use std::sync::Mutex;
/// use socket::process::{Fork, hold_forks};
///
/// static NAMES: Mutex<Vec<&str>> = Mutex::new(Vec::new());
///
/// fn note(name: &'static str) {
///     let _forks = hold_forks();
///     NAMES.lock().unwrap().push(name);
/// }
///
/// let other = std::thread::spawn(|| note("parent"));
/// // Whatever the other thread is doing, the child finds the lock open.
/// assert!(Fork::new().run(|| { note("child"); 0 })?.wait()?.success());
/// other.join().unwrap();
/// # std::io::Result::Ok(())
/// ```
pub fn hold_forks() -> HeldForks {
    HeldForks { _holding: HOLDING.read().unwrap_or_else(PoisonError::into_inner) }
}

/// Waits until nobody holds forks back, and keeps it so.
pub(super) fn exclude() -> RwLockWriteGuard<'static, ()> {
    HOLDING.write().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for HeldForks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldForks").finish_non_exhaustive()
    }
}
