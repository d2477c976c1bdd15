//! Waiting for the next request without a stack: what a connection does before and after.
//!
//! ```text
//!   next_request ── idle for long ──► false, and `take_idle` ──► park ──► keep (no stack)
//!        ▲                                                                    │ a byte, an end
//!        └────────────────────────────── unpark ◄────────────────────── take up
//! ```
//! The wait itself goes on: the patrol keeps its deadline and a drain ends it as before, by the
//! word in the link and by shutting the reading side down, which wakes whoever is parked.
//!
//! What it deliberately does not know: who keeps it meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use socket::SockAddr;
use socket::seam::Patience;

use super::Connection;
use super::clocks::Clocks;
use crate::event::Summary;
use crate::listener::Site;
use crate::running::{Place, Running};
use crate::waiting::Waiting;

impl Connection {
    /// Has its waits for a next request end when they last.
    pub(crate) fn let_park(&mut self) {
        self.patience = Patience::UntilIdle;
    }

    /// For how long it is kept waiting at most: a wait for a next request may be given up for a
    /// cheaper one, unless its handler is on the stack.
    #[inline(always)]
    pub(super) fn patience(&self, waiting: Waiting) -> Patience {
        if waiting == Waiting::Between { self.patience } else { Patience::Endless }
    }

    /// After [`next_request`](Connection::next_request) said that there is none: until when the
    /// wait may last that was given up only because it is better continued without a stack.
    pub(crate) fn take_idle(&mut self) -> Option<u64> {
        self.idle_until.take()
    }

    /// Begins that wait again; false if the server has begun to drain, which
    /// [`next_request`](Connection::next_request) knows how to deal with.
    pub(crate) fn park(&mut self, until: u64) -> bool {
        self.waits = self.waits.wrapping_add(1);
        self.link.wait(Waiting::Between, until, self.waits);
        !self.running.is_draining()
    }

    /// Whether anything is left that needs its stack: those beside it tell this coroutine.
    pub(crate) fn may_park(&self) -> bool {
        self.beside.is_none()
    }

    /// Ends the wait.
    ///
    /// # Errors
    /// As reading, where somebody else has ended it.
    pub(crate) fn unpark(&mut self, until: u64) -> io::Result<()> {
        match self.link.resume() {
            None => Ok(()),
            ending => self.end_receive_otherwise(Ok(0), ending, until).map(drop),
        }
    }
}

/// A connection in a wait for a next request, without what it needs only when that is over.
pub(crate) enum Kept {
    /// What is not known otherwise of one that is like any other.
    Bare(Bare),
    /// All of one that has writers, limits of its own or anything else that others have not.
    Whole(Box<Connection>),
}

/// See [`Kept`].
pub(crate) struct Bare {
    site: Arc<Site>,
    peer: SockAddr,
    opened: (Instant, u64),
    received: u64,
    sent: u64,
    waits: u16,
}

impl Connection {
    /// Itself, as it is to be kept.
    pub(crate) fn keep(self) -> Kept {
        let bare = self.sending.is_none()
            && self.refilled.is_none()
            && self.ended_by.is_none()
            && !self.ended
            && !self.drained
            && self.output.is_empty()
            && self.clocks.unchanged;
        if !bare {
            return self.keep_whole();
        }
        let Connection { site, summary, clocks, received, sent, waits, .. } = self;
        let (peer, opened) = (summary.peer, clocks.beginning());
        Kept::Bare(Bare { site, peer, opened, received, sent, waits })
    }

    /// Apart, since it would take as much of every stack once more.
    #[cold]
    #[inline(never)]
    fn keep_whole(mut self) -> Kept {
        self.output = Vec::new();
        Kept::Whole(Box::new(self))
    }
}

impl Kept {
    /// The connection that has this place.
    pub(crate) fn take_up(self, place: &Place) -> Connection {
        let bare = match self {
            Kept::Whole(connection) => return *connection,
            Kept::Bare(bare) => bare,
        };
        let Bare { site, peer, opened, received, sent, waits } = bare;
        let (listener, service) = (site.index, Arc::clone(&site.name));
        let summary = Summary { id: place.id, listener, service, peer, datagram: false };
        let running = Arc::clone(&place.running);
        let clocks = Clocks::begun(&running, opened);
        let mut connection = Connection::with_clocks(running, site, place.link(), summary, clocks);
        (connection.received, connection.sent, connection.waits) = (received, sent, waits);
        connection.let_park();
        connection
    }

    /// What its coroutine is called.
    pub(crate) fn name(&self, place: &Place) -> String {
        match self {
            Kept::Whole(connection) => connection.summary.name(),
            Kept::Bare(bare) => format!("{} #{} {}", bare.site.name, place.id, bare.peer),
        }
    }
}

impl Connection {
    /// The listener and the server it came to.
    pub(crate) fn belongs_to(&self) -> (Arc<Site>, Arc<Running>) {
        (Arc::clone(&self.site), Arc::clone(&self.running))
    }
}
