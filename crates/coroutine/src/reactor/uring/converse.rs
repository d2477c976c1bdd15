//! A conversation's step on a ring: the answer and the wait for what comes next, handed over as two
//! entries for which the coroutine is suspended once.
//!
//! ```text
//!   send, which does not wait ─┐            ┌─ all sent: no completion
//!   receive ───────────────────┴─► park ═══►├─ received ─► bytes
//!                                           └─ cut short ─► the receive is cancelled, both tell
//! ```
//! Both are submitted by the `enter` that the loop makes anyway, in this order, and the kernel
//! sends then and there, since the send may not wait (`MSG_DONTWAIT`). So a message costs no
//! system call of its own, with one connection as with a thousand. A send completes only if it was
//! not all (`MSG_WAITALL`, `IOSQE_CQE_SKIP_SUCCESS`): otherwise each would end the loop's sleep.
//! That it does so then is a part of the test that every ring passes (`probe.rs`), because bytes
//! would be missing if it did not. When the receive is over, so is the send, which was submitted
//! before it.
//!
//! What it deliberately does not do: wait in order to send.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use io_uring::opcode::{Recv, Send};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use socket::Deadline;
use socket::seam::{BUFFER_BYTES, Buffer, Operation, Patience, Target, try_send};

use super::Uring;
use super::buffers::GROUP;
use super::messages::{History, POLL_FIRST, SHORT, note, restock};
use super::operations::Operations;
use super::perform::{Next, Over, is_put_off};
use crate::clock::NEVER;
use crate::driver::{After, after};
use crate::memory::{Lent, Memory};
use crate::slot::{SlotRef, WaitsFor};
use crate::suspend::Resumed;
use crate::worker::Core;

impl Uring {
    /// Sends `output` and receives, see [`converse`](crate::converse()). `me` may make calls, and
    /// its thread is not panicking.
    #[inline(never)]
    pub(crate) fn converse(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        output: &mut Vec<u8>,
        (buffer, patience): (&mut Option<Buffer>, Patience),
        otherwise: &mut Option<io::Result<usize>>,
    ) -> usize {
        let dozes = patience == Patience::UntilIdle;
        if dozes {
            core.scheduler.dozes.set(true);
            me.dozes.set(true);
        }
        let memory = &mut Lent { buffer, stock: &core.stock };
        let answer = self.conversed(core, me, target, output, memory);
        me.dozes.set(false);
        match answer {
            Some(Ok(count)) if output.is_empty() && count > 0 => count,
            answer => {
                *otherwise = answer;
                0
            }
        }
    }

    /// The same; `None` in a forked child.
    #[inline(always)]
    fn conversed(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        output: &mut Vec<u8>,
        memory: &mut Lent<'_>,
    ) -> Option<io::Result<usize>> {
        let history = History::of(target);
        let usual = history.emptied && !history.large && (1..=SHORT).contains(&output.len());
        let (Some((slot, stock)), Some(shelf), true) = (memory.slot(), &self.shelf, usual) else {
            return self.converse_in_turn(core, me, target, output, memory);
        };
        restock(slot, stock, shelf);
        let Some(Over { outcome, asked }) = self.run_both(core, me, target, output) else {
            return self.converse_in_turn(core, me, target, output, memory);
        };
        if let Some(place) = io_uring::cqueue::buffer_select(outcome.flags) {
            *slot = shelf.take(place);
        }
        core.scheduler.give_in(me);
        match me.handed.cut.get() {
            None => output.clear(),
            Some(result) => {
                if let Err(error) = take_sent(output, result) {
                    return Some(Err(error));
                }
            }
        }
        match usize::try_from(outcome.result) {
            Ok(count @ 1..) if slot.is_some() => {
                note(target, outcome, count, BUFFER_BYTES);
                Some(Ok(count))
            }
            // Whoever sends the rest asks for what comes afterwards.
            _ if !output.is_empty() => Some(Ok(0)),
            _ => Some(self.received_otherwise(core, me, target, memory, Over { outcome, asked })),
        }
    }

