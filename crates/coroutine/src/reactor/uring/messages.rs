//! The two calls that every message takes, on a ring.
//!
//! * **receive**: handed over at once where the last receive has emptied the socket, and on a TCP
//!   connection that was just accepted; attempted first where there may be more. Into lent memory,
//!   the kernel chooses a buffer when there is something (`buffers.rs`), unless messages are large.
//! * **send**: attempted first, since it hardly ever waits; handed over when it has to, or when
//!   many coroutines were woken together, whose sends then share one system call.
//!
//! What it deliberately does not do: have two sends of one socket under way for one caller.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

use io_uring::opcode::{Recv, Send};
use io_uring::squeue::Flags;
use io_uring::types::Fd;
use socket::seam::{BUFFER_BYTES, Buffer, Operation, Target, try_recv, try_send};
use socket::{Deadline, Interest};

use super::Uring;
use super::buffers::{GROUP, Shelf};
use super::operations::Outcome;
use super::perform::{Next, as_thread, is_put_off};
use crate::clock::{Moment, NEVER};
use crate::driver::{After, after};
use crate::memory::{Memory, Stock};
use crate::shortage::Shortage;
use crate::slot::{SlotRef, WaitsFor};
use crate::worker::Core;

/// Words of a socket's memory, see [`History`].
const EMPTIED: u64 = 1;
const LARGE: u64 = 2;
const HEARD: u64 = 4;

/// `IORING_RECVSEND_POLL_FIRST`: an attempt would find nothing, so wait first.
pub(super) const POLL_FIRST: u16 = 1;

/// So many were woken together that their sends are worth a common system call.
const CROWD: u32 = 4;

/// The longest send that is handed over with others. A longer one (the answers to a pipeline, say)
/// gained nothing by it and paid for being suspended once more.
pub(super) const SHORT: usize = 512;

/// The longest message whose cost is its calls: of a longer one it is the copying, and it is
/// received into a buffer that is in the cache.
const SMALL: usize = 4096;

impl Uring {
    /// Receives. For a deadline that lets it wait.
    #[inline(never)]
    pub(crate) fn recv(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        deadline: Deadline,
    ) -> io::Result<usize> {
        let history = History::of(target);
        match &self.shelf {
            _ if !history.emptied && !history.fresh => {
                self.recv_at_once(core, me, target, memory, deadline)
            }
            Some(shelf) if !history.large => {
                // The kernel attempts it as it is handed over where there may be something.
                let first = if history.fresh { 0 } else { POLL_FIRST };
                self.recv_chosen(core, me, target, (memory, shelf), (deadline, first))
            }
            _ => self.recv_later(core, me, target, memory, deadline),
        }
    }

    /// Receives what may be there already.
    #[inline(never)]
    fn recv_at_once(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        deadline: Deadline,
    ) -> io::Result<usize> {
        let buffer = memory.lend();
        match try_recv(target.fd, buffer) {
            Ok(count) => {
                History::note(target, count, buffer.len());
                if count == 0 {
                    memory.take_back();
                }
                core.scheduler.spend_for(count);
                core.scheduler.spend(me);
                return Ok(count);
            }
            Err(error) if after(&error) == After::Fail => return Err(error),
            Err(_) => {}
        }
        match &self.shelf {
            Some(shelf) if !History::of(target).large => {
                self.recv_chosen(core, me, target, (memory, shelf), (deadline, POLL_FIRST))
            }
            _ => self.recv_later(core, me, target, memory, deadline),
        }
    }

    /// Has the kernel receive into a buffer that it chooses when there is something.
    #[inline(always)]
    fn recv_chosen(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        (memory, shelf): (&mut impl Memory, &Shelf),
        (deadline, first): (Deadline, u16),
    ) -> io::Result<usize> {
        let Some((slot, stock)) = memory.slot().filter(|_| self.ring.is_ours()) else {
            return self.recv_later(core, me, target, memory, deadline);
        };
        restock(slot, stock, shelf);
        let end = core.clock.moment(deadline);
        if is_put_off(&Operation::Recv { buffer: &mut [], flags: 0 })? {
            return self.recv_ready(core, me, target, memory, end);
        }
        let fd = target.fd.as_raw_fd();
        let recv = Recv::new(Fd(fd), ptr::null_mut(), BUFFER_BYTES as u32).ioprio(first);
        let entry = recv.buf_group(GROUP).build().flags(Flags::BUFFER_SELECT);
        // SAFETY: the entry points to nothing; the buffers of the shelf are the kernel's.
        let over = unsafe { self.run(core, me, entry, end, WaitsFor::Read(fd)) }?;
        if let Some(place) = io_uring::cqueue::buffer_select(over.outcome.flags) {
            *slot = shelf.take(place);
        }
        core.scheduler.give_in(me);
        match over.next()? {
            Next::Done(count) => {
                debug_assert!(slot.is_some() || count == 0, "bytes are in a buffer");
                note(target, over.outcome, count, BUFFER_BYTES);
                Ok(count)
            }
            _ => self.recv_unchosen(core, me, target, memory, (over.outcome, end)),
        }
    }

