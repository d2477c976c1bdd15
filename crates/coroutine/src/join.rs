//! `spawn`, its builder and its handle: the shape of `std::thread`, for whoever calls it.
//!
//! What is spawned follows the caller: a coroutine of the same worker in a coroutine, a thread on a
//! thread. Both leave their result in a packet that both kinds of caller can wait for.
//!
//! Deliberately absent: borrowed closures. A scope would have to keep a coroutine from being
//! abandoned, and nothing can.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use socket::Deadline;
use socket::process::{Thread, start_thread};

use crate::current::{self, Resumed, Wake};
use crate::forced::{Forced, drop_quietly};

/// Runs `body` on its own: as a coroutine of the same worker if the caller is a coroutine, as a
/// thread if it is a thread.
///
/// A coroutine begins when the caller next gives way.
///
/// # Panics
/// If there is no memory or no thread left; [`Builder::spawn`] answers an error instead.
///
/// ```
/// let sum = coroutine::run(|| {
///     let handles: Vec<_> = (1..=4).map(|n| coroutine::spawn(move || n * n)).collect();
///     handles.into_iter().map(|handle| handle.join().unwrap()).sum::<i32>()
/// })?;
/// assert_eq!(sum, 30);
/// # std::io::Result::Ok(())
/// ```
pub fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(body).expect("failed to spawn")
}

/// What is to be known of a coroutine or thread before it begins.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Builder {
    name: Option<String>,
}

impl Builder {
    /// One without a name.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names it. The name is what [`list`](crate::list), [`Remote::held`](crate::Remote::held) and
    /// the message of an overflow call it; of a coroutine's, as much as fits in 240 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Runs `body`, as [`spawn`] does.
    ///
    /// # Errors
    /// `OutOfMemory` when no stack is left; for a thread what the system says.
    pub fn spawn<T: Send + 'static>(
        self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let packet = Arc::new(Packet { state: Mutex::new(Outcome::Pending(Vec::new())) });
        let theirs = Deliver(Some(Arc::clone(&packet)));
        let body = move || theirs.run(body);
        let running = match current::here() {
            Some((worker, _)) => {
                let slot = worker.spawn(self.name.as_deref().unwrap_or_default(), body)?;
                Running::Coroutine(slot.map(|slot| Wake::of(worker, slot)))
            }
            None => {
                let name = self.name.as_deref().unwrap_or_default();
                Running::Thread(start_thread(name, body)?)
            }
        };
        Ok(JoinHandle { packet, running })
    }
}

/// What has been spawned. Dropping it lets that run on alone; a panic of it is then heard by the
/// panic hook only.
pub struct JoinHandle<T> {
    packet: Arc<Packet<T>>,
    running: Running,
}

enum Running {
    /// `None`: it came too late to begin.
    Coroutine(Option<Wake>),
    Thread(Thread<()>),
}

impl<T> JoinHandle<T> {
    /// Waits for the end, blocking the caller, thread or coroutine, and answers the result.
    ///
    /// # Errors
    /// What it panicked with. In a coroutine that is cancelled, while this waits or before, a
    /// payload of which [`is_cancel`](crate::is_cancel) is true; and the same if what was spawned
    /// was ended by force.
    pub fn join(self) -> thread::Result<T> {
        let answer = self.packet.wait();
        if let (Running::Thread(thread), true) = (self.running, answer.is_some()) {
            // It has nothing left to do but to end, and its panic is in the packet.
            let _ = thread.join();
        }
        answer.unwrap_or_else(|| Err(Box::new(Forced)))
    }

    /// Whether the result is there, so that [`join`](JoinHandle::join) does not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(*self.packet.lock(), Outcome::Ended(_))
    }

    /// Cancels a coroutine: each of its calls that waits or would have to begin fails with
    /// `ConnectionAborted`, its sleeps end at once. A thread cannot be cancelled and is left alone.
    pub fn cancel(&self) {
        if let Running::Coroutine(Some(wake)) = &self.running {
            wake.cancel();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = self.is_finished();
        f.debug_struct("JoinHandle").field("finished", &finished).finish_non_exhaustive()
    }
}

struct Packet<T> {
    state: Mutex<Outcome<T>>,
}

enum Outcome<T> {
    /// With whoever waits for it.
    Pending(Vec<Waiter>),
    /// `None`: it has been taken.
    Ended(Option<thread::Result<T>>),
}

enum Waiter {
    Thread(thread::Thread),
    Coroutine(Wake),
}

impl<T> Packet<T> {
    /// The result; `None` if the caller was cancelled first.
    fn wait(&self) -> Option<thread::Result<T>> {
        loop {
            let waiter = match &mut *self.lock() {
                Outcome::Ended(result) => return result.take(),
                Outcome::Pending(waiters) => {
                    let waiter = current::current();
                    waiters.push(match &waiter {
                        Some(wake) => Waiter::Coroutine(wake.clone()),
                        None => Waiter::Thread(thread::current()),
                    });
                    waiter
                }
            };
            match waiter {
                None => thread::park(),
                Some(_) => match current::suspend(Deadline::Never) {
                    Resumed::Woken | Resumed::TimedOut => {}
                    Resumed::Cancelled | Resumed::Refused => return None,
                },
            }
        }
    }

    fn end(&self, result: thread::Result<T>) {
        let before = std::mem::replace(&mut *self.lock(), Outcome::Ended(Some(result)));
        let Outcome::Pending(waiters) = before else { return };
        for waiter in waiters {
            match waiter {
                Waiter::Thread(thread) => thread.unpark(),
                Waiter::Coroutine(wake) => {
                    wake.wake();
                }
            }
        }
    }

    /// Nothing of the user's runs while it is held, so nothing panics.
    fn lock(&self) -> MutexGuard<'_, Outcome<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The spawned side of a packet, which delivers in any case; without a packet when it has begun and
/// the handle was gone by then.
struct Deliver<T>(Option<Arc<Packet<T>>>);

impl<T> Deliver<T> {
    fn run(mut self, body: impl FnOnce() -> T) {
        self.0.take_if(|packet| Arc::strong_count(packet) == 1);
        let result = catch_unwind(AssertUnwindSafe(body));
        match &self.0 {
            Some(packet) => packet.end(result),
            None => drop_result(result),
        }
    }
}

impl<T> Drop for Deliver<T> {
    /// Where the handle is gone the result is dropped here, by the one who made it. Where `body`
    /// never began, the handle is told so.
    fn drop(&mut self) {
        let Some(packet) = &self.0 else { return };
        if matches!(*packet.lock(), Outcome::Pending(_)) {
            packet.end(Err(Box::new(Forced)));
        }
        if Arc::strong_count(packet) == 1
            && let Outcome::Ended(Some(result)) = &mut *packet.lock()
        {
            let unheard = std::mem::replace(result, Err(Box::new(Forced)));
            drop_result(unheard);
        }
    }
}

/// Drops a result, whose own drop may panic: the panic is heard by the hook and goes no further.
fn drop_result<T>(result: thread::Result<T>) {
    match result {
        Err(payload) => drop_quietly(payload),
        Ok(value) => {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
            let _ = dropped.map_err(|payload: Box<dyn Any + Send>| drop_quietly(payload));
        }
    }
}
