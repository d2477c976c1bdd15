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
//! its cancel with the whole thread, because the worker's loop no longer looks at the ring then; the
//! kernel cancels a wait for a socket at once.
//!
//! The cheapest way differs, and is chosen for each call:
//!
//! * **receive**: handed over at once where the last receive has emptied the socket, attempted
//!   first where it has not. Into lent memory, the kernel chooses a buffer when there is something
//!   (`buffers.rs`), unless messages are large.
//! * **send**: attempted first, since it hardly ever waits; handed over when it has to, or when many
//!   coroutines were woken together, whose sends then share one system call.
//! * **accept**: handed over at once, whatever mode the listener's file is in.
//! * **everything else**: attempted, with a poll handed over between the attempts.
//!
//! What it deliberately does not do: have two sends of one socket under way for one caller.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

use io_uring::opcode::{Accept, AsyncCancel, PollAdd, Recv, Send};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use socket::seam::{
    self, BUFFER_BYTES, Buffer, Operation, Peer, Target, Watch, is_pending, try_recv, try_send,
};
use socket::{Deadline, Interest};

use super::buffers::{GROUP, Shelf};
use super::operations::{Kind, Outcome, Ticket, mark, mark_of};
use super::{Uring, ring};
use crate::clock::{Moment, NEVER};
use crate::driver::{After, after, outcome};
use crate::memory::{Memory, Stock};
use crate::reactor::attempt::attempt;
use crate::reactor::perform::{FULL_QUEUE, look, no_event_tells, pause};
use crate::slot::{SlotRef, UNWINDING, WaitsFor};
use crate::suspend::Resumed;
use crate::worker::Core;

/// Words of a socket's memory, see [`History`].
const EMPTIED: u64 = 1;
const LARGE: u64 = 2;

/// `IORING_RECVSEND_POLL_FIRST`: an attempt would find nothing, so wait first.
const POLL_FIRST: u16 = 1;

/// So many were woken together that their sends are worth a common system call.
const CROWD: u32 = 4;

/// The longest send that is handed over with others. A longer one (the answers to a pipeline, say)
/// gained nothing by it and paid for being suspended once more.
const SHORT: usize = 512;

/// The longest message whose cost is its calls: of a longer one it is the copying, and it is received
/// into a buffer that is in the cache.
const SMALL: usize = 4096;

/// An operation that is over.
struct Over {
    outcome: Outcome,
    /// Why it was cancelled, if it was.
    asked: Resumed,
}

/// What is to be done after an operation.
enum Next {
    Done(usize),
    Again,
    /// The ring does not wait for this file, which is non-blocking, or has no buffer left.
    Poll,
}

impl Uring {
    /// Receives. For a deadline that lets it wait.
    #[inline]
    pub(crate) fn recv(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        deadline: Deadline,
    ) -> io::Result<usize> {
        if !History::of(target).emptied {
            let buffer = memory.lend();
            match try_recv(target.fd, buffer) {
                Ok(count) => {
                    History::note(target, count, buffer.len());
                    core.scheduler.spend(me);
                    return Ok(count);
                }
                Err(error) if after(&error) == After::Fail => return Err(error),
                Err(_) => {}
            }
        }
        self.recv_later(core, me, target, memory, deadline)
    }

    #[inline(never)]
    fn recv_later(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        deadline: Deadline,
    ) -> io::Result<usize> {
        if !self.ring.is_ours() {
            let buffer = memory.lend();
            return as_thread(target, &mut Operation::Recv { buffer, flags: 0 }, deadline);
        }
        match (memory.slot(), &self.shelf) {
            (Some((slot, stock)), Some(shelf)) => restock(slot, stock, shelf),
            _ => memory.take_back(),
        }
        let end = core.clock.moment(deadline);
        loop {
            if is_put_off(&Operation::Recv { buffer: &mut [], flags: 0 })? {
                continue;
            }
            let next = match (memory.slot(), &self.shelf) {
                (None, _) => self.recv_into(core, me, target, memory.lend(), end)?,
                (Some((slot, stock)), Some(shelf)) if !History::of(target).large => {
                    let lent = (slot, stock, shelf);
                    self.recv_chosen(core, me, target, lent, end)?
                }
                _ => Next::Poll,
            };
            match next {
                Next::Done(count) => return Ok(count),
                Next::Again => {}
                Next::Poll => return self.recv_ready(core, me, target, memory, end),
            }
        }
    }

