//! The reactor over `epoll(7)`, edge-triggered.
//!
//! ```text
//!   perform:  attempt ── done ──────────────────────────────► answer
//!                │ would block
//!                ▼
//!             register once ─► join the waiters ─► park ══► poll: an edge ─► unpark ─► attempt …
//! ```
//! A descriptor is registered when a call first has to wait for it, for everything at once, and not
//! touched again: no `epoll_ctl` per wait. An edge that comes between an attempt and the parking is
//! not lost, because edges are taken in the worker's loop only, after the parking. A wake is a
//! hint: who is woken attempts again, and parks again if another was quicker.
//!
//! What it deliberately does not do: remember who is interested in what beyond the wait, or close
//! anything.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::epoll;
use socket::seam::{Operation, Target, Waiting, Watch, is_pending};
use socket::{Deadline, Interest, Poll, poll};

use super::attempt::attempt;
use super::registration::{Registration, Registrations};
use super::waiters::{FAILURE, Joined, READ, WRITE};
use crate::clock::{self, Moment, NEVER};
use crate::driver::{After, after, outcome};
use crate::scheduler::{Ends, Scheduler};
use crate::slot::{SlotRef, WaitsFor};
use crate::worker::Core;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Epoll {
    epoll: OwnedFd,
    /// The high half of every word of this worker: no other worker of the process has it.
    worker: u64,
    registrations: Registrations,
    events: RefCell<Vec<libc::epoll_event>>,
    next_generation: Cell<u32>,
}

/// Events that are taken at once.
const EVENTS: usize = 512;

/// The data of the bell's events, which no descriptor has.
const BELL: u64 = u64::MAX;

/// How long a call sleeps that waits for room in a Unix socket's queue of which no event tells:
/// at first, and at most.
const FULL_QUEUE: [u64; 2] = [1_000_000, 50_000_000];

