//! The worker: one thread that runs coroutines, from the first to the last.
//!
//! ```text
//!   turn:  take the mail ─► resume up to 256 ─► ask the reactor ─► wake who is due ─┐
//!    ▲                                          (asleep if nobody is ready)          │
//!    └───────────────────────────────────────────────────────────────────────────────┘
//! ```
//! The main function is a coroutine too. When it returns, the rest is sent home in three steps:
//! cancelled, so that each blocked and each later call fails; after the grace unwound by force; and
//! what then still stands is abandoned, its stack left where it is.
//!
//! What it deliberately does not do: start threads. A program with a worker per core makes the
//! threads itself.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket::seam::{self, Driver};

use crate::blocking::Lease;
use crate::clock::{self, Clock, Moment, NEVER, TICK};
use crate::current;
use crate::forced::drop_quietly;
use crate::list::listed;
use crate::memory::Stock;
use crate::reactor::choice::Driven;
use crate::reactor::{Reactor, SIZES, Sizes};
use crate::remote::{Letter, Remote, Shared};
use crate::roster;
use crate::scheduler::Scheduler;
use crate::settings::{Ended, Settings};
use crate::slot::{CANCELLED, SlotRef, State, UNWINDING};
use crate::stack::guard::Guards;
use crate::stack::overflow;
use crate::stack::slab::Slab;

/// Runs coroutines on the thread that made it.
///
/// ```
/// use coroutine::{Settings, Worker};
///
/// let worker = Worker::new(Settings::default())?;
/// let (answer, ended) = worker.run(|| coroutine::spawn(|| 6 * 7).join().unwrap())?;
/// assert_eq!((answer, ended.cancelled), (42, 0));
/// # std::io::Result::Ok(())
/// ```
pub struct Worker {
    core: Box<Core>,
    settings: Settings,
    driven: Driven,
    /// A worker stays on its thread.
    not_send: PhantomData<*const ()>,
}

/// Runs `main` as a coroutine of a [`Worker`] with default [`Settings`], on this thread, and
/// answers what it returns. Coroutines that are still alive then are ended, see [`Worker::run`].
///
/// # Errors
/// As [`Worker::new`].
///
/// # Panics
/// If `main` does.
pub fn run<T: 'static>(main: impl FnOnce() -> T + 'static) -> io::Result<T> {
    let (answer, _) = Worker::new(Settings::default())?.run(main)?;
    Ok(answer)
}

impl Worker {
    /// Makes a worker that does not run yet: two descriptors, three with epoll, and address space
    /// as it is needed. It runs only in the process that made it.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` out of descriptors; `ENOMEM`; `InvalidInput` for settings that allow no
    /// coroutine or more than 2^31.
    pub fn new(settings: Settings) -> io::Result<Worker> {
        Worker::sized(settings, SIZES)
    }

    /// [`new`](Worker::new) with a ring of this size, if it gets one.
    pub(crate) fn sized(settings: Settings, sizes: Sizes) -> io::Result<Worker> {
        if !(1..=1 << 31).contains(&settings.coroutines) {
            let text = format!("{} coroutines: from 1 to 2^31 may live", settings.coroutines);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let slab = Slab::new(settings.stack_bytes, settings.coroutines, Guards::probe()?);
        let shared = Arc::new(Shared::new(settings.coroutines, slab.layout())?);
        let (reactor, driven) =
            Reactor::new(shared.bell(), settings.driver, sizes, &shared.shortages)?;
        let core = Core {
            reactor,
            scheduler: Scheduler::new(slab, settings.coroutines, shared.tables.clone()),
            shared,
            clock: Clock::new(),
            stock: Stock::default(),
            phase: Cell::new(Phase::Running),
            letters: RefCell::default(),
            backlog: RefCell::default(),
            has_backlog: Cell::new(false),
            sweep: Cell::new(NEVER),
            asleep: Cell::new(false),
            _blocking: Lease::new(),
        };
        Ok(Worker { core: Box::new(core), settings, driven, not_send: PhantomData })
    }

    /// What it runs on, and if that is not what was asked for, why.
    #[must_use]
    pub fn driver(&self) -> &Driven {
        &self.driven
    }

    /// A handle for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote(Arc::clone(&self.core.shared))
    }

