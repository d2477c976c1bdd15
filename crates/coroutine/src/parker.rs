//! Parks the caller, whoever it is: a thread sleeps in the kernel, a coroutine is suspended.
//!
//! ```text
//!   Parker::new() ──► unparker() ──► into some queue ──► park() ──────► Woken
//!                                        │                 ▲
//!                          others: ──────┴── unpark() ─────┘  before or after: one permit
//! ```
//! There is one permit: an unpark that comes before the park is kept, and a second one adds
//! nothing. A park may end without reason, so the caller keeps the condition it waits for
//! elsewhere, looks at it before each park, and parks again.
//!
//! Deliberately absent: queues, and what is waited for. Those are in [`sync`](crate::sync).

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use socket::Deadline;

use crate::atomic::{Thread, current_thread, park, park_timeout};
use crate::current::{self, Resumed, Wake};

/// The caller's own end. It stays with the caller.
#[derive(Debug)]
pub(crate) struct Parker {
    unparker: Unparker,
    /// How often a suspension was refused that nothing else may end.
    refused: Cell<u32>,
    not_send: PhantomData<*const ()>,
}

/// The other end, which any thread may use, and for as long as it likes: one of an ended caller
/// does nothing.
#[derive(Debug, Clone)]
pub(crate) struct Unparker(Caller);

#[derive(Debug, Clone)]
enum Caller {
    Thread(Thread),
    Coroutine(Wake),
}

/// How a park ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parked {
    /// By an unpark, or for no reason.
    Woken,
    /// The deadline has passed. An unpark may have come at the same moment.
    TimedOut,
    /// The coroutine is cancelled. Only [`Heed::Cancel`] says so.
    Cancelled,
    /// The coroutine may not be suspended: its thread is panicking.
    Refused,
}

/// Which requests to stop end a park.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heed {
    /// A cancel does.
    Cancel,
    /// None does: what is waited for has to be had. (An unwinding by force ends every park.)
    Nothing,
}

impl Parker {
    /// The caller's.
    pub(crate) fn new() -> Parker {
        let caller = match current::current() {
            Some(wake) => Caller::Coroutine(wake),
            None => Caller::Thread(current_thread()),
        };
        Parker { unparker: Unparker(caller), refused: Cell::new(0), not_send: PhantomData }
    }

    /// What wakes the caller.
    pub(crate) fn unparker(&self) -> Unparker {
        self.unparker.clone()
    }

    /// Whether a park would be [refused](Parked::Refused) at this moment.
    pub(crate) fn refuses(&self) -> bool {
        matches!(self.unparker.0, Caller::Coroutine(_)) && std::thread::panicking()
    }

    /// Waits for the permit, at most until `deadline`, which the caller has
    /// [fixed](Deadline::fixed).
    pub(crate) fn park(&self, deadline: Deadline, heed: Heed) -> Parked {
        let resumed = match (&self.unparker.0, heed) {
            (Caller::Thread(_), _) => return park_thread(deadline),
            (Caller::Coroutine(_), Heed::Cancel) => current::suspend(deadline),
            (Caller::Coroutine(_), Heed::Nothing) => current::suspend_regardless(deadline),
        };
        match resumed {
            Resumed::Woken => Parked::Woken,
            Resumed::TimedOut => Parked::TimedOut,
            Resumed::Cancelled => Parked::Cancelled,
            Resumed::Refused if heed == Heed::Nothing => self.refused(),
            Resumed::Refused => Parked::Refused,
        }
    }

    /// What is left to a caller that has to have something and may not be suspended: to hold up its
    /// thread. If another thread has it, it comes; if another coroutine of this thread has it, it
    /// never does. So this looks again every [`LOOK`], and gives up after [`LOOKS`] of them.
    #[cold]
    fn refused(&self) -> Parked {
        let looks = self.refused.get() + 1;
        if looks > LOOKS {
            return Parked::Refused;
        }
        self.refused.set(looks);
        park_timeout(LOOK);
        Parked::Woken
    }
}

impl Unparker {
    /// Gives the permit. False: to nobody, it is a coroutine that will not run again.
    pub(crate) fn unpark(&self) -> bool {
        match &self.0 {
            Caller::Thread(thread) => {
                thread.unpark();
                true
            }
            Caller::Coroutine(wake) => wake.wake(),
        }
    }
}

fn park_thread(deadline: Deadline) -> Parked {
    match deadline.remaining() {
        None => park(),
        Some(left) if left.is_zero() => return Parked::TimedOut,
        Some(left) => park_timeout(left),
    }
    Parked::Woken
}

/// How often a wait looks that may not suspend its coroutine and holds up the thread. Nobody can
/// wake it: whoever wakes knows the coroutine, not the thread.
const LOOK: Duration = Duration::from_millis(1);

/// How many times: for about a second, as long as cancelled coroutines get to end by themselves,
/// after which the holder is not going to. It is longer where the machine is busy or was paused,
/// and the holder had no turn either.
const LOOKS: u32 = 1000;
