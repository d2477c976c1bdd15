//! The reactor: how a coroutine's call on a descriptor becomes a system call and a wait.
//!
//! There are two, and a worker has one of them from its beginning to its end ([`choice`]). This is
//! all that the rest of the crate knows of either:
//!
//! * `perform` does one operation of the seam for a coroutine, `recv` and `send` do the two that
//!   every message takes, without an operation to read, and `wait_any` waits for several; all park
//!   the coroutine by the scheduler's `park`.
//! * `keep` keeps what has no stack until its socket can be read from, `wake_all` wakes all of that
//!   at the end; both put it into the scheduler's `awake`.
//! * `poll` looks what has happened, sleeping at most so long, and wakes by the scheduler's
//!   `unpark`, or runs at once whoever was waiting.
//!
//! | file | its one idea |
//! |---|---|
//! | `choice.rs` | which reactor a worker gets |
//! | `uring/` | the one over `io_uring(7)` |
//! | `epoll.rs` | the one over `epoll(7)`: the descriptors registered, and the edges they make |
//! | `perform.rs` | its loops of a coroutine: attempt, wait, attempt again |
//! | `converse.rs` | its short way for what every message does: send, wait, receive |
//! | `registration.rs` | what is known of one descriptor, and whether it still is that one |
//! | `waiters.rs` | who waits for it: a list of nodes on the waiters' own stacks |
//! | `attempt.rs` | one attempt that never blocks, also where the kernel has no flag for that |

mod attempt;
pub(crate) mod choice;
mod converse;
mod epoll;
mod perform;
mod registration;
pub(crate) mod uring;
mod waiters;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use socket::Deadline;
use socket::seam::{Operation, Target, Watch};

use self::choice::{Driven, Driver};
use self::epoll::Epoll;
use self::uring::Uring;
use crate::clock::TICK;
use crate::dormant::Dormant;
use crate::memory::Memory;
use crate::scheduler::Scheduler;
use crate::shortage::Shortages;
use crate::slot::SlotRef;
use crate::worker::{Core, SWEEP};

pub(crate) use self::uring::{SIZES, Sizes};

/// See the head of this file.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each worker, and a box would be one more load"
)]
pub(crate) enum Reactor {
    Epoll(Epoll),
    Uring(Uring),
}

impl Reactor {
    /// The reactor that was asked for, or the other one; and which one that is.
    ///
    /// # Errors
    /// What epoll says. A ring that cannot be had is none.
    pub(crate) fn new(
        bell: &OwnedFd,
        asked: Driver,
        sizes: Sizes,
        shortages: &Arc<Shortages>,
    ) -> io::Result<(Reactor, Driven)> {
        let driven = match asked.asked() {
            Driver::Epoll => Driven::by(Driver::Epoll),
            Driver::Auto | Driver::Uring => match Uring::new(bell, sizes, shortages) {
                Ok(uring) => return Ok((Reactor::Uring(uring), Driven::by(Driver::Uring))),
                Err(error) => Driven::instead(&error),
            },
        };
        Ok((Reactor::Epoll(Epoll::new(bell)?), driven))
    }

    #[inline]
    pub(crate) fn recv(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        deadline: Deadline,
    ) -> io::Result<usize> {
        match self {
            Reactor::Epoll(epoll) => epoll.recv(core, me, target, memory, deadline),
            Reactor::Uring(uring) => uring.recv(core, me, target, memory, deadline),
        }
    }

    #[inline]
    pub(crate) fn send(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        bytes: &[u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        match self {
            Reactor::Epoll(epoll) => epoll.send(core, me, target, bytes, deadline),
            Reactor::Uring(uring) => uring.send(core, me, target, bytes, deadline),
        }
    }

    pub(crate) fn perform(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        deadline: Deadline,
    ) -> io::Result<usize> {
        match self {
            Reactor::Epoll(epoll) => epoll.perform(core, me, target, operation, deadline),
            Reactor::Uring(uring) => uring.perform(core, me, target, operation, deadline),
        }
    }

    pub(crate) fn wait_any(
        &self,
        core: &Core,
        me: SlotRef,
        watches: &mut [Watch<'_>],
        deadline: Deadline,
    ) -> io::Result<()> {
        match self {
            Reactor::Epoll(epoll) => epoll.wait_any(core, me, watches, deadline),
            Reactor::Uring(uring) => uring.wait_any(core, me, watches, deadline),
        }
    }

    /// Keeps `dormant` until the target can be read from or fails.
    ///
    /// # Errors
    /// `dormant` itself, if it cannot be kept.
    pub(crate) fn keep<D: Dormant + 'static>(
        &self,
        target: Target<'_>,
        dormant: Box<D>,
    ) -> Result<(), Box<D>> {
        match self {
            Reactor::Epoll(epoll) => epoll.keep(target, dormant),
            Reactor::Uring(uring) => uring.keep(target, dormant),
        }
    }

    /// Wakes everybody who is dormant.
    pub(crate) fn wake_all(&self, scheduler: &Scheduler) {
        match self {
            Reactor::Epoll(epoll) => epoll.wake_all(scheduler),
            Reactor::Uring(uring) => uring.wake_all(scheduler),
        }
    }

    /// Has a sleep end when [`ALARM`] has passed, this one or a later one. A limit to each sleep
    /// would have the kernel set a timer for each.
    ///
    /// # Errors
    /// It cannot, for the moment.
    pub(crate) fn set_alarm(&self) -> io::Result<()> {
        match self {
            Reactor::Epoll(epoll) => epoll.set_alarm(),
            Reactor::Uring(uring) => uring.set_alarm(),
        }
    }

    #[inline]
    pub(crate) fn poll(&self, core: &Core, wait: u64) -> io::Result<()> {
        match self {
            Reactor::Epoll(epoll) => epoll.poll(core, wait),
            Reactor::Uring(uring) => uring.poll(&core.scheduler, wait),
        }
    }
}

/// Seconds and nanoseconds of an alarm: as long as between two sweeps, and two ticks for the cheap
/// clock to get there.
const ALARM: (u64, u32) = (SWEEP / 1_000_000_000, 2 * TICK as u32);

/// See [`Driver::examine`].
fn examine(asked: Driver) -> Driven {
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
    let reactor = |bell| Reactor::new(&bell, asked, SIZES, &Arc::default());
    match bell.map_err(io::Error::from).and_then(reactor) {
        Ok((_, driven)) => driven,
        Err(error) => Driven::instead(&error),
    }
}