    /// Has the kernel receive into the caller's own buffer.
    fn recv_into(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        buffer: &mut [u8],
        end: Moment,
    ) -> io::Result<Next> {
        let fd = target.fd.as_raw_fd();
        let length = buffer.len().min(i32::MAX as usize) as u32;
        let recv = Recv::new(Fd(fd), buffer.as_mut_ptr(), length).ioprio(POLL_FIRST);
        // SAFETY: the kernel writes into the buffer, which is borrowed until this returns, and
        // `run` returns when it no longer does.
        let over = unsafe { self.run(core, me, recv.build(), end, WaitsFor::Read(fd)) }?;
        core.scheduler.give_in(me);
        over.next().inspect(|next| next.note(target, &over, buffer.len()))
    }

    /// Has the kernel receive into a buffer that it chooses when there is something.
    fn recv_chosen(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        (slot, stock, shelf): (&mut Option<Buffer>, &Stock, &Shelf),
        end: Moment,
    ) -> io::Result<Next> {
        let fd = target.fd.as_raw_fd();
        let recv = Recv::new(Fd(fd), ptr::null_mut(), BUFFER_BYTES as u32).ioprio(POLL_FIRST);
        let entry = recv.buf_group(GROUP).build().flags(Flags::BUFFER_SELECT);
        // SAFETY: the entry points to nothing; the buffers of the shelf are the kernel's.
        let over = unsafe { self.run(core, me, entry, end, WaitsFor::Read(fd)) }?;
        if let Some(place) = io_uring::cqueue::buffer_select(over.outcome.flags) {
            *slot = shelf.take(place);
        }
        core.scheduler.give_in(me);
        match over.next()? {
            // The end of the stream may come without a buffer.
            Next::Done(count) if slot.is_none() => {
                debug_assert_eq!(count, 0, "bytes are in a buffer");
                *slot = Some(stock.take());
                Ok(Next::Done(count))
            }
            next => {
                next.note(target, &over, BUFFER_BYTES);
                Ok(next)
            }
        }
    }

    /// Waits until there is something, and then receives it by a call: what a large message is
    /// worth, for a buffer that is still in the cache, and what is left where the shelf is empty.
    #[inline(never)]
    fn recv_ready(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        end: Moment,
    ) -> io::Result<usize> {
        loop {
            self.wait_until(core, me, target, Interest::READ, end)?;
            let buffer = memory.lend();
            match try_recv(target.fd, buffer) {
                Ok(count) => {
                    History::note(target, count, buffer.len());
                    return Ok(count);
                }
                Err(error) if after(&error) == After::Fail => return Err(error),
                Err(_) => memory.take_back(),
            }
        }
    }