    /// Hands both over, and waits until both are over. `None`: not now.
    #[inline(always)]
    fn run_both(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        output: &[u8],
    ) -> Option<Over> {
        // What a test has fail, fails by the calls.
        if !matches!(is_put_off(&Operation::Send { bytes: output, flags: 0 }), Ok(false)) {
            return None;
        }
        let (fd, word) = (target.fd.as_raw_fd(), Operations::next(me));
        let send = all_or_a_word(fd, output).user_data(Operations::sent_with(word));
        let recv = Recv::new(Fd(fd), ptr::null_mut(), BUFFER_BYTES as u32).ioprio(POLL_FIRST);
        let recv = recv.buf_group(GROUP).build().flags(Flags::BUFFER_SELECT).user_data(word);
        // SAFETY: the kernel reads `output`, which is borrowed until this returns: when the receive
        // is over, and before that the send. The receive points to nothing; the buffers of the
        // shelf are the kernel's.
        unsafe { self.ring.push_both(&[send, recv]) }.ok()?;
        self.operations.handed_over(me);
        me.handed.cut.set(None);
        let asked = core.scheduler.park_pinned(me, NEVER, WaitsFor::Read(fd));
        match Operations::own_outcome(me) {
            Some(outcome) => Some(Over { outcome, asked: Resumed::Woken }),
            None => Some(self.run_both_on(core, me, word, asked)),
        }
    }

    /// Woken before the receive is over: by a send that was not all, or by something else.
    #[cold]
    #[inline(never)]
    fn run_both_on(&self, core: &Core, me: SlotRef, word: u64, mut asked: Resumed) -> Over {
        while asked == Resumed::Woken && me.handed.cut.get().is_none() {
            asked = core.scheduler.park_pinned(me, NEVER, WaitsFor::Another);
            if let Some(outcome) = Operations::own_outcome(me) {
                return Over { outcome, asked: Resumed::Woken };
            }
        }
        Over { outcome: self.end_own(core, me, word), asked }
    }

    /// What a receive came to that brought no bytes.
    #[cold]
    #[inline(never)]
    fn received_otherwise(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        memory: &mut Lent<'_>,
        over: Over,
    ) -> io::Result<usize> {
        match over.next()? {
            Next::Done(count) => Ok(count),
            _ => self.recv_unchosen(core, me, target, memory, (over.outcome, NEVER)),
        }
    }

    /// The same by two calls.
    #[inline(never)]
    fn converse_in_turn(
        &self,
        core: &Core,
        me: SlotRef,
        target: Target<'_>,
        output: &mut Vec<u8>,
        memory: &mut Lent<'_>,
    ) -> Option<io::Result<usize>> {
        if !self.ring.is_ours() {
            return None;
        }
        if !output.is_empty() {
            match try_send(target.fd, output) {
                Ok(count) if count == output.len() => output.clear(),
                Ok(count) => drop(output.drain(..count)),
                Err(error) if after(&error) == After::Fail => return Some(Err(error)),
                Err(_) => {}
            }
            if !output.is_empty() {
                return Some(Ok(0));
            }
        }
        Some(self.recv(core, me, target, memory, Deadline::Never))
    }
}

/// A send of `bytes` that completes only if not all of them were sent.
#[inline]
pub(super) fn all_or_a_word(fd: RawFd, bytes: &[u8]) -> Entry {
    const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL;
    let send = Send::new(Fd(fd), bytes.as_ptr(), bytes.len() as u32).flags(FLAGS);
    send.build().flags(Flags::SKIP_SUCCESS)
}

/// Takes out of the output what was sent, by the kernel's word.
#[cold]
fn take_sent(output: &mut Vec<u8>, sent: i32) -> io::Result<()> {
    match usize::try_from(sent) {
        Ok(count) => drop(output.drain(..count.min(output.len()))),
        Err(_) => {
            let error = io::Error::from_raw_os_error(-sent);
            let cancelled = error.raw_os_error() == Some(libc::ECANCELED);
            if !cancelled && after(&error) == After::Fail {
                return Err(error);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_is_taken_out() {
        let mut output = b"answer".to_vec();
        take_sent(&mut output, 2).unwrap();
        assert_eq!(output, b"swer");
        for nothing in [libc::EAGAIN, libc::EINTR, libc::ECANCELED] {
            take_sent(&mut output, -nothing).unwrap();
        }
        assert_eq!(
            take_sent(&mut output, -libc::EPIPE).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        assert_eq!(output, b"swer");
    }
}
