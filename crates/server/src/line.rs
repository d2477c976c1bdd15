//! Datagrams in line: many of them on one coroutine, as long as their handlers do not wait.
//!
//! ```text
//!   accept loop ─► [ d d d d d ] ─► a coroutine takes one, runs it, takes the next …
//!                        │               └── its answer waits ─► [ a a a ] ─► one sendmmsg(2)
//!                        └────────► the reserve: begins when that one waits, sends the answers,
//!                                   and goes on with the rest
//! ```
//! A datagram's handler usually reads, writes and returns, and a coroutine for each costs more than
//! that. So whoever begins to serve the line first makes sure that another coroutine stands ready:
//! if a handler has to wait, that one goes on with the next, and nobody waits for anybody.
//!
//! What a handler has written goes back when it has returned, and with that the request ends, as on
//! every engine. Here both come a moment later: when the line is empty, when a handler waits, after
//! [`LINGER`], or when there are many. What became of its own answer is told of each.
//!
//! What it deliberately does not do: keep order. Datagrams have none.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coroutine::Builder;

use crate::answers::Answers;
use crate::request::Request;

/// The line of one worker.
#[derive(Default)]
pub(crate) struct Line {
    waiting: Mutex<VecDeque<Request>>,
    answers: Answers,
    /// A coroutine has been made that will look at the line.
    reserve: AtomicBool,
}

/// How long an answer may wait for others.
const LINGER: Duration = Duration::from_millis(1);

impl Line {
    /// Has the request run on a coroutine, soon.
    ///
    /// # Errors
    /// The request itself, where there is no stack to run it on.
    pub(crate) fn add(self: &Arc<Self>, request: Request) -> Result<(), Box<Request>> {
        if self.provide().is_err() {
            return Err(Box::new(request));
        }
        locked(&self.waiting).push_back(request);
        Ok(())
    }

    /// Makes sure that a coroutine will look at the line.
    fn provide(self: &Arc<Self>) -> io::Result<()> {
        if self.reserve.load(Relaxed) {
            return Ok(());
        }
        let line = Arc::clone(self);
        Builder::new().name("datagrams").spawn(move || line.serve())?;
        self.reserve.store(true, Relaxed);
        Ok(())
    }

    /// Runs what is in line until there is nothing.
    fn serve(self: Arc<Self>) {
        self.reserve.store(false, Relaxed);
        // Of one that waits now.
        self.answers.send();
        let mut since = None;
        while let Some((request, more)) = self.next() {
            if (more || since.is_some()) && self.provide().is_err() {
                // The rest is served all the same, only later; but nobody is left for the answers.
                self.answers.send();
                since = None;
            }
            if let Some(unsent) = request.run_in_line() {
                let begun = *since.get_or_insert(unsent.opened());
                if self.answers.add(unsent) && begun.elapsed() < LINGER {
                    continue;
                }
            }
            self.answers.send();
            since = None;
        }
        self.answers.send();
    }

    /// The next, and whether it was not the last.
    fn next(&self) -> Option<(Request, bool)> {
        let mut waiting = locked(&self.waiting);
        Some((waiting.pop_front()?, !waiting.is_empty()))
    }
}

/// Nothing that panics runs under this lock, and nothing that waits.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
