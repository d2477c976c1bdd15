//! The seam's driver: what a socket's blocking call means in a coroutine.
//!
//! It asks first whether the coroutine may still make calls, and leaves the rest to the reactor.
//! The worker's own code makes no blocking calls, but a `Drop` of somebody's may, where no
//! coroutine runs: such a call is tried once, and if it would have to wait it fails.

use std::io::{self, ErrorKind};
use std::time::Instant;

use socket::Deadline;
use socket::seam::{Buffer, Driver, Operation, Patience, Target, Waiting, Watch, is_pending};

use crate::memory::{Lent, Own};
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

    #[inline]
    fn recv(&self, target: Target<'_>, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        match self.caller_who_may(deadline) {
            Some(me) => self.reactor.recv(self, me, target, &mut Own(buffer), deadline),
            None => self.recv_specially(target, buffer, deadline),
        }
    }

    #[inline]
    fn recv_lent(
        &self,
        target: Target<'_>,
        buffer: &mut Option<Buffer>,
        deadline: Deadline,
        patience: Patience,
    ) -> io::Result<usize> {
        match self.caller_who_may(deadline) {
            Some(me) => {
                let dozes = patience == Patience::UntilIdle;
                if dozes {
                    self.scheduler.dozes.set(true);
                    me.dozes.set(true);
                }
                let mut lent = self.lent(buffer);
                let received = self.reactor.recv(self, me, target, &mut lent, deadline);
                me.dozes.set(false);
                received
            }
            None => {
                let buffer = &mut buffer.get_or_insert_with(|| self.stock.take())[..];
                self.recv_specially(target, buffer, deadline)
            }
        }
    }

    fn give_back(&self, buffer: Buffer) {
        self.stock.put(buffer);
    }

    #[inline]
    fn send(&self, target: Target<'_>, bytes: &[u8], deadline: Deadline) -> io::Result<usize> {
        match self.caller_who_may(deadline) {
            Some(me) => self.reactor.send(self, me, target, bytes, deadline),
            None => self.send_specially(target, bytes, deadline),
        }
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
    #[cold]
    #[inline(never)]
    fn send_specially(
        &self,
        target: Target<'_>,
        bytes: &[u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        self.perform(target, &mut Operation::Send { bytes, flags: 0 }, deadline)
    }

    #[cold]
    #[inline(never)]
    fn recv_specially(
        &self,
        target: Target<'_>,
        buffer: &mut [u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        self.perform(target, &mut Operation::Recv { buffer, flags: 0 }, deadline)
    }

    fn lent<'a>(&'a self, buffer: &'a mut Option<Buffer>) -> Lent<'a> {
        Lent { buffer, stock: &self.stock }
    }

    /// The running coroutine, where its call may be made at once and may wait.
    #[inline]
    fn caller_who_may(&self, deadline: Deadline) -> Option<SlotRef> {
        let me = self.scheduler.running()?;
        let waits = matches!(deadline, Deadline::Never | Deadline::After(_));
        (waits && !me.is_doomed()).then_some(me)
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
