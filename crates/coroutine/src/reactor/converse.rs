//! A conversation's step over epoll: send the answer, wait, receive what comes next.
//!
//! This is what a server does all day, so it is written once more, by the shortest way: what is
//! asked at the beginning is not asked again, and everything that is not the usual case is left to
//! the other loops (`perform.rs`), which know all cases.
//!
//! What it deliberately does not do: wait in order to send.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use socket::Deadline;
use socket::seam::{Buffer, Driver, Patience, Target, try_recv, try_send};

use super::epoll::{Epoll, knows};
use crate::driver::{After, after, outcome};
use crate::slot::{DOZES, SlotRef, WaitsFor};
use crate::suspend::Resumed;
use crate::worker::Core;

impl Epoll {
    /// Sends `output` and receives, see [`converse`](crate::converse()). `me` may make calls, and
    /// its thread is not panicking.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "it is written once and inlined")]
    pub(crate) fn converse(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        output: &mut Vec<u8>,
        buffer: &mut Option<Buffer>,
        patience: Patience,
        otherwise: &mut Option<io::Result<usize>>,
    ) -> usize {
        if !output.is_empty() {
            match try_send(target.fd, output) {
                Ok(count) if count == output.len() => output.clear(),
                sent => return say(otherwise, sent_in_part(output, sent)),
            }
        }
        let entry = self.registrations.of(target.fd);
        // Only where an attempt would find nothing, as after every short message.
        if !(entry.drained.get() && knows(entry, target) && entry.waiters.is_empty()) {
            return say(otherwise, recv_in_full(core, target, buffer, patience));
        }
        if let Some(lent) = buffer.take() {
            core.stock.put(lent);
        }
        let waits_for = WaitsFor::Read(target.fd.as_raw_fd());
        let reads = entry.waiters.read(me);
        let dozes = if patience == Patience::UntilIdle { DOZES } else { 0 };
        let resumed = core.scheduler.park_now(me, waits_for, dozes);
        drop(reads);
        if resumed != Resumed::Woken {
            return say(otherwise, outcome(resumed).map(|()| 0));
        }
        let mut lent = core.stock.take();
        match try_recv(target.fd, &mut lent[..]) {
            Ok(count @ 1..) => {
                // The entry is still this socket's, which was open all the time.
                if count < lent.len() {
                    entry.note_short_read(target.fd);
                }
                // Its place is empty, see above. Saying so saves looking.
                mem::forget(buffer.replace(lent));
                count
            }
            answer => {
                core.stock.put(lent);
                say(otherwise, recv_on(core, target, buffer, patience, answer))
            }
        }
    }
}

/// Receives, whatever may be the case.
fn recv_in_full(
    core: &Core,
    target: Target<'_>,
    buffer: &mut Option<Buffer>,
    patience: Patience,
) -> io::Result<usize> {
    core.recv_lent(target, buffer, Deadline::Never, patience)
}

/// Goes on after a receive that found nothing.
#[cold]
#[inline(never)]
fn recv_on(
    core: &Core,
    target: Target<'_>,
    buffer: &mut Option<Buffer>,
    patience: Patience,
    answer: io::Result<usize>,
) -> io::Result<usize> {
    match answer {
        Err(error) if after(&error) != After::Fail => recv_in_full(core, target, buffer, patience),
        answer => answer,
    }
}

/// What was not all.
#[cold]
#[inline(never)]
fn sent_in_part(output: &mut Vec<u8>, sent: io::Result<usize>) -> io::Result<usize> {
    match sent {
        Ok(count) => drop(output.drain(..count)),
        Err(error) if after(&error) == After::Fail => return Err(error),
        Err(_) => {}
    }
    Ok(0)
}

/// Says what happened otherwise.
#[cold]
#[inline(never)]
fn say(otherwise: &mut Option<io::Result<usize>>, answer: io::Result<usize>) -> usize {
    *otherwise = Some(answer);
    0
}
