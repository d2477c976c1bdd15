//! The deadlines of one connection: the guards', until its handler changes them.

use std::time::{Duration, Instant};

use socket::Deadline;

use crate::guards::Guards;
use crate::running::{milliseconds, now};
use crate::waiting::NEVER;

/// See the head of this file. Waiting for the peer is kept by the patrol and counts in
/// milliseconds of its clock; sending is kept by the send itself.
pub(super) struct Clocks {
    pub(super) opened: Instant,
    /// The same on the patrol's clock.
    opened_at: u64,
    first_byte: u64,
    idle: u64,
    connection: u64,
    write: Option<Duration>,
    whole: Option<Duration>,
}

impl Clocks {
    pub(super) fn new(guards: &Guards) -> Clocks {
        Clocks {
            opened: Instant::now(),
            opened_at: now(),
            first_byte: milliseconds(guards.deadline_first_byte),
            idle: milliseconds(guards.deadline_idle),
            connection: milliseconds(guards.deadline_connection),
            write: guards.deadline_write,
            whole: guards.deadline_connection,
        }
    }

    pub(super) fn set_idle(&mut self, limit: Option<Duration>) {
        self.idle = milliseconds(limit);
        self.first_byte = self.idle;
    }

    pub(super) fn set_write(&mut self, limit: Option<Duration>) {
        self.write = limit;
    }

    pub(super) fn set_connection(&mut self, limit: Option<Duration>) {
        self.connection = milliseconds(limit);
        self.whole = limit;
    }

    /// Until which moment a read may wait, and the guard to name when that has passed.
    pub(super) fn receive(&self, silent_so_far: bool) -> (u64, &'static str) {
        let (limit, guard) = match silent_so_far {
            true => (self.first_byte, "no first byte"),
            false => (self.idle, "idle"),
        };
        let until = now().saturating_add(limit).min(NEVER);
        let end = self.opened_at.saturating_add(self.connection);
        if end < until { (end, "connection too long") } else { (until, guard) }
    }

    /// The deadline of a send, and the guard to name when it passes.
    #[inline]
    pub(super) fn send(&self) -> (Deadline, &'static str) {
        match self.whole {
            None => (self.write.into(), "write"),
            Some(whole) => self.within(self.write.into(), whole),
        }
    }

    fn within(&self, limit: Deadline, whole: Duration) -> (Deadline, &'static str) {
        let Some(end) = self.opened.checked_add(whole) else { return (limit, "write") };
        match limit.earlier(Deadline::At(end)) {
            Deadline::At(moment) if moment == end => (Deadline::At(end), "connection too long"),
            earlier => (earlier, "write"),
        }
    }
}