    /// Sends. For a deadline that would let it wait.
    #[inline]
    pub(crate) fn send(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        bytes: &[u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        if self.woken.get() < CROWD || bytes.len() > SHORT {
            match try_send(target.fd, bytes) {
                Err(error) if after(&error) == After::Fail => return Err(error),
                Err(_) => {}
                done => {
                    core.scheduler.spend(me);
                    return done;
                }
            }
        }
        self.send_later(core, me, target, bytes, deadline)
    }

    #[inline(never)]
    fn send_later(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        bytes: &[u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        if !self.ring.is_ours() {
            return as_thread(target, &mut Operation::Send { bytes, flags: 0 }, deadline);
        }
        let end = core.clock.moment(deadline);
        let waits_for = WaitsFor::Write(target.fd.as_raw_fd());
        let length = bytes.len().min(i32::MAX as usize) as u32;
        loop {
            if is_put_off(&Operation::Send { bytes, flags: 0 })? {
                continue;
            }
            let fd = Fd(target.fd.as_raw_fd());
            let entry = Send::new(fd, bytes.as_ptr(), length).flags(libc::MSG_NOSIGNAL).build();
            // SAFETY: the kernel reads the bytes, which are borrowed until this returns, and `run`
            // returns when it no longer does.
            let over = unsafe { self.run(core, me, entry, end, waits_for) }?;
            core.scheduler.give_in(me);
            match over.next()? {
                Next::Done(count) => return Ok(count),
                Next::Again => {}
                Next::Poll => {
                    let mut operation = Operation::Send { bytes, flags: 0 };
                    return self.wait_for(core, me, target, &mut operation, end);
                }
            }
        }
    }

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
        match attempt(target.fd, operation) {
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
    fn wait_for(
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
            match attempt(target.fd, operation) {
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
    fn wait_until(
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
            let waits_for = WaitsFor::Any(watches.len());
            while asked == Resumed::Woken && !tickets.iter().any(is_over) {
                asked = core.scheduler.park_pinned(me, end, waits_for);
            }
        }
        for ticket in tickets {
            self.end(core, me, ticket);
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
    #[inline]
    unsafe fn run(
        &self,
        core: &Core,
        me: SlotRef,
        entry: Entry,
        end: Moment,
        waits_for: WaitsFor,
    ) -> io::Result<Over> {
        let ticket = loop {
            if let Some(refused) = core.scheduler.before_operation(me) {
                outcome(refused)?;
            }
            // SAFETY: passed on to the caller.
            match unsafe { self.begin(me, entry.clone()) } {
                Ok(ticket) => break ticket,
                Err(error) if after_push(&error) == After::Again => core.scheduler.yield_now(me),
                Err(error) => return Err(error),
            }
        };
        loop {
            let asked = core.scheduler.park_pinned(me, end, waits_for);
            if let Some(outcome) = self.operations.outcome(ticket) {
                self.operations.end(ticket);
                return Ok(Over { outcome, asked: Resumed::Woken });
            }
            if asked != Resumed::Woken {
                return Ok(Over { outcome: self.end(core, me, ticket), asked });
            }
        }
    }

    /// Begins an operation for whoever then waits for it.
    ///
    /// # Safety
    /// What the entry points to is valid until the operation has [ended](Self::end).
    #[inline]
    pub(super) unsafe fn begin(&self, me: SlotRef, entry: Entry) -> io::Result<Ticket> {
        let ticket = self.operations.begin(me);
        // SAFETY: passed on to the caller.
        let pushed = unsafe { self.ring.push(&entry.user_data(mark(Kind::Operation, ticket))) };
        match pushed {
            Ok(()) => Ok(ticket),
            Err(error) => {
                self.operations.end(ticket);
                Err(error)
            }
        }
    }

    /// Ends an operation, one way or the other: cancels it unless it is over, waits for its last
    /// completion, and gives its place back.
    fn end(&self, core: &Core, me: SlotRef, ticket: Ticket) -> Outcome {
        let cancel = AsyncCancel::new(mark(Kind::Operation, ticket)).build();
        let cancel = cancel.user_data(mark_of(Kind::Cancel)).flags(Flags::SKIP_SUCCESS);
        let mut pushed = false;
        loop {
            if let Some(outcome) = self.operations.outcome(ticket) {
                self.operations.end(ticket);
                return outcome;
            }
            if !self.ring.is_ours() {
                // A copy of the memory that the kernel has, in a forked child: nobody writes to it.
                self.operations.end(ticket);
                return Outcome { result: -libc::ECANCELED, flags: 0 };
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

impl Next {
    /// Notes a receive that is done.
    #[inline]
    fn note(&self, target: Target<'_>, over: &Over, room: usize) {
        if let Next::Done(count) = *self {
            // What came since makes the room look full.
            let more = io_uring::cqueue::sock_nonempty(over.outcome.flags);
            History::note(target, count, if more { count } else { room });
        }
    }
}

impl Over {
    /// What follows from it.
    #[inline]
    fn next(&self) -> io::Result<Next> {
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

/// Takes back the buffer of a caller that waits, and sees to it that there are some.
#[inline]
fn restock(slot: &mut Option<Buffer>, stock: &Stock, shelf: &Shelf) {
    if let Some(left) = slot.take().and_then(|buffer| shelf.give(buffer)) {
        stock.put(left);
    }
    while shelf.is_low() {
        if let Some(left) = shelf.give(stock.take()) {
            return stock.put(left);
        }
    }
}

/// Whether an operation is not to be handed over yet, because a test has it interrupted first.
#[inline]
fn is_put_off(operation: &Operation<'_>) -> io::Result<bool> {
    match operation.hand_over() {
        Ok(()) => Ok(false),
        Err(error) if after(&error) == After::Fail => Err(error),
        Err(_) => Ok(true),
    }
}

/// What the last receive from a socket was like, in its memory word. Only a hint, and of no
/// worker's: epoll's words are greater.
#[derive(Debug, Clone, Copy)]
struct History {
    /// There was no more.
    emptied: bool,
    /// It was long enough for its copying to be the cost.
    large: bool,
}

impl History {
    #[inline]
    fn of(target: Target<'_>) -> History {
        let word = target.memory().load(Relaxed);
        History { emptied: word & !LARGE == EMPTIED, large: word & !EMPTIED == LARGE }
    }

    /// Notes a receive of `count` bytes into room for so many.
    #[inline]
    fn note(target: Target<'_>, count: usize, room: usize) {
        let emptied = (1..room).contains(&count);
        let word = if emptied { EMPTIED } else { 0 } | if count > SMALL { LARGE } else { 0 };
        if target.memory().load(Relaxed) != word {
            target.memory().store(word, Relaxed);
        }
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
fn as_thread(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    debug_assert_eq!(ring::in_a_child().raw_os_error(), Some(libc::EBADF));
    seam::install(None);
    seam::perform(target, operation, deadline)
}
