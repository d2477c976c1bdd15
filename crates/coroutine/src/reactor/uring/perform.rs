//! What a coroutine does for its own operation on a ring: hand over, wait, answer.
//!
//! ```text
//!   ticket ─► push ─► park, pinned ═══► done? ── yes ──────────────────────────► outcome
//!                         ▲               │ no: a deadline, a cancel, an unwinding
//!                         │               ▼
//!                         └──────── push a cancel, park again, and answer for it afterwards
//! ```
//! Whoever has an operation under way is *pinned*: suspended, but neither unwound nor let out of
//! its call before the last completion. If the operation won the race against its cancel, its
//! result is the answer, and no byte is lost. A coroutine that is to be unwound by force waits for
//! its cancel with the whole thread, because the worker's loop no longer looks at the ring then;
//! the kernel cancels a wait for a socket at once.
//!
//! **Accept** is handed over at once, whatever mode the listener's file is in. **Everything else**
//! is attempted, with a poll handed over between the attempts.
//!
//! What it deliberately does not hold: the two calls that every message takes, in `messages.rs`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use io_uring::opcode::{Accept, AsyncCancel, PollAdd};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use socket::seam::{self, Operation, Peer, Target, Watch, is_pending};
use socket::{Deadline, Interest};

use super::operations::{Kind, Operations, Outcome, Ticket, mark, mark_of};
use super::{Uring, ring};
use crate::clock::{Moment, NEVER};
use crate::driver::{After, after, outcome};
use crate::reactor::attempt::attempt;
use crate::reactor::perform::{FULL_QUEUE, look, no_event_tells, pause};
use crate::slot::{SlotRef, UNWINDING, WaitsFor};
use crate::suspend::Resumed;
use crate::worker::Core;

/// An operation that is over.
pub(super) struct Over {
    pub(super) outcome: Outcome,
    /// Why it was cancelled, if it was.
    pub(super) asked: Resumed,
}

/// What is to be done after an operation.
pub(super) enum Next {
    Done(usize),
    Again,
    /// The ring does not wait for this file, which is non-blocking, or has no buffer left.
    Poll,
}

impl Uring {
    /// Performs `operation` for the running coroutine `me`.
    pub(crate) fn perform(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        deadline: Deadline,
    ) -> io::Result<usize> {
        if !self.ring.is_ours() {
            return as_thread(target, operation, deadline);
        }
        let immediate = matches!(deadline, Deadline::Immediate);
        if let Operation::Accept { peer, accepted } = operation
            && !immediate
        {
            let end = core.clock.moment(deadline);
            if let Some(new) = self.accept(core, me, target, peer, end)? {
                **accepted = Some(new);
                return Ok(0);
            }
            return self.wait_for(core, me, target, operation, end);
        }
        match attempt(target, operation) {
            Ok(count) => {
                core.scheduler.spend(me);
                Ok(count)
            }
            Err(error) if !is_pending(&error) => Err(error),
            Err(error) if immediate => {
                // Somebody who only ever asks must not keep the worker either.
                core.scheduler.spend(me);
                Err(error)
            }
            Err(_) => self.wait_for(core, me, target, operation, core.clock.moment(deadline)),
        }
    }

    /// Accepts; `None` where the listener is non-blocking, for which the ring does not wait.
    fn accept(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        peer: &mut Peer,
        end: Moment,
    ) -> io::Result<Option<OwnedFd>> {
        let waits_for = WaitsFor::Read(target.fd.as_raw_fd());
        loop {
            if is_put_off(&Operation::Accept { peer: &mut *peer, accepted: &mut None })? {
                continue;
            }
            let (address, length) = peer.room();
            let fd = Fd(target.fd.as_raw_fd());
            let accept = Accept::new(fd, address.cast(), length).flags(libc::SOCK_CLOEXEC);
            // SAFETY: the kernel writes into the peer, which is borrowed until this returns, and
            // `run` returns when it no longer does.
            let over = unsafe { self.run(core, me, accept.build(), end, waits_for) }?;
            let result = over.outcome.result;
            // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
            let new = (result >= 0).then(|| unsafe { OwnedFd::from_raw_fd(result) });
            core.scheduler.give_in(me);
            match over.next()? {
                Next::Done(_) => return Ok(new),
                Next::Again => {}
                Next::Poll => return Ok(None),
            }
        }
    }

