//! `coroutines`: a coroutine for each connection, on one worker thread per core.
//!
//! * **What runs a request?** A coroutine with a stack of its own, on one of a few worker threads:
//!   on the one with the fewest connections, which it never leaves. Where it would wait, the worker
//!   runs others, and waits itself by `io_uring` where the kernel lets it and by `epoll` elsewhere;
//!   the first line says which.
//! * **What do requests share?** The process: memory, descriptors, everything in an `Arc`. Requests
//!   of one worker never run at the same moment.
//! * **What does a slow client cost?** Its parked stack; nobody waits for it.
//! * **Memory per connection?** The pages its stack has touched, a page at least: 5 KiB in all for
//!   a handler without large arrays. Buffers are lent while there is something in them. A handler
//!   that goes request by request (`per_request`) has no stack either when it has been idle for a
//!   few seconds: half a KiB then.
//! * **What does a panic do?** It is caught, told, and closes its connection; the others go on. A
//!   stack that overflows ends the process, with a line that names the connection.
//! * **How does it stop?** Handlers finish within the grace period. Then every call they wait in
//!   fails, and what still does not return is unwound.
//! * **When not to use it?** For handlers that compute for long, or block in anything but our
//!   sockets, locks and `blocking`: they hold up every connection of their worker. What is held up
//!   is told.

use std::cell::OnceCell;
use std::io;
use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coroutine::{Driven, Driver, Settings, Worker};
use socket::process::{Thread, start_thread};
use socket::seam::{Memory, Watch, wait_any};
use socket::{Deadline, Interest, Poll, poll};

use super::{Run, Serving};
use crate::accept::AcceptLoop;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::latch::Latch;
use crate::outbox::Outbox;
use crate::placement::Placement;
use crate::running::Running;

/// Runs each request on a coroutine of the worker that accepted it, or that has fewer connections.
#[derive(Default)]
pub(super) struct Runner {
    workers: Vec<Thread<()>>,
    /// What workers are to run on. Asked once: a ring that is denied is denied once, and what the
    /// one that was made for the question takes of a limit is free again only later.
    driver: OnceCell<Driven>,
}

/// How long coroutines that are cut off have to return before they are unwound: half of what the
/// drain waits for them in all.
const GRACE: Duration = Duration::from_millis(500);
/// How many datagrams are taken at once: more gain little, and are kept from other workers.
const BATCH: usize = 32;

impl Run for Runner {
    fn setup(&self, workers: Option<usize>) -> String {
        let driver = self.driver();
        match workers.unwrap_or_else(cores) {
            1 => format!("{driver}, 1 worker"),
            workers => format!("{driver}, {workers} workers"),
        }
    }

    fn serve(&mut self, mut serving: Serving, ready: &mut dyn FnMut()) -> Result {
        serving.batch = BATCH;
        let running = Arc::clone(&serving.running);
        let settings = Settings {
            coroutines: running.limit_connections.saturating_mul(2).saturating_add(64),
            grace: GRACE,
            driver: self.driver().driver,
            ..Settings::default()
        };
        let told = Arc::new(Board::default());
        let begin = Arc::new(Latch::default());
        let workers = serving.workers.unwrap_or_else(cores);
        // Now, while there are descriptors: workers may take the last.
        let made = begin.fd().and_then(|_| told.some.fd());
        made.map_err(|error| Error::start("start workers", error, workers))?;
        let mut served = Ok(());
        for (number, accept) in serving.accept_loops(workers)?.into_iter().enumerate() {
            let (running, begin) = (Arc::clone(&running), Arc::clone(&begin));
            let told = Arc::clone(&told);
            let start = Start { accept, running, settings, workers, begin, told };
            match start_thread(&format!("worker {number}"), move || work(start)) {
                Ok(worker) => self.workers.push(worker),
                Err(error) => {
                    served = Err(Error::start("start a worker", error, workers));
                    break;
                }
            }
        }
        // Nobody is served before all of them can, or ever if one cannot; then each takes what
        // comes until the end. One that fails ends the server, and so the others.
        let (mut up, mut ended, mut serves, mut fell_back) = (0, 0, false, None);
        while ended < self.workers.len() {
            // A worker that a handler never gives back cannot tell of its end.
            if told.wait(&running.over).map_err(|error| Error::io("wait for workers", error))? {
                break;
            }
            for told in told.take() {
                match told {
                    Told::Up { refusal } => {
                        up += 1;
                        fell_back = fell_back.or(refusal);
                    }
                    Told::Ended(outcome) => {
                        ended += 1;
                        served = served.and(outcome);
                    }
                }
            }
            // Not of those that never served: the switch is that of all worker processes.
            if served.is_err() && serves {
                running.switches.stop.set();
            }
            if up + ended >= self.workers.len() && !begin.is_set() {
                serves = served.is_ok();
                match serves {
                    true => ready(),
                    false => told.called_off.store(true, SeqCst),
                }
                if let Some(why) = fell_back.take().filter(|_| serves) {
                    running.tell(&Event::WorkerFellBack { why: &why });
                }
                begin.set();
            }
        }
        served
    }