    /// Receives where the kernel has chosen no buffer, perhaps for want of one.
    #[cold]
    #[inline(never)]
    pub(super) fn recv_unchosen(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        (outcome, end): (Outcome, Moment),
    ) -> io::Result<usize> {
        if outcome.result == -libc::ENOBUFS {
            self.ring.shortages.note(Shortage::Buffers);
        }
        self.recv_ready(core, me, target, memory, end)
    }

    /// Receives where it is not a buffer of the shelf's.
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
        memory.take_back();
        let end = core.clock.moment(deadline);
        while memory.slot().is_none() {
            if is_put_off(&Operation::Recv { buffer: &mut [], flags: 0 })? {
                continue;
            }
            match self.recv_into(core, me, target, memory.lend(), end)? {
                Next::Done(count) => return Ok(count),
                Next::Again => {}
                Next::Poll => break,
            }
        }
        self.recv_ready(core, me, target, memory, end)
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
        let next = over.next()?;
        if let Next::Done(count) = next {
            note(target, over.outcome, count, buffer.len());
        }
        Ok(next)
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
                    if count == 0 {
                        memory.take_back();
                    }
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
        if self.woken.get() >= CROWD && bytes.len() <= SHORT {
            return self.send_together(core, me, target, bytes, deadline);
        }
        match try_send(target.fd, bytes) {
            Err(error) if after(&error) == After::Fail => Err(error),
            Err(_) => self.send_later(core, me, target, bytes, deadline),
            done => {
                core.scheduler.spend(me);
                done
            }
        }
    }

    /// Hands a send over that does not wait, as its like do: it is over with the next `enter`, so
    /// it needs no timer.
    #[inline(never)]
    fn send_together(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        bytes: &[u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        let fd = target.fd.as_raw_fd();
        if self.ring.is_ours() && !is_put_off(&Operation::Send { bytes, flags: 0 })? {
            let entry = Send::new(Fd(fd), bytes.as_ptr(), bytes.len() as u32).flags(FLAGS).build();
            // SAFETY: the kernel reads the bytes, which are borrowed until this returns, and `run`
            // returns when it no longer does.
            let over = unsafe { self.run(core, me, entry, NEVER, WaitsFor::Write(fd)) }?;
            core.scheduler.give_in(me);
            if let Next::Done(count) = over.next()? {
                return Ok(count);
            }
        }
        self.send_later(core, me, target, bytes, deadline)
    }

    /// Hands a send over that has to wait.
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
}

/// Notes a receive that is done.
#[inline]
pub(super) fn note(target: Target<'_>, outcome: Outcome, count: usize, room: usize) {
    // What came since makes the room look full.
    let more = io_uring::cqueue::sock_nonempty(outcome.flags);
    History::note(target, count, if more { count } else { room });
}

/// Takes back the buffer of a caller that waits, and sees to it that there are some.
#[inline]
pub(super) fn restock(slot: &mut Option<Buffer>, stock: &Stock, shelf: &Shelf) {
    if let Some(left) = slot.take().and_then(|buffer| shelf.give(buffer)) {
        stock.put(left);
    }
    while shelf.is_low() {
        if let Some(left) = shelf.give(stock.take()) {
            return stock.put(left);
        }
    }
}

/// What the last receive from a socket was like, in its memory word. Only a hint, and of no
/// worker's: epoll's words are greater.
#[derive(Debug, Clone, Copy)]
pub(super) struct History {
    /// There was no more.
    pub(super) emptied: bool,
    /// It was long enough for its copying to be the cost.
    pub(super) large: bool,
    /// There was none: it is a connection that was just accepted.
    fresh: bool,
}

impl History {
    #[inline]
    pub(super) fn of(target: Target<'_>) -> History {
        let word = target.memory().load(Relaxed);
        let has = |bit| word & !(EMPTIED | LARGE) == HEARD && word & bit != 0;
        let fresh = word == 0 && target.is_plain_tcp();
        History { emptied: has(EMPTIED), large: has(LARGE), fresh }
    }

    /// Notes a receive of `count` bytes into room for so many.
    #[inline]
    fn note(target: Target<'_>, count: usize, room: usize) {
        let emptied = (1..room).contains(&count);
        let large = if count > SMALL { LARGE } else { 0 };
        let word = HEARD | large | if emptied { EMPTIED } else { 0 };
        if target.memory().load(Relaxed) != word {
            target.memory().store(word, Relaxed);
        }
    }
}
