//! A worker as other threads see it: a mailbox, a bell, and a word that says who is running.
//!
//! The bell is an eventfd in the worker's reactor, rung only while the worker sleeps. It is never
//! read: the reactor hears each ring as an edge, and a counter of 64 bits does not overflow.
//!
//! What it deliberately does not offer: anything that reaches into a worker's coroutines from
//! outside. Everything is a letter.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::list::Listed;
use crate::mailbox::Mailbox;
use crate::roster::Tables;
use crate::shortage::{Shortage, Shortages};
use crate::stack::head;
use crate::stack::slab::{Layout, SlotStack};
use crate::sync::Sender;

/// What other threads want of a worker.
pub(crate) enum Letter {
    /// Wake the coroutine of this slot and generation.
    Wake(u32, u32),
    /// Cancel it.
    Cancel(u32, u32),
    /// Run this as a coroutine of this name.
    Spawn(String, Box<dyn FnOnce() + Send>),
    /// Say which coroutines there are, so many at most.
    List(usize, Sender<Listed>),
}

/// What a worker shares with all threads.
pub(crate) struct Shared {
    mailbox: Mailbox<Letter>,
    bell: OwnedFd,
    /// The number of the running slot, plus one. Zero: none runs.
    running: AtomicU32,
    /// How many have been resumed so far, which tells one run of a coroutine from the next.
    resumed: AtomicU32,
    sample: Mutex<Option<(u32, Instant)>>,
    layout: Layout,
    /// Held while a name is written or read, or its memory goes.
    naming: Mutex<()>,
    pub(crate) tables: Tables,
    takes_spawns: AtomicBool,
    /// The worker's thread, as `gettid(2)` says; zero while it does not run.
    thread: AtomicI32,
    /// What its ring has run short of. The ring has it too.
    pub(crate) shortages: Arc<Shortages>,
}

/// A handle to a running [`Worker`](crate::Worker), for any thread.
#[derive(Clone)]
pub struct Remote(pub(crate) Arc<Shared>);

/// A coroutine that has kept its worker to itself, see [`Remote::held`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its name; empty if it has none.
    pub name: String,
    /// For how long, at least.
    pub since: Duration,
}

impl Remote {
    /// Runs `body` as a coroutine of the worker. May be called from any thread and any coroutine;
    /// `body` begins some time later. If the worker has no stack left, it begins when another
    /// coroutine has ended.
    ///
    /// # Errors
    /// `BrokenPipe` when the worker's main function has returned. `body` is dropped then, and also,
    /// without an error, if that happens before it could begin.
    pub fn spawn(
        &self,
        name: impl Into<String>,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let open = self.0.takes_spawns.load(Ordering::Acquire);
        match open && self.0.post(Letter::Spawn(name.into(), Box::new(body))) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the worker has ended")),
        }
    }

    /// Which coroutine has run without giving way since the previous call of this function, and
    /// for how long at least. A watchdog asks every now and then; the worker itself pays one store
    /// each time it resumes a coroutine.
    ///
    /// `None` when none runs, or another one than at the previous call.
    #[must_use]
    pub fn held(&self) -> Option<Held> {
        // In this order: the count is that of this one or of a later one, never of one before.
        let running = self.0.running.load(Ordering::Acquire);
        let resumed = self.0.resumed.load(Ordering::Relaxed);
        let now = Instant::now();
        let mut sample = self.0.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let number = running.checked_sub(1)?;
        match *sample {
            Some((before, first)) if before == resumed => {
                Some(Held { name: self.0.name(number), since: now.duration_since(first) })
            }
            _ => {
                *sample = Some((resumed, now));
                None
            }
        }
    }

    /// What the worker's ring has run short of since the previous call of this function: each kind
    /// is told once in a worker's life, also after its end. `None` when there is nothing to tell,
    /// and always on epoll.
    ///
    /// Nothing is lost, and there is nothing to do: the worker goes on, and each of those receives
    /// cost it a call more.
    #[must_use]
    pub fn shortage(&self) -> Option<Shortage> {
        self.0.shortages.take()
    }
}

