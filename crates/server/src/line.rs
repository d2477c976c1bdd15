//! Datagrams in line: many of them on one coroutine, as long as their handlers do not wait.
//!
//! ```text
//!   accept loop ─► [ d d d d d ] ─► a coroutine takes one, runs it, takes the next …
//!                        └────────► the reserve: begins when that one waits, and finds the rest
//! ```
//! A datagram's handler usually reads, writes and returns, and a coroutine for each costs more than
//! that. So whoever begins to serve the line first makes sure that another coroutine stands ready:
//! if a handler has to wait, that one goes on with the next, and nobody waits for anybody.
//!
//! What it deliberately does not do: keep order. Datagrams have none.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use coroutine::Builder;

use crate::request::Request;

/// The line of one worker.
#[derive(Default)]
pub(crate) struct Line {
    waiting: Mutex<VecDeque<Request>>,
    /// A coroutine has been made that will look at the line.
    reserve: AtomicBool,
}

impl Line {
    /// Has the request run on a coroutine, soon.
    ///
    /// # Errors
    /// The request itself, where there is no stack to run it on.
    pub(crate) fn add(self: &Arc<Self>, request: Request) -> Result<(), Box<Request>> {
        if self.provide().is_err() {
            return Err(Box::new(request));
        }
        self.locked(|waiting| waiting.push_back(request));
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
        while let Some((request, more)) = self.next() {
            if more {
                // Without a reserve the rest is served all the same, only later.
                let _none = self.provide();
            }
            request.run();
        }
    }

    /// The next, and whether it was not the last.
    fn next(&self) -> Option<(Request, bool)> {
        self.locked(|waiting| Some((waiting.pop_front()?, !waiting.is_empty())))
    }

    fn locked<T>(&self, change: impl FnOnce(&mut VecDeque<Request>) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