    fn join(&mut self, all: bool) {
        for worker in self.workers.drain(..) {
            if all || worker.is_finished() {
                // Its panics are those of the accept loop, which are told by the hook.
                let _ = worker.join();
            }
        }
    }
}

impl Runner {
    fn driver(&self) -> &Driven {
        self.driver.get_or_init(|| Driver::Auto.examine())
    }
}

/// One for each core that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// What a worker begins with.
struct Start {
    accept: AcceptLoop,
    running: Arc<Running>,
    settings: Settings,
    /// How many begin.
    workers: usize,
    /// Set when every worker is up.
    begin: Arc<Latch>,
    told: Arc<Board>,
}

/// Where workers tell the thread that serves.
#[derive(Default)]
struct Board {
    notes: Mutex<Vec<Told>>,
    some: Latch,
    /// One could not start, so none serves.
    called_off: AtomicBool,
}

impl Board {
    fn tell(&self, note: Told) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        self.some.set();
    }

    /// Blocks the thread until there are notes, or `over` is set, and answers whether that is.
    fn wait(&self, over: &Latch) -> io::Result<bool> {
        let mut asked = [self.some.fd()?, over.fd()?].map(|fd| Poll::new(fd, Interest::READ));
        poll(&mut asked, Deadline::Never)?;
        Ok(asked[1].ready.read && !asked[0].ready.read)
    }

    fn take(&self) -> Vec<Told> {
        self.some.clear();
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a worker tells.
enum Told {
    /// It can serve; without a ring, if that was refused.
    Up { refusal: Option<String> },
    /// It takes no more, or never could.
    Ended(Result),
}

/// A worker's life: accepts and runs until the server stops, and what is open is done or cut off.
fn work(start: Start) {
    let Start { accept, running, settings, workers, begin, told } = start;
    let ended = |what, error| told.tell(Told::Ended(Err(Error::io(what, error))));
    let worker = match Worker::new(settings) {
        Ok(worker) => worker,
        Err(error) => {
            let error = Error::start("start a worker", error, workers);
            return told.tell(Told::Ended(Err(error)));
        }
    };
    running.watch_worker(worker.remote(), accept.door());
    let _outbox = Outbox::open(worker.remote());
    told.tell(Told::Up { refusal: worker.driver().refusal.clone() });
    if let Err(error) = begin.wait() {
        return ended("start a worker", error);
    }
    if told.called_off.load(SeqCst) {
        return told.tell(Told::Ended(Ok(())));
    }
    let board = Arc::clone(&told);
    let mut placement = Placement::new(accept.door());
    let life = worker.run(move || {
        let served = accept.run_for(&mut placement);
        placement.settle();
        board.tell(Told::Ended(served));
        wait_for_the_end(&running)
    });
    if let Err(error) = life.and_then(|(waited, _)| waited) {
        ended("run coroutines", error);
    }
}

/// Waits until every request is done, or cut off.
fn wait_for_the_end(running: &Running) -> io::Result<()> {
    let memories = [Memory::default(), Memory::default()];
    let watch = |target| Watch { target, interest: Interest::READ, ready: false };
    let mut watches = [
        watch(memories[0].target(running.places.finished.fd()?)),
        watch(memories[1].target(running.cut.fd()?)),
    ];
    wait_any(&mut watches, Deadline::Never)
}
