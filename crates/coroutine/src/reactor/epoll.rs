//! The reactor over `epoll(7)`, edge-triggered.
//!
//! ```text
//!   perform:  attempt ── done ──────────────────────────────► answer
//!                │ would block
//!                ▼
//!             register once ─► join the waiters ─► park ══► poll: an edge ─► unpark ─► attempt …
//! ```
//! A descriptor is registered when a call first has to wait for it, what was just accepted before
//! it is asked for input (`perform.rs`); once more, when somebody first has to wait to write, or
//! leaves it to a dormant watcher before it was seen to be empty; and not touched again: no
//! `epoll_ctl` per wait. An edge that comes between an attempt and the parking is not lost, because
//! edges are taken in the worker's loop only, after the parking. Who waits alone to read runs as
//! soon as its edge is seen; the others are put into the run queue. A wake is a hint: who is woken
//! attempts again, and parks again if another was quicker.
//!
//! What it deliberately does not do: remember who is interested in what beyond the wait, or close
//! anything.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::epoll;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use socket::seam::Target;

use super::ALARM;
use super::registration::{Registration, Registrations};
use super::waiters::{FAILURE, READ, WRITE};
use crate::clock::NEVER;
use crate::dormant::Dormant;
use crate::scheduler::Scheduler;
use crate::worker::Core;

/// See the head of this file.
pub(crate) struct Epoll {
    epoll: OwnedFd,
    /// A timer that rings like the bell.
    alarm: OwnedFd,
    /// The high half of every word of this worker: no other worker of the process has it.
    worker: u64,
    pub(super) registrations: Registrations,
    events: RefCell<Vec<libc::epoll_event>>,
    next_generation: Cell<u32>,
    /// Counts connections of which nothing is known yet.
    pub(super) fresh: Cell<u8>,
    /// Whether the last of them that was asked had something.
    pub(super) prompt: Cell<bool>,
}

/// Events that are taken at once.
const EVENTS: usize = 256;

/// The data of the bell's events and of the alarm's, which no descriptor has.
const BELL: u64 = u64::MAX;

impl Epoll {
    /// A reactor that hears `bell`.
    pub(crate) fn new(bell: &OwnedFd) -> io::Result<Epoll> {
        static WORKERS: AtomicU32 = AtomicU32::new(1);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, bell, epoll::EventData::new_u64(BELL), flags)?;
        let created = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, created)?;
        epoll::add(&epoll, &alarm, epoll::EventData::new_u64(BELL), flags)?;
        Ok(Epoll {
            epoll,
            alarm,
            worker: u64::from(WORKERS.fetch_add(1, Ordering::Relaxed)) << 32,
            registrations: Registrations::default(),
            events: RefCell::new(Vec::with_capacity(EVENTS)),
            next_generation: Cell::new(1),
            fresh: Cell::new(0),
            prompt: Cell::new(false),
        })
    }

    /// Sees to it that events of the target reach its entry, also those of writing if it `writes`.
    #[inline]
    pub(super) fn register(
        &self,
        entry: &Registration,
        target: Target<'_>,
        writes: bool,
    ) -> io::Result<()> {
        match knows(entry, target) {
            true if !writes || entry.writes.get() => Ok(()),
            true => {
                entry.writes.set(true);
                self.modify(entry, target)
            }
            false => self.register_anew(entry, target, writes),
        }
    }

    #[cold]
    pub(super) fn register_anew(
        &self,
        entry: &Registration,
        target: Target<'_>,
        writes: bool,
    ) -> io::Result<()> {
        let generation = self.next_generation.get();
        self.next_generation.set(generation.wrapping_add(1).max(1));
        let mut always_ready = false;
        match epoll::add(&self.epoll, target.fd, data(target, generation), flags(writes)) {
            Ok(()) => {
                entry.generation.set(generation);
                entry.writes.set(writes);
            }
            // The same file is registered under this number already, by another holder of the
            // descriptor or for one that is gone. Its generation stays, so that the others' words
            // stay right; the data may be of an older one. Anything ready is an edge again.
            Err(rustix::io::Errno::EXIST) => {
                // Others may wait to write.
                entry.writes.set(true);
                self.modify(entry, target)?;
            }
            Err(rustix::io::Errno::PERM) => {
                entry.generation.set(generation);
                always_ready = true;
            }
            Err(error) => return Err(error.into()),
        }
        let word = self.worker | u64::from(entry.generation.get());
        entry.begin(word, target);
        entry.always_ready.set(always_ready);
        target.memory().store(word, Ordering::Relaxed);
        Ok(())
    }

    /// Registers again what is registered: whatever is ready is an edge once more.
    fn modify(&self, entry: &Registration, target: Target<'_>) -> io::Result<()> {
        let data = data(target, entry.generation.get());
        Ok(epoll::modify(&self.epoll, target.fd, data, flags(entry.writes.get()))?)
    }

    /// Looks what has happened, sleeping up to `wait` nanoseconds, and wakes whom it concerns.
    pub(crate) fn poll(&self, core: &Core, wait: u64) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        events.clear();
        let room = events.spare_capacity_mut();
        let (pointer, length) = (room.as_mut_ptr().cast(), room.len() as libc::c_int);
        let epoll = self.epoll.as_raw_fd();
        let count = match wait {
            // SAFETY: `pointer` has room for `length` events, into which the kernel writes.
            0 => unsafe { epoll_wait(epoll, pointer, length, 0) },
            // SAFETY: as above.
            NEVER => unsafe { epoll_wait(epoll, pointer, length, -1) },
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
        core.awake();
        for event in &*events {
            self.deliver(core, event.u64, event.events);
        }
        Ok(())
    }

    #[inline(always)]
    fn deliver(&self, core: &Core, data: u64, events: u32) {
        // There is no entry for bell and alarm, whose ring only ends the sleep.
        let Some(entry) = self.registrations.find(data as u32 as usize) else { return };
        if entry.generation.get() != (data >> 32) as u32 {
            return;
        }
        // The usual case: there are bytes, and one who waits for them, alone.
        if events == READ
            && let Some(reader) = entry.waiters.only_reader()
        {
            entry.drained.set(false);
            core.run_now(reader);
            return;
        }
        deliver_otherwise(core, entry, events);
    }

    /// See [`Reactor`](super::Reactor::set_alarm).
    pub(crate) fn set_alarm(&self) -> io::Result<()> {
        let it_value = Timespec { tv_sec: ALARM.0 as _, tv_nsec: ALARM.1 as _ };
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Keeps `dormant` until the target can be read from or fails.
    pub(crate) fn keep<D: Dormant + 'static>(
        &self,
        target: Target<'_>,
        dormant: Box<D>,
    ) -> Result<(), Box<D>> {
        let entry = self.registrations.of(target.fd);
        // Where it may be readable already, registering once more makes that an edge.
        let watched = match knows(entry, target) {
            true if entry.drained.get() => Ok(()),
            true => self.modify(entry, target),
            false => self.register_anew(entry, target, false),
        };
        if watched.is_err() || entry.always_ready.get() {
            return Err(dormant);
        }
        entry.dormant.set(Some(dormant));
        Ok(())
    }

    /// Wakes everybody who is dormant.
    pub(crate) fn wake_all(&self, scheduler: &Scheduler) {
        self.registrations.all().for_each(|entry| wake_dormant(scheduler, entry));
    }
}