impl Remote {
    /// Where the coroutine stands that runs at this moment: its backtrace, the newest frame first.
    /// For one that [is held to have](Remote::held) kept its worker for long.
    ///
    /// `None` in release builds, when none runs or it gives way before it is looked at, and when
    /// the system is short of something. It ends early at a function without unwinding information,
    /// as assembly may be. It takes up to a second, ten at the worst and while another is taken
    /// longer, and the worker a few milliseconds, or some times that: it is forked, so that looking
    /// cannot hurt it.
    #[must_use]
    pub fn backtrace(&self) -> Option<String> {
        #[cfg(debug_assertions)]
        {
            let resume = self.0.running();
            let thread = self.0.thread.load(Ordering::Acquire);
            let runs = resume as u32 != 0 && thread != 0;
            runs.then(|| crate::glimpse::backtrace(&self.0, thread, resume)).flatten()
        }
        #[cfg(not(debug_assertions))]
        None
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.0).finish()
    }
}

impl Shared {
    pub(crate) fn new(coroutines: usize, layout: Layout) -> io::Result<Shared> {
        Ok(Shared {
            mailbox: Mailbox::new(),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            running: AtomicU32::new(0),
            resumed: AtomicU32::new(0),
            sample: Mutex::new(None),
            layout,
            naming: Mutex::new(()),
            tables: Tables::new(coroutines),
            takes_spawns: AtomicBool::new(true),
            thread: AtomicI32::new(0),
            shortages: Arc::default(),
        })
    }

    /// Notes that the worker runs on this thread.
    pub(crate) fn set_thread(&self, thread: i32) {
        self.thread.store(thread, Ordering::Release);
    }

    /// In the low half which coroutine runs, as above; in the high half which resume it is.
    #[cfg(debug_assertions)]
    pub(crate) fn running(&self) -> u64 {
        let running = self.running.load(Ordering::Acquire);
        u64::from(self.resumed.load(Ordering::Relaxed)) << 32 | u64::from(running)
    }

    /// Refuses every later [`Remote::spawn`].
    pub(crate) fn refuse_spawns(&self) {
        self.takes_spawns.store(false, Ordering::Release);
    }

    /// Posts a letter, and rings if need be. False: nobody will ever read it.
    pub(crate) fn post(&self, letter: Letter) -> bool {
        let Ok(ring) = self.mailbox.post(letter) else { return false };
        if ring {
            // It can only fail after 2^64 rings, each of which the reactor would still have heard.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
        true
    }

    pub(crate) fn mailbox(&self) -> &Mailbox<Letter> {
        &self.mailbox
    }

    pub(crate) fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    /// Notes that slot `number` runs from now on.
    #[inline]
    pub(crate) fn note_running(&self, number: u32) {
        let resumed = self.resumed.load(Ordering::Relaxed);
        self.resumed.store(resumed.wrapping_add(1), Ordering::Relaxed);
        self.running.store(number + 1, Ordering::Release);
    }

    /// Notes that none does.
    #[inline]
    pub(crate) fn note_idle(&self) {
        self.running.store(0, Ordering::Relaxed);
    }

    /// Names the coroutine that is to have this stack.
    pub(crate) fn name_stack(&self, stack: SlotStack, name: &str) -> SlotStack {
        let _naming = self.naming();
        stack.named(name)
    }

    /// The name of the coroutine in slot `number`, or of the last one that was; empty if there has
    /// been none for long.
    pub(crate) fn name(&self, number: u32) -> String {
        let _naming = self.naming();
        self.see_name(number, |name| String::from_utf8_lossy(name).into_owned())
    }

    /// Shows the same to the handler of a fault, which may not wait; nothing, while somebody else
    /// looks.
    pub(crate) fn try_name(&self, number: u32, see: impl FnOnce(&[u8])) {
        match self.naming.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            _naming => self.see_name(number, see),
        }
    }

    /// Keeps names, and the memory that they are in, as they are.
    pub(crate) fn naming(&self) -> MutexGuard<'_, ()> {
        self.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has all names be empty from now on, since the memory that they are in is about to go.
    pub(crate) fn forget_names(&self) {
        let _naming = self.naming();
        self.tables.forget_all();
    }

    /// To be called under that lock.
    fn see_name<T>(&self, number: u32, see: impl FnOnce(&[u8]) -> T) -> T {
        match self.tables.stacks_of(number) {
            // SAFETY: the chunk is mapped, since it is in the tables, and stays while the lock is
            // held. Before the first coroutine of a stack its pages are zero; no other writes there
            // without the lock, and a coroutine's own stack begins below.
            Some(start) => unsafe { head::read(self.layout.top(start, number), see) },
            None => see(&[]),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("bell", &self.bell).finish_non_exhaustive()
    }
}
