//! A pool of threads for work that blocks in some way that no driver can turn into waiting: names
//! by libc, disks, C libraries.
//!
//! ```text
//!   coroutine ──► room ──► queue ──► thread ──► done ──► coroutine
//!      parked while there is none     parked meanwhile       panics come back as well
//! ```
//! There is one pool for all workers of the process. Its threads are started when they are needed,
//! end when they have had nothing to do for [`IDLE`], and end at once when the last worker has
//! ended.
//!
//! A cancel does not end the wait: the work cannot be stopped, and while it runs it may use what
//! its caller would go on to close. An unwinding by force does; then the work goes on without
//! anybody waiting for it, with what it owns. In a coroutine that is unwinding already, which
//! cannot be suspended, the work runs on the worker's own thread and holds it up.
//!
//! Deliberately absent: priorities, and work that computes. A thread per core does that better.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use socket::Deadline;
use socket::process::{hold_forks, start_thread};

use crate::atomic::Ordering::{Acquire, Release};
use crate::atomic::{Arc, AtomicU8, Latch, park_timeout};
use crate::current;
use crate::parker::{Heed, Parked, Parker, Unparker};
use crate::sync::Gate;

/// The most threads. They wait rather than compute, so there are far more than cores: a name server
/// that does not answer keeps each for ten seconds and more, and a few such names must not stop the
/// others. A thread costs some 20 KiB of memory.
const THREADS: usize = 64;

/// How much work may lie in the queue before callers wait to put some in. It bounds the memory;
/// who waits for room waits no longer than in the queue.
const QUEUE: usize = 1024;

/// How long a thread waits for more work: long enough that steady work does not start threads
/// (some 20 µs each), short enough that a burst is soon forgotten.
const IDLE: Duration = Duration::from_secs(1);

type Work = Box<dyn FnOnce() + Send>;

/// Runs `work` on a thread of the pool and suspends the calling coroutine until it is done. On a
/// plain thread it just runs.
///
/// # Panics
/// If `work` does.
pub(crate) fn run(work: Work) {
    let parker = Parker::new();
    let suspends = current::current().is_some() && !parker.refuses();
    let pool = if suspends { Pool::of_this_process() } else { return work() };
    if pool.room.acquire(1, Deadline::Never, Heed::Nothing).is_err() {
        return work();
    }
    let done = Arc::new(Done {
        is_done: AtomicU8::new(0),
        panic: Latch::new(None),
        unparker: parker.unparker(),
    });
    pool.give(Job { work, done: Arc::clone(&done) });
    while done.is_done.load(Acquire) == 0 {
        if parker.park(Deadline::Never, Heed::Nothing) == Parked::Refused {
            park_timeout(Duration::from_millis(1));
        }
    }
    let panic = done.panic.lock().take();
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// Held by each worker for as long as it may have work: the threads of the pool end with the last.
pub(crate) struct Lease(Arc<Pool>);

impl Lease {
    pub(crate) fn new() -> Lease {
        let pool = Pool::of_this_process();
        pool.state.lock().workers += 1;
        Lease(pool)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.workers -= 1;
        let last = state.workers == 0;
        drop(state);
        if last {
            self.0.work_or_end.notify_all();
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

struct Pool {
    /// The threads of a pool stay behind when a process forks. So a pool belongs to one.
    process: u32,
    room: Gate,
    state: Latch<State>,
    work_or_end: Condvar,
}

struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Those of them that wait for work.
    idle: usize,
    workers: usize,
}

/// One call.
struct Job {
    work: Work,
    done: Arc<Done>,
}

/// What the thread tells the caller.
struct Done {
    is_done: AtomicU8,
    panic: Latch<Option<Box<dyn Any + Send>>>,
    unparker: Unparker,
}

impl Job {
    fn run(self) {
        let panic = catch_unwind(AssertUnwindSafe(self.work)).err();
        *self.done.panic.lock() = panic;
        self.done.is_done.store(1, Release);
        self.done.unparker.unpark();
    }
}

impl Pool {
    fn of_this_process() -> Arc<Pool> {
        static POOL: Latch<Option<Arc<Pool>>> = Latch::new(None);
        let process = std::process::id();
        // A forked child finds it open.
        let _forks = hold_forks();
        let mut pool = POOL.lock();
        match &*pool {
            Some(pool) if pool.process == process => Arc::clone(pool),
            _ => {
                let new = Arc::new(Pool {
                    process,
                    room: Gate::new(QUEUE),
                    state: Latch::new(State {
                        queue: VecDeque::new(),
                        threads: 0,
                        idle: 0,
                        workers: 0,
                    }),
                    work_or_end: Condvar::new(),
                });
                // What the parent's work owns is not this process's to drop.
                mem::forget(pool.replace(Arc::clone(&new)));
                new
            }
        }
    }

    fn give(self: &Arc<Pool>, job: Job) {
        let mut state = self.state.lock();
        state.queue.push_back(job);
        if state.queue.len() <= state.idle || state.threads == THREADS {
            drop(state);
            self.work_or_end.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        let pool = Arc::clone(self);
        let started = start_thread("blocking", move || pool.serve());
        if started.is_err() {
            self.do_without();
        }
    }

    /// The system gives no thread. The others do the work, and if there are none, the caller does.
    #[cold]
    fn do_without(&self) {
        let mut state = self.state.lock();
        state.threads -= 1;
        while state.threads == 0 {
            let Some(job) = state.queue.pop_front() else { return };
            drop(state);
            self.room.release(1);
            job.run();
            state = self.state.lock();
        }
    }

    /// What a thread of the pool does.
    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                self.room.release(1);
                job.run();
                state = self.state.lock();
                continue;
            }
            if state.workers == 0 {
                break;
            }
            let timed_out;
            (state, timed_out) = self.idle(state);
            if timed_out && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }

    fn idle<'a>(&self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        state.idle += 1;
        let (mut state, wait) =
            self.work_or_end.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        (state, wait.timed_out())
    }
}
