//! What a coroutine does for its own operation: attempt, wait, attempt again.
//!
//! Edges and registrations are in `epoll.rs`. A wake is only a hint here: every loop below asks the
//! kernel again before it answers. That there was no wake is trusted by who is about to wait, since
//! an edge that comes meanwhile wakes him: what is known to be empty is not asked once more.
//!
//! What it deliberately does not do: answer "not now" to anybody without having asked.

use std::io;
use std::os::fd::AsRawFd;

use socket::seam::{Operation, Target, Waiting, Watch, is_pending, try_recv, try_send};
use socket::{Deadline, Interest, Poll, poll};

use super::attempt::attempt;
use super::epoll::{Epoll, knows};
use super::registration::Registration;
use super::waiters::{Joined, READ, WRITE};
use crate::clock::{self, Moment, NEVER};
use crate::driver::{After, after, outcome};
use crate::memory::Memory;
use crate::slot::{SlotRef, WaitsFor};
use crate::suspend::{Ends, Resumed};
use crate::worker::Core;

/// How long a call sleeps that waits for room in a Unix socket's queue of which no event tells:
/// at first, and at most.
pub(super) const FULL_QUEUE: [u64; 2] = [1_000_000, 50_000_000];

impl Epoll {
    /// Receives, and waits if it has to: [`perform`](Self::perform) of the operation that waits
    /// most often, by the shortest way. For a deadline that lets it wait.
    #[inline]
    pub(crate) fn recv(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        deadline: Deadline,
    ) -> io::Result<usize> {
        match deadline {
            Deadline::Never => self.receive(core, me, target, memory, || NEVER),
            limited => self.recv_within(core, me, target, memory, limited),
        }
    }

    #[inline(never)]
    fn recv_within(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        deadline: Deadline,
    ) -> io::Result<usize> {
        // Asked once, when it first has to wait.
        let mut end = None;
        let end = || *end.get_or_insert_with(|| core.clock.moment(deadline));
        self.receive(core, me, target, memory, end)
    }

    #[inline(always)]
    fn receive(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut impl Memory,
        mut end: impl FnMut() -> Moment,
    ) -> io::Result<usize> {
        let entry = self.registrations.of(target.fd);
        loop {
            let known = knows(entry, target);
            if !(known && entry.drained.get()) && (known || self.tries(target)) {
                let buffer = memory.lend();
                let room = buffer.len();
                let answer = try_recv(target.fd, buffer);
                if !known && target.is_plain_tcp() {
                    self.prompt.set(answer.is_ok());
                }
                match answer {
                    Ok(count) => {
                        if known && count.wrapping_sub(1) < room - 1 {
                            entry.note_short_read(target.fd);
                        } else {
                            core.scheduler.spend_for(count);
                        }
                        if count == 0 {
                            memory.take_back();
                        }
                        core.scheduler.spend(me);
                        return Ok(count);
                    }
                    Err(error) => match after(&error) {
                        After::Again => continue,
                        After::Wait => {}
                        After::Fail => return Err(error),
                    },
                }
            }
            memory.take_back();
            if !known {
                self.register_anew(entry, target, false)?;
            }
            let waits_for = WaitsFor::Read(target.fd.as_raw_fd());
            let park = || core.scheduler.park(me, end(), waits_for, Ends::Event);
            outcome(entry.waiters.while_reading(me, park))?;
        }
    }

    /// Whether a socket that is not registered is asked for input before it is waited for. Of those
    /// just accepted one in sixteen is, and the others do as it did: usually a peer that connects
    /// has not sent anything yet, and where they queue up it has.
    fn tries(&self, target: Target<'_>) -> bool {
        let fresh = self.fresh.get().wrapping_add(u8::from(target.is_plain_tcp()));
        self.fresh.set(fresh);
        !target.is_plain_tcp() || self.prompt.get() || fresh.is_multiple_of(16)
    }

