//! Who runs: the coroutine of this moment, if it is one.
//!
//! The two primitives on which everything that waits for another coroutine or thread is built:
//! [`Wake`], which any thread may use, and [`suspend`].
//!
//! ```text
//!   let wake = current();  register wake somewhere;  suspend(deadline)
//!                              others: wake.wake() ──┴─ before or after: it is not lost
//! ```
//! A thread is a worker only while it has that worker's driver installed. So in a forked child that
//! has uninstalled it, and under a driver of somebody else's, the caller counts as a plain thread.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::sync::Arc;

use socket::{Deadline, seam};

use crate::remote::{Letter, Shared};
use crate::slot::{SlotRef, WaitsFor};
use crate::suspend::Ends;
use crate::worker::Core;

pub(crate) use crate::suspend::Resumed;

thread_local! {
    /// The worker that runs on this thread.
    static WORKER: Cell<Option<&'static Core>> = const { Cell::new(None) };
}

/// Makes `worker` the one of this thread, and answers the one before.
pub(crate) fn enter(worker: Option<&'static Core>) -> Option<&'static Core> {
    WORKER.replace(worker)
}

/// The worker of this thread, whatever drives the thread now. For the handler of a fault, and for
/// deliveries on the worker's own thread.
#[inline]
pub(crate) fn worker() -> Option<&'static Core> {
    WORKER.get()
}

/// The worker that drives this thread.
#[inline]
pub(crate) fn driving() -> Option<&'static Core> {
    let worker = WORKER.get()?;
    let driver = seam::installed();
    let installed = ptr::from_ref::<dyn seam::Driver>(driver?).cast::<()>();
    (installed == ptr::from_ref(worker).cast::<()>()).then_some(worker)
}

/// The worker and the coroutine that the caller is, if it is one.
pub(crate) fn here() -> Option<(&'static Core, SlotRef)> {
    let worker = driving()?;
    Some((worker, worker.scheduler.running()?))
}

/// The running coroutine; `None` on a plain thread.
pub(crate) fn current() -> Option<Wake> {
    let (worker, me) = here()?;
    Some(Wake {
        shared: Arc::clone(&worker.shared),
        number: me.number,
        generation: me.generation.get(),
    })
}

/// Wakes one coroutine, from any thread. A wake may come at any time: before the suspension it
/// makes that one return at once, and after the end of the coroutine it does nothing.
#[derive(Clone)]
pub(crate) struct Wake {
    shared: Arc<Shared>,
    number: u32,
    generation: u32,
}

impl Wake {
    /// Wakes it. False: it will never run again, because it has ended or was abandoned.
    pub(crate) fn wake(&self) -> bool {
        match worker() {
            Some(worker) if Arc::ptr_eq(&worker.shared, &self.shared) => {
                worker.scheduler.wake(self.number, self.generation)
            }
            _ => self.shared.post(Letter::Wake(self.number, self.generation)),
        }
    }

    /// Cancels it.
    pub(crate) fn cancel(&self) {
        match worker() {
            Some(worker) if Arc::ptr_eq(&worker.shared, &self.shared) => {
                worker.scheduler.cancel(self.number, self.generation);
            }
            _ => {
                self.shared.post(Letter::Cancel(self.number, self.generation));
            }
        }
    }

    /// The one of a coroutine that has just been made.
    pub(crate) fn of(worker: &Core, slot: SlotRef) -> Wake {
        Wake {
            shared: Arc::clone(&worker.shared),
            number: slot.number,
            generation: slot.generation.get(),
        }
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wake({}, {})", self.number, self.generation)
    }
}

/// Suspends the caller until it is woken, its deadline has passed or it is cancelled. It may also
/// return [`Resumed::Woken`] without reason. A plain thread is [refused](Resumed::Refused).
///
/// While a coroutine is unwound by force this does not return but unwinds, unless the thread is
/// panicking already: then it is refused. So whoever registers a [`Wake`] takes it back in a
/// `Drop`.
pub(crate) fn suspend(deadline: Deadline) -> Resumed {
    wait(deadline, Ends::WakeOrCancel)
}

/// [`suspend`], which a cancel does not end. For what has no error to answer with.
pub(crate) fn suspend_regardless(deadline: Deadline) -> Resumed {
    wait(deadline, Ends::Wake)
}

fn wait(deadline: Deadline, ends: Ends) -> Resumed {
    let Some((worker, me)) = here() else { return Resumed::Refused };
    let moment = worker.clock.moment(deadline);
    worker.scheduler.park(me, moment, WaitsFor::Another, ends)
}

/// Counts an operation of the caller's, if that is a coroutine, and lets the others run if there
/// were many: for what a coroutine may do without end and without ever having to wait.
#[inline]
pub(crate) fn spend() {
    if let Some((worker, me)) = here() {
        worker.scheduler.spend(me);
    }
}
