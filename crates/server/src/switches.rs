//! What controls a server from outside, and what it has counted: in its own process and, once it
//! is [shared](Switches::share), in those that are forked from it.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use socket::Address;
use socket::process::SharedWords;

use crate::event::{Counters, Tally};
use crate::latch::Latch;
use crate::running::Running;

/// Lives from `Server::new` on, and as long as anybody has a `Control`.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    /// Take no more connections, let the open ones finish.
    pub(crate) stop: Latch,
    /// Cut off what is open.
    pub(crate) now: Latch,
    /// Forked processes that have not been waited for.
    pub(crate) children: AtomicUsize,
    /// Requests so far.
    requests: AtomicU64,
    /// The same for forked processes too.
    shared: OnceLock<SharedWords>,
    /// What others ask for.
    known: Mutex<Known>,
}

/// What is known of a server from outside. Held while a process is forked, so that no child finds
/// it locked.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The numbers so far.
    pub(crate) listeners: Vec<Counted>,
    /// The server, while it runs, and the process in which it does.
    running: Weak<Running>,
    process: u32,
}

impl Known {
    /// The server runs, in this process.
    pub(crate) fn begin(&mut self, running: &Arc<Running>) {
        (self.running, self.process) = (Arc::downgrade(running), std::process::id());
    }

    /// The server, if it runs in this process.
    pub(crate) fn running_here(&self) -> Option<Arc<Running>> {
        self.running.upgrade().filter(|_| self.process == std::process::id())
    }
}

/// A listener in its server's list of numbers, where it stays when it is closed.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) address: Address,
    pub(crate) service: String,
    pub(crate) tally: Arc<Tally>,
}

impl Switches {
    /// Its listeners in the order of binding, and how it runs.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of all listeners together.
    pub(crate) fn counters(&self) -> Counters {
        self.known().listeners.iter().map(|listener| listener.tally.snapshot()).sum()
    }

    /// That all listeners are served, for a service manager.
    pub(crate) fn ready(&self) -> String {
        let listeners = &self.known().listeners;
        let first = listeners.first().map(|one| one.address.to_string()).unwrap_or_default();
        let more = match listeners.len().saturating_sub(1) {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        format!("READY=1\nSTATUS=serving at {first}{more}")
    }

    /// The number of the last request, in the order of arrival.
    pub(crate) fn requests(&self) -> &AtomicU64 {
        self.shared.get().map_or(&self.requests, |words| &words[0])
    }

    /// Lets processes that are forked from now on stop the server, read its numbers and count
    /// requests with it. To be called while nothing happens that counts.
    pub(crate) fn share(&self) -> io::Result<()> {
        self.stop.share()?;
        self.now.share()?;
        if self.shared.get().is_none() {
            let words = SharedWords::new(1)?;
            words[0].store(self.requests.load(Relaxed), Relaxed);
            let _ = self.shared.set(words);
        }
        self.known().listeners.iter().try_for_each(|listener| listener.tally.share())
    }
}