    /// Sends, by the shortest way where it need not wait. For a deadline that would let it.
    #[inline]
    pub(crate) fn send(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        bytes: &[u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        match try_send(target.fd, bytes) {
            Ok(count) => {
                core.scheduler.spend(me);
                Ok(count)
            }
            Err(error) => self.send_after(core, me, target, bytes, deadline, error),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_after(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        bytes: &[u8],
        deadline: Deadline,
        error: io::Error,
    ) -> io::Result<usize> {
        if after(&error) == After::Fail {
            return Err(error);
        }
        let mut operation = Operation::Send { bytes, flags: 0 };
        self.perform(core, me, target, &mut operation, deadline)
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
        let entry = self.registrations.of(target.fd);
        if !would_find_nothing(entry, target, operation) || matches!(deadline, Deadline::Immediate)
        {
            match attempt(target, operation) {
                Ok(count) => {
                    note(entry, target, operation, count);
                    core.scheduler.spend(me);
                    return Ok(count);
                }
                Err(error) if !is_pending(&error) => return Err(error),
                Err(error) if matches!(deadline, Deadline::Immediate) => {
                    if matches!(operation, Operation::Accept { .. }) && knows(entry, target) {
                        entry.note_empty();
                    }
                    // Somebody who only ever asks must not keep the worker either.
                    core.scheduler.spend(me);
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        self.wait_for(core, me, entry, target, operation, deadline)
    }

    /// Waits until `operation` can be done, and does it.
    #[inline(never)]
    fn wait_for(
        &self,
        core: &Core,
        me: SlotRef,
        entry: &Registration,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        deadline: Deadline,
    ) -> io::Result<usize> {
        let end = core.clock.moment(deadline);
        let mut delay = FULL_QUEUE[0];
        loop {
            if no_event_tells(target, operation) {
                pause(core, me, &mut delay, end)?;
            } else {
                self.register(entry, target, operation.interest().write)?;
                self.park(core, me, entry, target, operation.interest(), end)?;
            }
            if would_find_nothing(entry, target, operation) {
                continue;
            }
            match attempt(target, operation) {
                Ok(count) => {
                    note(entry, target, operation, count);
                    return Ok(count);
                }
                Err(error) if is_pending(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    #[inline]
    fn park(
        &self,
        core: &Core,
        me: SlotRef,
        entry: &Registration,
        target: Target<'_>,
        interest: Interest,
        end: Moment,
    ) -> io::Result<()> {
        if entry.always_ready.get() {
            core.scheduler.yield_now(me);
            return if clock::now() >= end { outcome_timed_out() } else { Ok(()) };
        }
        let fd = target.fd.as_raw_fd();
        let waits_for = if interest.read { WaitsFor::Read(fd) } else { WaitsFor::Write(fd) };
        let wants = wants(interest);
        outcome(
            entry
                .waiters
                .during(me, wants, || core.scheduler.park(me, end, waits_for, Ends::Event)),
        )
    }

    /// Waits until one of `watches` is ready. The level counts, not the edge: everybody is asked by
    /// `poll(2)` before each parking, unless it is known of all that they have nothing.
    pub(crate) fn wait_any(
        &self,
        core: &Core,
        me: SlotRef,
        watches: &mut [Watch<'_>],
        deadline: Deadline,
    ) -> io::Result<()> {
        let immediate = matches!(deadline, Deadline::Immediate);
        let end = core.clock.moment(deadline);
        loop {
            // Who does not wait is not told of edges either, so only asking says what is there.
            let asks = immediate || !watches.iter().all(|watch| self.has_nothing(watch));
            if asks && look(watches)? {
                core.scheduler.spend(me);
                return Ok(());
            }
            if immediate {
                core.scheduler.spend(me);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            for watch in &*watches {
                let entry = self.entry(watch);
                match knows(entry, watch.target) {
                    // An edge since the look has not been seen yet, and will be.
                    true if watch.interest == Interest::READ => entry.note_empty(),
                    // Registering reports what is ready as an edge, so nothing is missed either.
                    _ => self.register(entry, watch.target, watch.interest.write)?,
                }
            }
            let joined: Vec<Joined<'_>> = watches
                .iter()
                .map(|watch| self.entry(watch).waiters.join(me, wants(watch.interest)))
                .collect();
            let waits_for = WaitsFor::Any(watches.len() as u32);
            let resumed = core.scheduler.park(me, end, waits_for, Ends::Event);
            drop(joined);
            outcome(resumed)?;
        }
    }

    fn entry(&self, watch: &Watch<'_>) -> &Registration {
        self.registrations.of(watch.target.fd)
    }

    /// Whether it is known that a watch is not ready.
    fn has_nothing(&self, watch: &Watch<'_>) -> bool {
        let entry = self.entry(watch);
        watch.interest == Interest::READ && entry.drained.get() && knows(entry, watch.target)
    }
}

/// Sleeps a little, longer each time.
pub(super) fn pause(core: &Core, me: SlotRef, pause: &mut u64, end: Moment) -> io::Result<()> {
    let until = clock::now().saturating_add(*pause).min(end);
    *pause = (*pause * 2).min(FULL_QUEUE[1]);
    match core.scheduler.park(me, until, WaitsFor::Time, Ends::Event) {
        Resumed::TimedOut if until < end => Ok(()),
        resumed => outcome(resumed),
    }
}

/// Whether the operation waits for something of which the descriptor says nothing: room in the
/// queue of a Unix socket that is not its peer yet (connect) or not at all (a datagram sent to an
/// address). Then a poll says that it could be written to, and it cannot.
pub(super) fn no_event_tells(target: Target<'_>, operation: &Operation<'_>) -> bool {
    match operation {
        Operation::Connect { begun, .. } => !begun,
        Operation::SendTo { .. } | Operation::SendMsg(_) | Operation::SendMmsg(_) => {
            Operation::Ready(Interest::WRITE).attempt(target.fd, Waiting::Refused).is_ok()
        }
        _ => false,
    }
}

/// Whether an attempt can be left out, because its answer is known.
#[inline]
fn would_find_nothing(entry: &Registration, target: Target<'_>, operation: &Operation<'_>) -> bool {
    entry.drained.get()
        && knows(entry, target)
        && matches!(operation, Operation::Recv { flags: 0, buffer } if !buffer.is_empty())
}

/// Notes what an operation that moved `count` bytes says about its socket.
#[inline]
fn note(entry: &Registration, target: Target<'_>, operation: &Operation<'_>, count: usize) {
    if let Operation::Recv { buffer, flags: 0 } = operation
        && (1..buffer.len()).contains(&count)
        && knows(entry, target)
    {
        entry.note_short_read(target.fd);
    }
}

#[inline]
fn wants(interest: Interest) -> u32 {
    let read = if interest.read { READ } else { 0 };
    let write = if interest.write { WRITE } else { 0 };
    read | write
}

/// Asks everybody once, and marks who is ready.
pub(super) fn look(watches: &mut [Watch<'_>]) -> io::Result<bool> {
    let mut polls: Vec<Poll<'_>> =
        watches.iter().map(|watch| Poll::new(watch.target.fd, watch.interest)).collect();
    if poll(&mut polls, Deadline::Immediate)? == 0 {
        return Ok(false);
    }
    for (watch, poll) in watches.iter_mut().zip(&polls) {
        watch.ready = poll.ready.read || poll.ready.write;
    }
    Ok(true)
}

fn outcome_timed_out() -> io::Result<()> {
    Err(io::ErrorKind::TimedOut.into())
}
