//! The handle of a server: stops it and reads its counters, from any thread and at any time.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use socket::Address;

use crate::description::Description;
use crate::event::Counters;
use crate::switches::Switches;

/// Stops a server and reads its counters, from any thread, before, while and after it serves.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) switches: Arc<Switches>,
}

/// What one listener has counted so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerCounters {
    /// Where it listens, with port 0 resolved.
    pub address: Address,
    /// The name of its service.
    pub service: String,
    /// The numbers.
    pub counters: Counters,
}

impl Control {
    /// Asks the server to take no more connections and to end when the open ones have finished.
    /// Returns at once. A server that has not begun to serve ends as soon as it does.
    pub fn shutdown(&self) {
        self.switches.stop.set();
    }

    /// Asks the server to end now: open connections are cut off.
    pub fn stop_now(&self) {
        self.switches.now.set();
        self.switches.stop.set();
    }

    /// How many processes the server has forked that have not ended: a child for each connection
    /// with [`Engine::Processes`](crate::Engine::Processes), or the workers of
    /// [`with_prefork`](crate::Server::with_prefork).
    #[must_use]
    pub fn active_children(&self) -> usize {
        self.switches.children.load(SeqCst)
    }

    /// What the server has counted so far, also when asked in a process that it forked: the sum of
    /// its listeners.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.switches.counters()
    }

    /// What the server is doing: each open connection and each coroutine, as far as
    /// [`Description::MOST`], and for how many more there is no room. SIGQUIT tells the same as an
    /// [`Event::Described`](crate::Event::Described).
    ///
    /// It is of this process: with [`with_prefork`](crate::Server::with_prefork) the connections
    /// are those of the workers, which tell of them on SIGQUIT only. In a process that was forked
    /// for a connection it has the numbers and nothing else.
    ///
    /// Connections go on meanwhile. It takes some milliseconds for a hundred thousand connections,
    /// and a second when a handler keeps its worker from answering.
    ///
    /// ```
    /// use switchboard::{Connection, Server};
    ///
    /// let mut server = Server::new();
    /// server.bind("127.0.0.1:0", |_: &mut Connection| Ok(()))?;
    /// let said = server.control().describe().to_string();
    /// assert!(said.contains("serves nobody itself"));
    /// # switchboard::Result::Ok(())
    /// ```
    #[must_use]
    pub fn describe(&self) -> Description {
        self.switches.describe()
    }

    /// What each listener has counted so far, in the order of binding; a listener that is closed
    /// keeps its numbers. Each number is exact, and a connection counts as closed only after it
    /// counts as opened; numbers of different connections may be of different moments.
    #[must_use]
    pub fn listeners(&self) -> Vec<ListenerCounters> {
        let counted = self.switches.known().listeners.clone();
        let told = counted.iter().map(|one| ListenerCounters {
            address: one.address.clone(),
            service: one.service.clone(),
            counters: one.tally.snapshot(),
        });
        told.collect()
    }
}
