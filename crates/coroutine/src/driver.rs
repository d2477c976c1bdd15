//! The seam's driver: what a socket's blocking call means in a coroutine.
//!
//! It asks first whether the coroutine may still make calls, and leaves the rest to the reactor.
//! The worker's own code makes no blocking calls, but a `Drop` of somebody's may, where no
//! coroutine runs: such a call is tried once, and if it would have to wait it fails.

use std::io::{self, ErrorKind};
use std::time::Instant;

use socket::Deadline;
use socket::seam::{Driver, Operation, Target, Waiting, Watch, is_pending};

use crate::slot::{SlotRef, WaitsFor};
use crate::suspend::{Ends, Resumed};
use crate::worker::Core;

impl Driver for Core {
    fn perform(
        &self,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        deadline: Deadline,
    ) -> io::Result<usize> {
        // The two that every message takes, where nothing special is the case.
        if let Some(me) = self.scheduler.running()
            && !me.is_doomed()
            && matches!(deadline, Deadline::Never | Deadline::After(_))
        {
            match operation {
                Operation::Recv { buffer, flags } => {
                    return self.reactor.recv(self, me, target, buffer, *flags, deadline);
                }
                Operation::Send { bytes, flags } => {
                    let mut send = Operation::Send { bytes, flags: *flags };
                    match send.attempt(target.fd, Waiting::Refused) {
                        Ok(count) => {
                            self.scheduler.spend(me);
                            return Ok(count);
                        }
                        Err(error) if after(&error) == After::Fail => return Err(error),
                        Err(_) => {}
                    }
                }
                _ => {}
            }
        }
        self.perform_rarer(target, operation, deadline)
    }

    fn wait_any(&self, watches: &mut [Watch<'_>], deadline: Deadline) -> io::Result<()> {
        let Some(me) = self.scheduler.running() else { return Err(may_not_wait()) };
        if me.is_doomed() {
            return Err(self.refusal(me));
        }
        self.reactor.wait_any(self, me, watches, deadline)
    }

    fn sleep(&self, deadline: Deadline) {
        let Some(me) = self.scheduler.running() else { return };
        let moment = self.clock.moment(deadline);
        while self.scheduler.park(me, moment, WaitsFor::Time, Ends::Event) == Resumed::Woken {}
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        match self.scheduler.running() {
            Some(_) => crate::blocking::run(work),
            None => work(),
        }
    }

    /// Nothing to do: a registration that belongs to another file is recognised when it is used.
    fn forget(&self, _memory: u64) {}
}

impl Core {
    /// Everything else.
    #[inline(never)]
    fn perform_rarer(
        &self,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        deadline: Deadline,
    ) -> io::Result<usize> {
        let Some(me) = self.scheduler.running() else {
            return without_waiting(target, operation, deadline);
        };
        if me.is_doomed() {
            return Err(self.refusal(me));
        }
        if let Deadline::At(moment) = deadline
            && moment <= Instant::now()
        {
            return Err(ErrorKind::TimedOut.into());
        }
        self.reactor.perform(self, me, target, operation, deadline)
    }

    /// The error of a call that is not made, because its coroutine is cancelled or unwinding.
    #[cold]
    pub(crate) fn refusal(&self, me: SlotRef) -> io::Error {
        self.scheduler.refuse(me);
        cancelled()
    }
}

/// What a suspension for a socket's call came to. `Ok`: try again.
#[inline]
pub(crate) fn outcome(resumed: Resumed) -> io::Result<()> {
    match resumed {
        Resumed::Woken => Ok(()),
        Resumed::TimedOut => Err(ErrorKind::TimedOut.into()),
        Resumed::Cancelled => Err(cancelled()),
        Resumed::Refused => Err(may_not_wait()),
    }
}

/// What follows a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Make it again, now.
    Again,
    /// Wait, then make it again.
    Wait,
    /// Nothing: the error is the answer.
    Fail,
}

/// What follows a call that failed like this.
#[inline(never)]
pub(crate) fn after(error: &io::Error) -> After {
    match error.kind() {
        ErrorKind::Interrupted => After::Again,
        _ if is_pending(error) => After::Wait,
        _ => After::Fail,
    }
}

fn cancelled() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "cancelled")
}

fn may_not_wait() -> io::Error {
    io::Error::other("the call would have to wait, which nothing may while its thread panics")
}

#[cold]
fn without_waiting(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    match operation.attempt(target.fd, Waiting::Refused) {
        Err(error) if is_pending(&error) && deadline != Deadline::Immediate => Err(may_not_wait()),
        answer => answer,
    }
}