    /// Runs `main` as the first coroutine, and all that it spawns, until `main` has returned and
    /// the rest has ended. Answers what `main` returned, and how the rest ended.
    ///
    /// What is still alive when `main` returns is cancelled: each blocked and each later call fails
    /// with `ConnectionAborted`. What is alive after [`Settings::grace`] is unwound by force, as by
    /// a panic that the hook does not hear. What survives that too, because it catches everything
    /// and goes on, is abandoned.
    ///
    /// # Errors
    /// `AlreadyExists` on a thread that is a worker already; `OutOfMemory` without a stack for
    /// `main`; what the system says when the reactor cannot wait.
    ///
    /// # Panics
    /// If `main` does, after all has ended.
    pub fn run<T: 'static>(self, main: impl FnOnce() -> T + 'static) -> io::Result<(T, Ended)> {
        if current::driving().is_some() {
            let text = "a worker runs on this thread already";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let _overflow = overflow::Watch::new()?;
        let answer = Rc::new(Cell::new(None));
        let theirs = Rc::clone(&answer);
        let core = Box::into_raw(self.core);
        // SAFETY: from `into_raw`, and freed only below, when nobody has the reference any more.
        let running: &'static Core = unsafe { &*core };
        let layout = running.scheduler.slab().layout();
        // SAFETY: takes nothing and cannot fail.
        let thread = unsafe { libc::gettid() };
        let listed = roster::Listed::new(thread, layout, &running.shared.tables);
        running.shared.set_thread(thread);
        let entered = Entered::new(running);
        let body = move || {
            theirs.set(Some(catch_unwind(AssertUnwindSafe(main))));
            if running.phase.get() == Phase::Running {
                running.phase.set(Phase::Returned);
            }
        };
        let ended = running.run(body, self.settings.grace);
        drop(entered);
        running.shared.set_thread(0);
        drop(listed);
        running.shared.forget_names();
        // SAFETY: nobody uses the reference any more: no coroutine runs again, not even one that
        // was abandoned, and the thread's driver is the one before.
        drop(unsafe { Box::from_raw(core) });
        let ended = ended?;
        let answer: Result<T, Box<dyn Any + Send>> =
            answer.take().expect("the loop ends after main has returned");
        Ok((answer.unwrap_or_else(|panic| resume_unwind(panic)), ended))
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// All of a running worker. Only its own thread has it.
pub(crate) struct Core {
    /// Goes first: it may know slots of the scheduler.
    pub(crate) reactor: Reactor,
    pub(crate) scheduler: Scheduler,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    pub(crate) stock: Stock,
    phase: Cell<Phase>,
    letters: RefCell<Vec<Letter>>,
    /// Spawned from elsewhere while there was no stack.
    backlog: RefCell<VecDeque<(String, Body)>>,
    has_backlog: Cell<bool>,
    /// When the slab is swept next.
    sweep: Cell<Moment>,
    /// Whether the worker sleeps, as far as the mailbox knows.
    asleep: Cell<bool>,
    /// Keeps threads for work that blocks.
    _blocking: Lease,
}

type Body = Box<dyn FnOnce()>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// Main has not returned.
    Running,
    /// It has; whoever is alive is about to be cancelled.
    Returned,
    /// Everyone is cancelled, and so is whoever is born now.
    Cancelled,
    /// Everyone is unwound by force, and nobody is born.
    Forced,
}

/// Coroutines that run between two looks at the reactor and the mailbox.
const BATCH: usize = 256;

/// How often stacks that nobody used are given back, and who has dozed for as long is told so.
pub(crate) const SWEEP: u64 = 1_000_000_000;

impl Core {
    /// Makes a coroutine in the phase of the moment. `None`: it is too late to begin, and `body`
    /// has been dropped.
    ///
    /// # Errors
    /// `OutOfMemory`; `body` is dropped.
    pub(crate) fn spawn(
        &self,
        name: &str,
        body: impl FnOnce() + 'static,
    ) -> io::Result<Option<SlotRef>> {
        let flags = match self.phase.get() {
            Phase::Running | Phase::Returned => 0,
            Phase::Cancelled => CANCELLED,
            Phase::Forced => {
                drop_body(body);
                return Ok(None);
            }
        };
        let (slot, stack) = self.scheduler.reserve()?;
        self.scheduler.spawn(slot, self.shared.name_stack(stack, name), body, flags);
        Ok(Some(slot))
    }

    fn run(&self, main: impl FnOnce() + 'static, grace: Duration) -> io::Result<Ended> {
        self.spawn("main", main)?;
        let mut outcome = Ok(());
        while self.phase.get() == Phase::Running && outcome.is_ok() {
            outcome = self.turn(NEVER);
        }
        let ended = self.end(grace);
        outcome.and(ended)
    }

    /// Sends home whoever is still alive.
    fn end(&self, grace: Duration) -> io::Result<Ended> {
        self.shared.refuse_spawns();
        self.phase.set(Phase::Cancelled);
        self.backlog.take().into_iter().for_each(|(_, body)| drop_body(body));
        self.reactor.wake_all(&self.scheduler);
        self.wake_dormant();
        let mut ended = Ended { cancelled: self.scheduler.alive(), ..Ended::default() };
        self.raise_in_all(CANCELLED);
        let limit = clock::now().saturating_add(clock::nanos(grace));
        let mut outcome = Ok(());
        while self.scheduler.alive() > 0 && clock::now() < limit && outcome.is_ok() {
            outcome = self.turn(limit);
        }
        self.phase.set(Phase::Forced);
        self.backlog.take().into_iter().for_each(|(_, body)| drop_body(body));
        ended.forced = self.scheduler.alive();
        if cfg!(panic = "unwind") {
            self.raise_in_all(UNWINDING);
            self.scheduler.end_turn();
            while let Some(slot) = self.scheduler.pop() {
                self.resume(slot);
                self.scheduler.end_turn();
            }
        }
        self.shared.mailbox().close(&mut self.letters.borrow_mut());
        self.read_mail();
        // Left are those that cannot be unwound.
        let left: Vec<SlotRef> = self.scheduler.all().collect();
        left.into_iter().for_each(|slot| self.scheduler.abandon(slot));
        ended.abandoned = self.scheduler.abandoned();
        outcome.map(|()| ended)
    }

    fn raise_in_all(&self, flag: u32) {
        for slot in self.scheduler.all() {
            slot.raise(flag);
            self.scheduler.unpark(slot);
        }
    }

    /// One turn. Sleeps until `limit` at most.
    fn turn(&self, limit: Moment) -> io::Result<()> {
        if self.shared.mailbox().has_mail() || self.has_backlog.get() {
            self.take_mail();
        }
        let mut left = BATCH;
        while let Some(slot) = self.scheduler.pop() {
            self.resume(slot);
            left -= 1;
            if left == 0 || self.phase.get() == Phase::Returned {
                break;
            }
        }
        self.scheduler.end_turn();
        let time = clock::coarse();
        self.scheduler.set_time(time);
        let wait = self.may_sleep(time, limit);
        let sleeps = wait != 0 && self.shared.mailbox().fall_asleep();
        self.asleep.set(sleeps);
        self.shared.note_idle();
        let answer = self.reactor.poll(self, if sleeps { wait } else { 0 });
        self.awake();
        if self.scheduler.next_deadline() != NEVER {
            self.fire();
        }
        if !self.scheduler.awake.borrow().is_empty() {
            self.wake_dormant();
        }
        answer
    }

    /// Gives those a stack who have slept without one.
    #[cold]
    fn wake_dormant(&self) {
        for dormant in self.scheduler.awake.take() {
            let name = dormant.name();
            let body = Box::new(move || dormant.wake());
            match self.phase.get() {
                Phase::Forced => drop_body(body),
                _ => self.backlog.borrow_mut().push_back((name, body)),
            }
        }
        self.spawn_backlog();
    }

    /// Spawns what waits for a stack, as far as there are some.
    fn spawn_backlog(&self) {
        let flags = if self.phase.get() >= Phase::Cancelled { CANCELLED } else { 0 };
        while !self.backlog.borrow().is_empty()
            && let Ok((slot, stack)) = self.scheduler.reserve()
            && let Some((name, body)) = self.backlog.borrow_mut().pop_front()
        {
            self.scheduler.spawn(slot, self.shared.name_stack(stack, &name), body, flags);
        }
        self.has_backlog.set(!self.backlog.borrow().is_empty());
    }

    /// Runs a parked coroutine at once, unless it is the end.
    #[inline(always)]
    pub(crate) fn run_now(&self, slot: SlotRef) {
        match self.phase.get() {
            Phase::Running if slot.state.get() == State::Parked => self.resume(slot),
            _ => self.scheduler.unpark(slot),
        }
    }

    /// After a sleep, before anybody runs: letters need no bell any more, and it is later.
    pub(crate) fn awake(&self) {
        if self.asleep.take() {
            self.shared.mailbox().awake();
            self.scheduler.set_time(clock::coarse());
        }
    }

    #[inline(always)]
    fn resume(&self, slot: SlotRef) {
        debug_assert!(matches!(slot.state.get(), State::Ready | State::Parked));
        self.shared.note_running(slot.number);
        self.scheduler.resume(slot);
    }

    /// For how many nanoseconds nothing is to be done but by an event.
    #[inline]
    fn may_sleep(&self, time: Moment, limit: Moment) -> u64 {
        // Goes first: who is told that it has dozed is ready.
        let sweep = self.sweep.get();
        if sweep <= time || sweep == NEVER && self.wants_sweep() {
            self.see_to_sweep(time);
        }
        if self.scheduler.has_ready() || self.phase.get() == Phase::Returned {
            return 0;
        }
        match self.scheduler.next_deadline().min(limit) {
            NEVER => NEVER,
            next => self.sleep_until(time, next),
        }
    }

    /// The same where there is something to wake up for.
    #[inline(never)]
    fn sleep_until(&self, time: Moment, next: Moment) -> u64 {
        if self.phase.get() == Phase::Cancelled && self.scheduler.alive() == 0 {
            return 0;
        }
        match next.saturating_sub(time) {
            // The cheap clock is behind by up to a tick: wake up early, and look again.
            far if far > 10 * TICK => far - 2 * TICK,
            _ => next.saturating_sub(clock::now()),
        }
    }

    /// Wakes who is due, if anybody can be.
    fn fire(&self) {
        let time = clock::coarse();
        self.scheduler.set_time(time);
        if self.scheduler.next_deadline() <= time.saturating_add(TICK) {
            self.scheduler.fire(clock::now());
        }
    }

    /// Whether there may be something to give back, now or later: stacks, or what is on them.
    #[inline]
    fn wants_sweep(&self) -> bool {
        self.scheduler.dozes.get() || self.scheduler.slab().wants_sweep()
    }

    /// Sweeps if it is time, and sees to it that the worker is awake when it will be again.
    #[cold]
    fn see_to_sweep(&self, time: Moment) {
        if self.sweep.replace(NEVER) <= time && self.wants_sweep() {
            self.scheduler.sweep(|| self.shared.naming());
            self.scheduler.end_dozes(time - SWEEP);
        }
        // Without an alarm, which is for want of room on a ring, it is tried again soon.
        if self.wants_sweep() && self.reactor.set_alarm().is_ok() {
            self.sweep.set(time + SWEEP);
        }
    }

    #[cold]
    fn take_mail(&self) {
        self.shared.mailbox().take(&mut self.letters.borrow_mut());
        self.read_mail();
    }

    fn read_mail(&self) {
        for letter in self.letters.take() {
            match letter {
                Letter::Wake(number, generation) => {
                    self.scheduler.wake(number, generation);
                }
                Letter::Cancel(number, generation) => self.scheduler.cancel(number, generation),
                Letter::Spawn(_, body) if self.phase.get() > Phase::Returned => drop_body(body),
                Letter::List(most, asker) => {
                    // Whoever asked may have given up.
                    let _ = asker.try_send(listed(self, most));
                }
                Letter::Spawn(name, body) => self.backlog.borrow_mut().push_back((name, body)),
            }
        }
        self.spawn_backlog();
    }
}

/// Drops what never began. Its drop may panic, which the hook hears, and make calls, which do not
/// wait.
fn drop_body(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(body))) {
        drop_quietly(payload);
    }
}

/// While it lives, this thread's calls are the worker's.
struct Entered {
    driver: Option<&'static dyn Driver>,
    worker: Option<&'static Core>,
    _quiet: seam::WithoutSigpipe,
}

impl Entered {
    fn new(core: &'static Core) -> Entered {
        let worker = current::enter(Some(core));
        let driver = seam::install(Some(core));
        Entered { driver, worker, _quiet: seam::WithoutSigpipe::new() }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        seam::install(self.driver);
        current::enter(self.worker);
    }
}
