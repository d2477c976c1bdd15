//! Waiting for the next request without a stack: what a connection does before and after.
//!
//! ```text
//!   next_request ── idle for long ──► false, and `take_idle` ──► park ──► (a box, no stack)
//!        ▲                                                                      │ a byte, an end
//!        └────────────────────────────── unpark ◄───────────────────────────────┘
//! ```
//! The wait itself goes on: the patrol keeps its deadline and a drain ends it as before, by the
//! word in the link and by shutting the reading side down, which wakes whoever is parked.
//!
//! What it deliberately does not know: who keeps it meanwhile.

use std::io;
use std::sync::Arc;

use super::Connection;
use crate::listener::Site;
use crate::running::Running;
use crate::waiting::Waiting;

/// Whether the wait for a request may be given up for a cheaper one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parking {
    /// No: its handler is on the stack.
    Never,
    /// Yes, when it has been idle for long.
    WhenIdle,
    /// It has been: until when that wait may last.
    Idle(u64),
}

impl Connection {
    /// Has its waits for a next request end when they last.
    pub(crate) fn let_park(&mut self) {
        self.parking = Parking::WhenIdle;
    }

    /// After [`next_request`](Connection::next_request) said that there is none: until when the
    /// wait may last that was given up only because it is better continued without a stack.
    pub(crate) fn take_idle(&mut self) -> Option<u64> {
        match self.parking {
            Parking::Idle(until) => {
                self.parking = Parking::WhenIdle;
                Some(until)
            }
            _ => None,
        }
    }

    /// Begins that wait again; false if the server has begun to drain, which
    /// [`next_request`](Connection::next_request) knows how to deal with.
    pub(crate) fn park(&mut self, until: u64) -> bool {
        // What it still owns is little, and shall be less.
        self.output = Vec::new();
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

impl Connection {
    /// The listener and the server it came to.
    pub(crate) fn belongs_to(&self) -> (Arc<Site>, Arc<Running>) {
        (Arc::clone(&self.site), Arc::clone(&self.running))
    }
}
