//! `coroutines`: a coroutine for each connection, on one worker thread per core.
//!
//! * **What runs a request?** A coroutine with a stack of its own, on one of a few worker threads,
//!   which it never leaves. Where it would wait, the worker runs others.
//! * **What do requests share?** The process: memory, descriptors, everything in an `Arc`. Requests
//!   of one worker never run at the same moment.
//! * **What does a slow client cost?** Its parked stack; nobody waits for it.
//! * **Memory per connection?** The pages its stack has touched, 4 to 12 KiB, and its buffers.
//! * **What does a panic do?** It is caught, told, and closes its connection; the others go on. A
//!   stack that overflows ends the process, with a line that names the connection.
//! * **How does it stop?** Handlers finish within the grace period. Then every call they wait in
//!   fails, and what still does not return is unwound.
//! * **When not to use it?** For handlers that compute for long, or block in anything but our
//!   sockets, locks and `blocking`: they hold up every connection of their worker. What is held up
//!   is told.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use coroutine::{Builder, Settings, Worker, yield_now};
use socket::seam::{Memory, Watch, wait_any};
use socket::{Deadline, Interest};

use super::{Run, Serving};
use crate::accept::AcceptLoop;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::running::Running;

/// Runs each request on a coroutine of the worker that accepted it.
#[derive(Default)]
pub(super) struct Runner {
    workers: Vec<JoinHandle<()>>,
}

/// How long coroutines that are cut off have to return before they are unwound: half of what the
/// drain waits for them in all.
const GRACE: Duration = Duration::from_millis(500);
/// How many requests one accept loop starts before the coroutines get their turn.
const TURN: usize = 64;

impl Run for Runner {
    fn setup(&self, serving: &Serving) -> String {
        match serving.workers.unwrap_or_else(cores) {
            1 => "epoll, 1 worker".to_owned(),
            workers => format!("epoll, {workers} workers"),
        }
    }

    fn serve(&mut self, serving: Serving) -> Result {
        let running = Arc::clone(&serving.running);
        let settings = Settings {
            coroutines: running.limit_connections.saturating_mul(2).saturating_add(64),
            grace: GRACE,
            ..Settings::default()
        };
        let (tell, told) = channel();
        let workers = serving.workers.unwrap_or_else(cores);
        for (number, accept) in serving.accept_loops(workers)?.into_iter().enumerate() {
            let (own, tell, settings) = (Arc::clone(&running), tell.clone(), settings);
            let body = move || work(accept, own, settings, &tell);
            match std::thread::Builder::new().name(format!("worker {number}")).spawn(body) {
                Ok(worker) => self.workers.push(worker),
                Err(error) => {
                    running.switches.stop.set();
                    return Err(Error::io("start a worker", error));
                }
            }
        }
        drop(tell);
        // One loop that fails ends the server, and so the others.
        let mut served = Ok(());
        for outcome in told {
            if outcome.is_err() {
                running.switches.stop.set();
            }
            served = served.and(outcome);
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

/// One for each core that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// A worker's life: accepts and runs until the server stops, and what is open is done or cut off.
fn work(accept: AcceptLoop, running: Arc<Running>, settings: Settings, tell: &Sender<Result>) {
    let worker = match Worker::new(settings) {
        Ok(worker) => worker,
        Err(error) => {
            // Nobody listens only if the server is gone.
            let _ = tell.send(Err(Error::io("start a worker", error)));
            return;
        }
    };
    running.watch_worker(worker.remote());
    let tell_served = tell.clone();
    let ended = worker.run(move || {
        let mut taken = 0_usize;
        let served = accept.run(&mut |request| {
            taken += 1;
            if taken.is_multiple_of(TURN) {
                yield_now();
            }
            start(request)
        });
        let _ = tell_served.send(served);
        drop(tell_served);
        wait_for_the_end(&running)
    });
    let ended = ended.and_then(|(waited, _)| waited);
    if let Err(error) = ended {
        let _ = tell.send(Err(Error::io("run coroutines", error)));
    }
}

/// Starts a coroutine for the request. A worker that has no stack left refuses it.
fn start(request: Request) -> io::Result<()> {
    let name = request.summary().to_string();
    let refusal = request.refusal();
    match Builder::new().name(name).spawn(move || request.run()) {
        Ok(_) => Ok(()),
        Err(_) => {
            refusal.tell();
            Err(io::ErrorKind::OutOfMemory.into())
        }
    }
}

/// Waits until every request is done, or cut off.
fn wait_for_the_end(running: &Running) -> io::Result<()> {
    let memories = [Memory::default(), Memory::default()];
    let watch = |target| Watch { target, interest: Interest::READ, ready: false };
    let mut watches = [
        watch(memories[0].target(running.finished.fd()?)),
        watch(memories[1].target(running.cut.fd()?)),
    ];
    wait_any(&mut watches, Deadline::Never)
}