/// Everything there is to hear of a descriptor, each time anew. That it could be written to only
/// for whoever has to wait for that: of a new connection it is always so, and each would end a
/// sleep for nothing.
fn flags(writes: bool) -> epoll::EventFlags {
    let flags = epoll::EventFlags::IN
        | epoll::EventFlags::RDHUP
        | epoll::EventFlags::PRI
        | epoll::EventFlags::ET;
    if writes { flags | epoll::EventFlags::OUT } else { flags }
}

/// What events of the target carry.
fn data(target: Target<'_>, generation: u32) -> epoll::EventData {
    let number = u64::from(target.fd.as_raw_fd() as u32);
    epoll::EventData::new_u64(number | u64::from(generation) << 32)
}

/// Tells everybody whom these events concern.
#[inline(never)]
fn deliver_otherwise(core: &Core, entry: &Registration, events: u32) {
    let special = (libc::EPOLLRDHUP | libc::EPOLLPRI) as u32;
    let mut has = events & (READ | WRITE | FAILURE);
    if events & (FAILURE | special) != 0 {
        entry.no_longer();
        has |= READ;
    }
    if has & READ != 0 {
        entry.drained.set(false);
    }
    let reads = entry.waiters.wake(has, |slot| core.scheduler.unpark(slot));
    if !reads && has & (READ | FAILURE) != 0 {
        wake_dormant(&core.scheduler, entry);
    }
}

fn wake_dormant(scheduler: &Scheduler, entry: &Registration) {
    if let Some(dormant) = entry.dormant.take() {
        scheduler.awake.borrow_mut().push(dormant);
    }
}

/// Whether the target is registered as what its entry says.
#[inline]
pub(super) fn knows(entry: &Registration, target: Target<'_>) -> bool {
    target.memory().load(Ordering::Relaxed) == entry.word.get()
}

/// `epoll_wait(2)`, which in the C library is a cancellation point, and that costs more than all of
/// ours around it.
///
/// # Safety
/// `events` has room for `length` events.
unsafe fn epoll_wait(
    epoll: libc::c_int,
    events: *mut libc::epoll_event,
    length: libc::c_int,
    milliseconds: libc::c_int,
) -> libc::c_int {
    let none = std::ptr::null::<libc::sigset_t>();
    let number = libc::SYS_epoll_pwait;
    // SAFETY: promised by the caller; a null mask leaves the mask alone.
    let count = unsafe { libc::syscall(number, epoll, events, length, milliseconds, none, 0usize) };
    count as libc::c_int
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
    unsafe { epoll_wait(epoll, events, length, milliseconds) }
}
