//! The short way of a conversation: what was written is sent, and the next bytes are received, in
//! one step of the thread's driver.
//!
//! ```text
//!   refill ─┬─ short ─► begin to wait ─► converse: send, park, receive ─► go on ─► bytes
//!           │                                │ not all of it, an end, an error
//!           └─ long ──► flush ─► begin to wait ─► receive ─► go on ◄┘
//! ```
//! It promises what the long way promises, because what it leaves out cannot be so: a connection
//! goes it when it has received something by the long way, and no longer when anything changes that
//! would matter ([`Connection::go_the_long_way`]). The wait begins before the answer is sent, not
//! after, which nobody can tell apart, since this sending never waits. Answers that together are
//! more than a connection's own buffer holds are sent first, so that nobody waits with a lent one,
//! and what is left of the short way follows.

use std::io;

use socket::Interest;

use super::Connection;
use super::buffers::OWN_BYTES;
use crate::waiting::{Ending, Waiting};

/// By which way a connection receives next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// In steps.
    Long,
    /// In one.
    Short,
    /// In one, once what was written has been sent and its buffer given back: it is one that is
    /// not the connection's own, and nobody waits with such a one.
    ShortAfterSending,
    /// In steps, because whoever drives the thread has no other way.
    AlwaysLong,
}

impl Connection {
    /// Fills the input buffer, which is empty, by the short way. False: that was not all, and
    /// [`refill_otherwise`](Self::refill_otherwise) knows what became of it.
    #[inline(always)]
    pub(super) fn converse(&mut self, waiting: Waiting) -> bool {
        if self.pace != Pace::Short {
            return false;
        }
        let (words, state, written) = (self.link.words(), self.running.state(), self.output.len());
        let until = self.clocks.until_idle(state.horizon());
        self.waits = self.waits.wrapping_add(1);
        words.wait(waiting, until, self.waits);
        let mut count = 0;
        if let Some(socket) = &self.link.socket
            && !state.is_draining()
        {
            let target = socket.watch(Interest::READ).target;
            let patience = self.patience(waiting);
            let (output, input, otherwise) =
                (&mut self.output, &mut self.input.lent, &mut self.refilled);
            count = coroutine::converse(target, output, input, patience, otherwise);
        }
        let ending = words.resume();
        // Something was received, so all was sent. Who is cut off is let go, too.
        if count > 0 && ending.is_none() {
            self.sent += written as u64;
            self.received += count as u64;
            (self.input.position, self.input.end) = (0, count);
            return true;
        }
        self.converse_on(waiting, count, ending, until, written);
        false
    }

    /// Fills the input buffer after the short way did not, and answers how much is in it then.
    #[inline(never)]
    pub(super) fn refill_otherwise(&mut self, waiting: Waiting) -> io::Result<usize> {
        if self.pace == Pace::ShortAfterSending {
            self.send_output()?;
            self.pace = Pace::Short;
            if self.converse(waiting) {
                return Ok(self.input.len());
            }
        }
        match self.refilled.take() {
            Some(refilled) => refilled,
            None => self.refill_in_steps(waiting),
        }
    }

    /// After the short way where that was not all.
    #[cold]
    #[inline(never)]
    fn converse_on(
        &mut self,
        waiting: Waiting,
        count: usize,
        ending: Option<Ending>,
        until: u64,
        written: usize,
    ) {
        let answer = if count > 0 { Some(Ok(count)) } else { self.refilled.take() };
        self.refilled = Some(self.refilled_by(waiting, answer, ending, until, written));
    }

    fn refilled_by(
        &mut self,
        waiting: Waiting,
        answer: Option<io::Result<usize>>,
        ending: Option<Ending>,
        until: u64,
        written: usize,
    ) -> io::Result<usize> {
        self.pace = match answer {
            None if !self.draining() => Pace::AlwaysLong,
            _ => Pace::Long,
        };
        (self.input.position, self.input.end) = (0, 0);
        self.sent += (written - self.output.len()) as u64;
        let answer = match answer {
            Some(answer) if self.output.is_empty() => answer,
            Some(Err(error)) => {
                self.output.clear();
                return self.end_send(Err(error), 0, "write").map(|()| 0);
            }
            // Received although not all was sent.
            Some(Ok(count @ 1..)) => {
                self.flush_all()?;
                Ok(count)
            }
            // Nothing was received. Where the wait was ended, that is what it came to.
            _ if ending.is_none() => return self.refill_in_steps(waiting),
            _ => {
                self.flush_all()?;
                Ok(0)
            }
        };
        self.input.end = match answer {
            Ok(count @ 1..) if ending.is_none() && !self.link.is_cut() => {
                self.received += count as u64;
                count
            }
            answer => self.end_receive_otherwise(answer, ending, until)?,
        };
        Ok(self.input.end)
    }

    /// After something was received by the long way: whether the short one will do.
    pub(super) fn choose_pace(&mut self) {
        let short = self.received > 0
            && !self.ended
            && self.sending.is_none()
            && self.clocks.is_endless()
            && !self.running.message_events
            && !self.site.messages
            && self.output.capacity() <= OWN_BYTES
            && self.link.socket.is_some();
        self.pace = match self.pace {
            Pace::AlwaysLong => Pace::AlwaysLong,
            _ if short => Pace::Short,
            _ => Pace::Long,
        };
    }

    /// Something has changed that the short way takes no notice of.
    pub(super) fn go_the_long_way(&mut self) {
        if matches!(self.pace, Pace::Short | Pace::ShortAfterSending) {
            self.pace = Pace::Long;
        }
    }

    /// What is written is no longer in a buffer of the connection's own.
    pub(super) fn send_first(&mut self) {
        if self.pace == Pace::Short {
            self.pace = Pace::ShortAfterSending;
        }
    }
}
