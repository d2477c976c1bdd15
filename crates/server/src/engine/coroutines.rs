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
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use coroutine::{Driven, Driver, Settings, Worker};
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
    workers: Vec<JoinHandle<()>>,
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

    fn serve(&mut self, mut serving: Serving) -> Result {
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
        begin.fd().map_err(|error| Error::io("start workers", error))?;
        let mut served = Ok(());
        let workers = serving.workers.unwrap_or_else(cores);
        for (number, accept) in serving.accept_loops(workers)?.into_iter().enumerate() {
            let (running, begin) = (Arc::clone(&running), Arc::clone(&begin));
            let start = Start { accept, running, settings, begin, told: Arc::clone(&told) };
            let worker = std::thread::Builder::new().name(format!("worker {number}"));
            match worker.spawn(move || work(start)) {
                Ok(worker) => self.workers.push(worker),
                Err(error) => served = Err(Error::io("start a worker", error)),
            }
        }
        // Nobody is served before all of them can; then each takes what comes until the end. One
        // that fails ends the server, and so the others.
        let (mut up, mut ended) = (0, 0);
        while ended < self.workers.len() {
            // A worker that a handler never gives back cannot tell of its end.
            if told.wait(&running.over).map_err(|error| Error::io("wait for workers", error))? {
                break;
            }
            for told in told.take() {
                match told {
                    Told::Up => up += 1,
                    Told::Ended(outcome) => {
                        ended += 1;
                        served = served.and(outcome);
                    }
                }
            }
            if served.is_err() {
                running.switches.stop.set();
            }
            if up + ended >= self.workers.len() {
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
    /// Set when every worker is up.
    begin: Arc<Latch>,
    told: Arc<Board>,
}

/// Where workers tell the thread that serves.
#[derive(Default)]
struct Board {
    notes: Mutex<Vec<Told>>,
    some: Latch,
    /// A worker has no ring, and that has been told.
    fell_back: AtomicBool,
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
    Up,
    /// It takes no more, or never could.
    Ended(Result),
}

/// A worker's life: accepts and runs until the server stops, and what is open is done or cut off.
fn work(start: Start) {
    let Start { accept, running, settings, begin, told } = start;
    let ended = |what, error| told.tell(Told::Ended(Err(Error::io(what, error))));
    let worker = match Worker::new(settings) {
        Ok(worker) => worker,
        Err(error) => return ended("start a worker", error),
    };
    if let Some(why) = &worker.driver().refusal
        && !told.fell_back.swap(true, Relaxed)
    {
        running.tell(&Event::WorkerFellBack { why });
    }
    running.watch_worker(worker.remote(), accept.door());
    let _outbox = Outbox::open(worker.remote());
    told.tell(Told::Up);
    if let Err(error) = begin.wait() {
        return ended("start a worker", error);
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
