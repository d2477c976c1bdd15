//! The deadlines of one connection: the guards', until its handler changes them.

use std::time::{Duration, Instant};

use socket::Deadline;

use crate::running::{NO_LIMIT, Running, milliseconds};

/// See the head of this file. Waiting for the peer is kept by the patrol and counts in
/// milliseconds of its clock; sending is kept by the send itself.
pub(super) struct Clocks {
    pub(super) opened: Instant,
    /// The same on the patrol's clock.
    opened_at: u64,
    first_byte: u64,
    idle: u64,
    /// Until when it may last.
    end: u64,
    write: Deadline,
    whole: Option<Duration>,
    /// Whether they are still the guards'.
    pub(super) unchanged: bool,
}

impl Clocks {
    pub(super) fn new(running: &Running) -> Clocks {
        Clocks::begun(running, (Instant::now(), running.time()))
    }

    /// Those of a connection that was opened [then](Self::beginning).
    pub(super) fn begun(running: &Running, (opened, opened_at): (Instant, u64)) -> Clocks {
        let guards = &running.guards;
        Clocks {
            opened,
            opened_at,
            first_byte: milliseconds(guards.deadline_first_byte),
            idle: milliseconds(guards.deadline_idle),
            end: end(opened_at, guards.deadline_connection),
            write: guards.deadline_write.into(),
            whole: guards.deadline_connection,
            unchanged: true,
        }
    }

    /// When the connection was opened, on both clocks.
    pub(super) fn beginning(&self) -> (Instant, u64) {
        (self.opened, self.opened_at)
    }

    pub(super) fn set_idle(&mut self, limit: Option<Duration>) {
        self.idle = milliseconds(limit);
        self.first_byte = self.idle;
        self.unchanged = false;
    }

    pub(super) fn set_write(&mut self, limit: Option<Duration>) {
        self.write = limit.into();
        self.unchanged = false;
    }

    pub(super) fn set_connection(&mut self, limit: Option<Duration>) {
        self.end = end(self.opened_at, limit);
        self.whole = limit;
        self.unchanged = false;
    }

    /// Until which moment a read may wait that begins at `time`.
    pub(super) fn until(&self, silent_so_far: bool, time: u64) -> u64 {
        let limit = if silent_so_far { self.first_byte } else { self.idle };
        (time + limit).min(self.end)
    }

    /// The same between two bytes of a connection that is [endless](Self::is_endless).
    #[inline(always)]
    pub(super) fn until_idle(&self, time: u64) -> u64 {
        time + self.idle
    }

    /// The guard to name when that moment has passed.
    pub(super) fn guard(&self, silent_so_far: bool, until: u64) -> &'static str {
        match silent_so_far {
            _ if until == self.end && self.end < NO_LIMIT => "connection too long",
            true => "no first byte",
            false => "idle",
        }
    }

    /// Whether nothing else is to be considered.
    pub(super) fn is_endless(&self) -> bool {
        self.whole.is_none()
    }

    /// The deadline of a send, where it depends on nothing else.
    #[inline]
    pub(super) fn write_alone(&self) -> Option<Deadline> {
        self.whole.is_none().then_some(self.write)
    }

    /// The deadline of a send, and the guard to name when it passes.
    #[inline]
    pub(super) fn send(&self) -> (Deadline, &'static str) {
        match self.whole {
            None => (self.write, "write"),
            Some(whole) => self.within(self.write, whole),
        }
    }

    #[cold]
    fn within(&self, limit: Deadline, whole: Duration) -> (Deadline, &'static str) {
        let Some(end) = self.opened.checked_add(whole) else { return (limit, "write") };
        match limit.earlier(Deadline::At(end)) {
            Deadline::At(moment) if moment == end => (Deadline::At(end), "connection too long"),
            earlier => (earlier, "write"),
        }
    }
}

/// When a connection ends that may last for so long.
fn end(opened_at: u64, limit: Option<Duration>) -> u64 {
    opened_at + milliseconds(limit)
}
