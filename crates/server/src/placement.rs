//! Which worker a connection goes to, where several accept.
//!
//! ```text
//!   accepted ─┬─ none has fewer ────► runs here
//!             └─ one has ─► handed over ─┬─ begins ────────► runs there
//!                                        └─ does not come ─► taken back, runs here
//! ```
//! All workers wait at the same listeners, so whoever is free takes what comes, and nobody waits
//! for a worker that a handler holds. But who wakes first is chance, and of four connections one
//! worker might get three. So a worker that would have more than its share hands a connection over
//! before it has begun; once begun, it never moves. Of few connections no worker has two more than
//! another; of many, a quarter more is balance enough.
//!
//! A worker that is held by a handler gets nothing. If that is found out too late, what was handed
//! over is taken back.
//!
//! What it deliberately does not know: how busy a connection is. It counts them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use coroutine::{Builder, Remote, yield_now};
use socket::Deadline;
use socket::seam::sleep;

use crate::accept::Process;
use crate::line::Line;
use crate::places::Door;
use crate::request::Request;
use crate::running::HELD;

/// Starts the requests of one accept loop.
pub(crate) struct Placement {
    door: Arc<Door>,
    line: Arc<Line>,
    handed: Vec<Handed>,
    started: usize,
}

/// A request on its way to another worker.
struct Handed {
    request: Arc<Mutex<Option<Box<Request>>>>,
    to: Remote,
    since: Instant,
}

/// How many requests one accept loop starts before the coroutines get their turn.
const TURN: usize = 64;
/// How long a worker may take to begin what was handed to it, if it is not held but busy.
const PATIENCE: Duration = Duration::from_millis(250);

impl Placement {
    /// For the accept loop whose requests come by `door`.
    pub(crate) fn new(door: Arc<Door>) -> Placement {
        Placement { door, line: Arc::default(), handed: Vec::new(), started: 0 }
    }

    fn hand_over(&mut self, request: Request, to: Remote) -> io::Result<()> {
        let name = request.summary().name();
        let request = Arc::new(Mutex::new(Some(Box::new(request))));
        let theirs = Arc::clone(&request);
        let begin = move || {
            let request = take(&theirs);
            drop(theirs);
            if let Some(request) = request {
                request.run_in_coroutine();
            }
        };
        match to.spawn(name, begin) {
            Ok(()) => {
                self.handed.push(Handed { request, to, since: Instant::now() });
                Ok(())
            }
            Err(_) => take(&request).map_or(Ok(()), |request| self.run_here(request)),
        }
    }

    fn run_here(&self, mut request: Box<Request>) -> io::Result<()> {
        request.move_to(Arc::clone(&self.door));
        spawn(request)
    }

    /// Waits until what was handed over has begun, here or there.
    pub(crate) fn settle(&mut self) {
        self.take_back();
        while !self.handed.is_empty() {
            sleep(Deadline::After(HELD));
            self.take_back();
        }
    }

    /// Takes back what others will not begin soon.
    fn take_back(&mut self) {
        let now = Instant::now();
        let mut late = Vec::new();
        self.handed.retain(|one| {
            let mut request = one.request.lock().unwrap_or_else(PoisonError::into_inner);
            if request.is_none() {
                return false;
            }
            let patience = if is_held(&one.to) { HELD } else { PATIENCE };
            if now.duration_since(one.since) >= patience {
                late.extend(request.take());
            }
            request.is_some()
        });
        // One for which there is no stack has been told of.
        late.into_iter().for_each(|request| drop(self.run_here(request)));
    }
}

impl Process for Placement {
    fn process(&mut self, mut request: Request) -> io::Result<()> {
        self.started += 1;
        if self.started.is_multiple_of(TURN) {
            yield_now();
        }
        if request.is_datagram() {
            return self.line.add(request).map_err(|request| refuse(&request));
        }
        match request.spread() {
            Some(worker) => self.hand_over(request, worker),
            None => spawn(Box::new(request)),
        }
    }

    fn due(&self) -> Deadline {
        match self.handed.is_empty() {
            true => Deadline::Never,
            false => Deadline::After(HELD),
        }
    }

    fn attend(&mut self, _ready: &[bool]) {
        if !self.handed.is_empty() {
            self.take_back();
        }
    }
}

fn is_held(worker: &Remote) -> bool {
    worker.held().is_some_and(|held| held.since >= HELD)
}

/// Only this runs under the lock, or a few lines like it.
fn take(request: &Mutex<Option<Box<Request>>>) -> Option<Box<Request>> {
    request.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Starts a coroutine for the request. In a box, its memory is free as soon as it has begun. A
/// worker that has no stack left refuses it.
fn spawn(request: Box<Request>) -> io::Result<()> {
    let name = request.summary().name();
    let refusal = request.refusal();
    match Builder::new().name(name).spawn(move || request.run_in_coroutine()) {
        Ok(_) => Ok(()),
        Err(_) => {
            refusal.tell();
            Err(io::ErrorKind::OutOfMemory.into())
        }
    }
}

/// Refuses a request for which no stack is left.
fn refuse(request: &Request) -> io::Error {
    request.refusal().tell();
    io::ErrorKind::OutOfMemory.into()
}