    /// Waits until `operation` can be done, and does it.
    #[inline(never)]
    pub(super) fn wait_for(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        end: Moment,
    ) -> io::Result<usize> {
        let mut delay = FULL_QUEUE[0];
        loop {
            if no_event_tells(target, operation) {
                pause(core, me, &mut delay, end)?;
            } else {
                self.wait_until(core, me, target, operation.interest(), end)?;
            }
            match attempt(target, operation) {
                Ok(count) => {
                    core.scheduler.spend(me);
                    return Ok(count);
                }
                Err(error) if is_pending(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the target may have some of `interest`.
    pub(super) fn wait_until(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        interest: Interest,
        end: Moment,
    ) -> io::Result<()> {
        let fd = target.fd.as_raw_fd();
        let waits_for = if interest.read { WaitsFor::Read(fd) } else { WaitsFor::Write(fd) };
        // SAFETY: the entry points to nothing.
        let over = unsafe { self.run(core, me, poll_of(target, interest), end, waits_for) }?;
        core.scheduler.give_in(me);
        over.next().map(|_| ())
    }

    /// Waits until one of `watches` is ready. Everybody is asked by `poll(2)` before each parking.
    pub(crate) fn wait_any(
        &self,
        core: &Core,
        me: SlotRef,
        watches: &mut [Watch<'_>],
        deadline: Deadline,
    ) -> io::Result<()> {
        if !self.ring.is_ours() {
            seam::install(None);
            return seam::wait_any(watches, deadline);
        }
        let end = core.clock.moment(deadline);
        loop {
            if look(watches)? {
                core.scheduler.spend(me);
                return Ok(());
            }
            if matches!(deadline, Deadline::Immediate) {
                core.scheduler.spend(me);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.wait_once(core, me, watches, end)?;
        }
    }

    /// Parks until one of `watches` may be ready: a poll for each, and none left over.
    fn wait_once(
        &self,
        core: &Core,
        me: SlotRef,
        watches: &[Watch<'_>],
        end: Moment,
    ) -> io::Result<()> {
        if let Some(refused) = core.scheduler.before_operation(me) {
            return outcome(refused);
        }
        let mut tickets = Vec::with_capacity(watches.len());
        let mut pushed = Ok(());
        for watch in watches {
            // SAFETY: the entry points to nothing.
            match unsafe { self.begin(me, poll_of(watch.target, watch.interest)) } {
                Ok(ticket) => tickets.push(ticket),
                Err(error) => pushed = Err(error),
            }
        }
        let is_over = |ticket: &Ticket| self.operations.outcome(*ticket).is_some();
        let mut asked = Resumed::Woken;
        if pushed.is_ok() {
            let waits_for = WaitsFor::Any(watches.len() as u32);
            while asked == Resumed::Woken && !tickets.iter().any(is_over) {
                asked = core.scheduler.park_pinned(me, end, waits_for);
            }
        }
        for ticket in tickets {
            self.end_listed(core, me, ticket);
        }
        core.scheduler.give_in(me);
        match pushed {
            // The ring is full for the moment.
            Err(error) if after_push(&error) == After::Again => {
                core.scheduler.yield_now(me);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => outcome(asked),
        }
    }

    /// Hands an operation over, and waits until it is over.
    ///
    /// # Safety
    /// What the entry points to is valid until this returns or unwinds.
    #[inline(always)]
    pub(super) unsafe fn run(
        &self,
        core: &Core,
        me: SlotRef,
        entry: Entry,
        end: Moment,
        waits_for: WaitsFor,
    ) -> io::Result<Over> {
        if let Some(refused) = core.scheduler.before_operation(me) {
            outcome(refused)?;
        }
        let word = Operations::next(me);
        let entry = entry.user_data(word);
        // SAFETY: passed on to the caller.
        if let Err(error) = unsafe { self.ring.push(&entry) } {
            // SAFETY: as above.
            unsafe { self.push_late(core, me, &entry, error) }?;
        }
        self.operations.handed_over(me);
        let asked = core.scheduler.park_pinned(me, end, waits_for);
        match Operations::own_outcome(me) {
            Some(outcome) => Ok(Over { outcome, asked: Resumed::Woken }),
            None => Ok(self.run_on(core, me, word, asked, (end, waits_for))),
        }
    }

    /// Pushes what could not be pushed at once, when others have had their turn.
    ///
    /// # Safety
    /// As for [`run`](Self::run).
    #[cold]
    unsafe fn push_late(
        &self,
        core: &Core,
        me: SlotRef,
        entry: &Entry,
        mut error: io::Error,
    ) -> io::Result<()> {
        while after_push(&error) == After::Again {
            core.scheduler.yield_now(me);
            if let Some(refused) = core.scheduler.before_operation(me) {
                outcome(refused)?;
            }
            // SAFETY: passed on to the caller.
            match unsafe { self.ring.push(entry) } {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
        Err(error)
    }

    /// Waits on, woken by something else than the end of the operation.
    #[cold]
    fn run_on(
        &self,
        core: &Core,
        me: SlotRef,
        word: u64,
        mut asked: Resumed,
        (end, waits_for): (Moment, WaitsFor),
    ) -> Over {
        while asked == Resumed::Woken {
            asked = core.scheduler.park_pinned(me, end, waits_for);
            if let Some(outcome) = Operations::own_outcome(me) {
                return Over { outcome, asked: Resumed::Woken };
            }
        }
        Over { outcome: self.end_own(core, me, word), asked }
    }

    /// Ends the operation of `me`'s own, one way or the other.
    #[cold]
    pub(super) fn end_own(&self, core: &Core, me: SlotRef, word: u64) -> Outcome {
        let over = || Operations::own_outcome(me);
        self.end(core, me, word, over).unwrap_or_else(|| {
            self.operations.over_unheard();
            me.handed.under_way.set(false);
            IN_A_CHILD
        })
    }

    /// Begins one of several operations for whoever then waits for them.
    ///
    /// # Safety
    /// What the entry points to is valid until the operation has [ended](Self::end_listed).
    pub(super) unsafe fn begin(&self, me: SlotRef, entry: Entry) -> io::Result<Ticket> {
        let ticket = self.operations.begin(me);
        // SAFETY: passed on to the caller.
        let pushed = unsafe { self.ring.push(&entry.user_data(mark(Kind::Listed, ticket))) };
        match pushed {
            Ok(()) => Ok(ticket),
            Err(error) => {
                self.operations.end(ticket);
                Err(error)
            }
        }
    }

    /// Ends one of several, and gives its place back.
    fn end_listed(&self, core: &Core, me: SlotRef, ticket: Ticket) {
        let over = || self.operations.outcome(ticket);
        let _ = self.end(core, me, mark(Kind::Listed, ticket), over);
        self.operations.end(ticket);
    }

    /// Ends an operation, one way or the other: cancels it unless it is `over`, and waits for its
    /// last completion. `None` in a forked child, to whose copy of the memory nobody writes.
    fn end(
        &self,
        core: &Core,
        me: SlotRef,
        word: u64,
        over: impl Fn() -> Option<Outcome>,
    ) -> Option<Outcome> {
        let cancel = AsyncCancel::new(word).build();
        let cancel = cancel.user_data(mark_of(Kind::Cancel)).flags(Flags::SKIP_SUCCESS);
        let mut pushed = false;
        loop {
            if let Some(outcome) = over() {
                return Some(outcome);
            }
            if !self.ring.is_ours() {
                return None;
            }
            if !pushed {
                // SAFETY: the entry points to nothing.
                pushed = unsafe { self.ring.push(&cancel) }.is_ok();
            }
            if me.has(UNWINDING) {
                if self.ring.enter(NEVER).is_err() {
                    // Whatever it is: this memory stays the kernel's, for good.
                    core.scheduler.abandon_running(me);
                }
                self.deliver(&core.scheduler);
            } else if pushed {
                core.scheduler.park_pinned(me, NEVER, WaitsFor::Another);
            } else {
                core.scheduler.yield_pinned(me);
            }
        }
    }
}

/// How an operation counts whose ring is the parent's.
const IN_A_CHILD: Outcome = Outcome { result: -libc::ECANCELED, flags: 0 };

impl Over {
    /// What follows from it.
    #[inline]
    pub(super) fn next(&self) -> io::Result<Next> {
        match usize::try_from(self.outcome.result) {
            Ok(count) => Ok(Next::Done(count)),
            Err(_) => self.failed(),
        }
    }

    #[cold]
    fn failed(&self) -> io::Result<Next> {
        match -self.outcome.result {
            libc::ECANCELED | libc::EINTR | libc::EAGAIN if self.asked != Resumed::Woken => {
                outcome(self.asked).map(|()| Next::Again)
            }
            libc::ECANCELED | libc::EINTR => Ok(Next::Again),
            libc::EAGAIN | libc::ENOBUFS => Ok(Next::Poll),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// Whether an operation is not to be handed over yet, because a test has it interrupted first.
#[inline]
pub(super) fn is_put_off(operation: &Operation<'_>) -> io::Result<bool> {
    match operation.hand_over() {
        Ok(()) => Ok(false),
        Err(error) if after(&error) == After::Fail => Err(error),
        Err(_) => Ok(true),
    }
}

fn poll_of(target: Target<'_>, interest: Interest) -> Entry {
    let read = if interest.read { libc::POLLIN } else { 0 };
    let write = if interest.write { libc::POLLOUT } else { 0 };
    PollAdd::new(Fd(target.fd.as_raw_fd()), (read | write) as u32).build()
}

/// What follows when an entry could not be pushed.
fn after_push(error: &io::Error) -> After {
    match error.raw_os_error() {
        Some(libc::EBUSY | libc::EAGAIN) => After::Again,
        _ => After::Fail,
    }
}

/// In a forked child that still has the parent's driver: it is a plain thread from now on.
#[cold]
pub(super) fn as_thread(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    debug_assert_eq!(ring::in_a_child().raw_os_error(), Some(libc::EBADF));
    seam::install(None);
    seam::perform(target, operation, deadline)
}
