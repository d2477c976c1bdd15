//! Locks, conditions, permits and channels that block their caller, thread or coroutine.
//!
//! | | waits in | ended by a cancel |
//! |---|---|---|
//! | [`Mutex`] | `lock` | no |
//! | [`RwLock`] | `read`, `write` | no |
//! | [`Condvar`] | `wait`, `wait_timeout`, `wait_while` | yes, and the lock is held again |
//! | [`Semaphore`] | `acquire` | yes |
//! | [`channel`] | `send`, `recv` | yes |
//!
//! A standard lock held while its coroutine is suspended blocks the whole worker as soon as another
//! coroutine wants it; one of these parks that coroutine. Each may be used by threads and by the
//! coroutines of several workers at once.
//!
//! * **Nobody starves.** Those who wait get their turn in the order in which they came; whoever
//!   happens to come by at the right moment may overtake the first of them, a few times.
//! * **Cheap when free.** Taking a free lock or permit is one compare-exchange. Only a wait
//!   allocates: one record that the waiter and the queue share.
//! * **No poisoning.** A guard that goes because of a panic frees its lock like any other.
//! * **An unwinding by force** may come out of every wait. The place in the queue is given up, and
//!   what it was granted meanwhile goes to the next. A coroutine that is *abandoned* takes with it
//!   what it holds, as a guard that is leaked does.
//!
//! # While a coroutine is unwinding
//! Nothing is suspended while its thread is panicking, so a destructor that has to wait cannot be
//! parked. What returns a `Result` returns [`WaitError::WouldBlock`] then. `lock`, `read` and
//! `write` have nothing to return: they hold up the thread and look a thousand times, which takes a
//! second or, on a busy machine, longer, and in which another thread may free the lock; then they
//! panic, which in a destructor of an unwinding coroutine ends the process. The holder is then
//! almost surely a coroutine of the same worker, which can never run again while its thread waits,
//! and a process that ends with a message is better than a worker that hangs without one. A
//! destructor that may meet a held lock uses `try_lock`.

mod channel;
mod condvar;
mod error;
mod gate;
mod mutex;
mod queue;
mod rwlock;
mod semaphore;

pub use channel::{Iter, Receiver, Sender, TryIter, channel};
pub use condvar::Condvar;
pub use error::{SendError, WaitError};
pub(crate) use gate::Gate;
pub use mutex::{Mutex, MutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore};