impl Epoll {
    /// A reactor that hears `bell`.
    pub(crate) fn new(bell: &OwnedFd) -> io::Result<Epoll> {
        static WORKERS: AtomicU32 = AtomicU32::new(1);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, bell, epoll::EventData::new_u64(BELL), flags)?;
        Ok(Epoll {
            epoll,
            worker: u64::from(WORKERS.fetch_add(1, Ordering::Relaxed)) << 32,
            registrations: Registrations::default(),
            events: RefCell::new(Vec::with_capacity(EVENTS)),
            next_generation: Cell::new(1),
        })
    }

    /// Receives, and waits if it has to: [`perform`](Self::perform) of the operation that waits
    /// most often, by the shortest way.
    pub(crate) fn recv(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        buffer: &mut [u8],
        flags: i32,
        deadline: Deadline,
    ) -> io::Result<usize> {
        let entry = self.registrations.of(target.fd);
        let plain = flags == 0 && !buffer.is_empty();
        let mut end = None;
        loop {
            let known = knows(entry, target);
            if !(plain && known && entry.drained.get()) {
                let mut recv = Operation::Recv { buffer: &mut *buffer, flags };
                match recv.attempt(target.fd, Waiting::Refused) {
                    Ok(count) => {
                        if plain && known && (1..buffer.len()).contains(&count) {
                            entry.note_short_read(target.fd);
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
            if !known {
                self.register_anew(entry, target)?;
            }
            let end = *end.get_or_insert_with(|| core.clock.moment(deadline));
            let waits_for = WaitsFor::Read(target.fd.as_raw_fd());
            outcome(
                entry
                    .waiters
                    .during(me, READ, || core.scheduler.park(me, end, waits_for, Ends::Event)),
            )?;
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
        let entry = self.registrations.of(target.fd);
        if !would_find_nothing(entry, target, operation) || matches!(deadline, Deadline::Immediate)
        {
            match attempt(target.fd, operation) {
                Ok(count) => {
                    note(entry, target, operation, count);
                    core.scheduler.spend(me);
                    return Ok(count);
                }
                Err(error) if !is_pending(&error) => return Err(error),
                Err(error) if matches!(deadline, Deadline::Immediate) => {
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
        let mut pause = FULL_QUEUE[0];
        loop {
            if no_event_tells(target, operation) {
                self.pause(core, me, &mut pause, end)?;
            } else {
                self.register(entry, target)?;
                self.park(core, me, entry, target, operation.interest(), end)?;
            }
            if would_find_nothing(entry, target, operation) {
                continue;
            }
            match attempt(target.fd, operation) {
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

    /// Sleeps a little, longer each time.
    fn pause(&self, core: &Core, me: SlotRef, pause: &mut u64, end: Moment) -> io::Result<()> {
        let until = clock::now().saturating_add(*pause).min(end);
        *pause = (*pause * 2).min(FULL_QUEUE[1]);
        match core.scheduler.park(me, until, WaitsFor::Time, Ends::Event) {
            crate::scheduler::Resumed::TimedOut if until < end => Ok(()),
            resumed => outcome(resumed),
        }
    }

    /// Sees to it that events of the target reach its entry.
    #[inline]
    fn register(&self, entry: &Registration, target: Target<'_>) -> io::Result<()> {
        match knows(entry, target) {
            true => Ok(()),
            false => self.register_anew(entry, target),
        }
    }

    #[cold]
    fn register_anew(&self, entry: &Registration, target: Target<'_>) -> io::Result<()> {
        let generation = self.next_generation.get();
        self.next_generation.set(generation.wrapping_add(1).max(1));
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::PRI
            | epoll::EventFlags::ET;
        let number = u64::from(target.fd.as_raw_fd() as u32);
        let data =
            |generation: u32| epoll::EventData::new_u64(number | u64::from(generation) << 32);
        let mut always_ready = false;
        match epoll::add(&self.epoll, target.fd, data(generation), flags) {
            Ok(()) => entry.generation.set(generation),
            // The same file is registered under this number already, by another holder of the
            // descriptor or for one that is gone. Its generation stays, so that the others' words
            // stay right; the data may be of an older one. Anything ready is an edge again.
            Err(rustix::io::Errno::EXIST) => {
                let known = entry.generation.get();
                epoll::modify(&self.epoll, target.fd, data(known), flags)?;
            }
            Err(rustix::io::Errno::PERM) => {
                entry.generation.set(generation);
                always_ready = true;
            }
            Err(error) => return Err(error.into()),
        }
        let word = self.worker | u64::from(entry.generation.get());
        entry.begin(word);
        entry.always_ready.set(always_ready);
        target.memory.store(word, Ordering::Relaxed);
        Ok(())
    }

    /// Waits until one of `watches` is ready. The level counts, not the edge: everybody is asked by
    /// `poll(2)` before each parking.
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
            if look(watches)? {
                core.scheduler.spend(me);
                return Ok(());
            }
            if immediate {
                core.scheduler.spend(me);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // Registering reports what is ready as an edge, so nothing is missed since the look.
            for watch in &*watches {
                self.register(self.entry(watch), watch.target)?;
            }
            let joined: Vec<Joined<'_>> = watches
                .iter()
                .map(|watch| self.entry(watch).waiters.join(me, wants(watch.interest)))
                .collect();
            let waits_for = WaitsFor::Any(watches.len());
            let resumed = core.scheduler.park(me, end, waits_for, Ends::Event);
            drop(joined);
            outcome(resumed)?;
        }
    }

    fn entry(&self, watch: &Watch<'_>) -> &Registration {
        self.registrations.of(watch.target.fd)
    }

    /// Looks what has happened, sleeping up to `wait` nanoseconds, and wakes whom it concerns.
    pub(crate) fn poll(&self, scheduler: &Scheduler, wait: u64) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        events.clear();
        let room = events.spare_capacity_mut();
        let (pointer, length) = (room.as_mut_ptr().cast(), room.len() as libc::c_int);
        let epoll = self.epoll.as_raw_fd();
        let count = match wait {
            // SAFETY: `pointer` has room for `length` events, into which the kernel writes.
            0 => unsafe { libc::epoll_wait(epoll, pointer, length, 0) },
            // SAFETY: as above.
            NEVER => unsafe { libc::epoll_wait(epoll, pointer, length, -1) },
            wait => sleep(epoll, pointer, length, wait),
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::Interrupted => Ok(()),
                _ => Err(error),
            };
        };
        // SAFETY: the kernel has written so many events, and there is room for them.
        unsafe { events.set_len(count) };
        for event in &*events {
            self.deliver(scheduler, event.u64, event.events);
        }
        Ok(())
    }

    #[inline]
    fn deliver(&self, scheduler: &Scheduler, data: u64, events: u32) {
        // There is no entry for the bell, whose ring only ends the sleep.
        let Some(entry) = self.registrations.find(data as u32 as usize) else { return };
        if entry.generation.get() != (data >> 32) as u32 {
            return;
        }
        let (input, output) = (libc::EPOLLIN as u32, libc::EPOLLOUT as u32);
        let failure = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
        let special = (libc::EPOLLRDHUP | libc::EPOLLPRI) as u32;
        let mut has = 0;
        if events & (input | failure | special) != 0 {
            entry.drained.set(false);
            has |= READ;
        }
        if events & output != 0 {
            has |= WRITE;
        }
        if events & (failure | special) != 0 {
            entry.no_longer();
            has |= if events & failure != 0 { FAILURE } else { 0 };
        }
        entry.waiters.wake(has, |slot| scheduler.unpark(slot));
    }
}

/// Whether the target is registered as what its entry says.
#[inline]
fn knows(entry: &Registration, target: Target<'_>) -> bool {
    let word = target.memory.load(Ordering::Relaxed);
    word == entry.word.get() && word != 0
}

/// Whether the operation waits for something of which the descriptor says nothing: room in the
/// queue of a Unix socket that is not its peer yet (connect) or not at all (a datagram sent to an
/// address). Then a poll says that it could be written to, and it cannot.
fn no_event_tells(target: Target<'_>, operation: &Operation<'_>) -> bool {
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
fn look(watches: &mut [Watch<'_>]) -> io::Result<bool> {
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

/// `epoll_pwait2(2)`, which counts nanoseconds; `epoll_wait(2)` before Linux 5.11.
fn sleep(
    epoll: libc::c_int,
    events: *mut libc::epoll_event,
    length: libc::c_int,
    wait: u64,
) -> libc::c_int {
    let time = libc::timespec {
        tv_sec: (wait / 1_000_000_000) as libc::time_t,
        tv_nsec: (wait % 1_000_000_000) as libc::c_long,
    };
    let none = std::ptr::null::<libc::sigset_t>();
    // SAFETY: `events` has room for `length` events, `time` outlives the call, and a null mask
    // leaves the mask alone.
    let count = unsafe {
        libc::syscall(libc::SYS_epoll_pwait2, epoll, events, length, &raw const time, none, 0usize)
    };
    if count != -1 || io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS) {
        return count as libc::c_int;
    }
    let milliseconds = wait.div_ceil(1_000_000).min(i32::MAX as u64) as libc::c_int;
    // SAFETY: `events` has room for `length` events.
    unsafe { libc::epoll_wait(epoll, events, length, milliseconds) }
}
