//! A step of a conversation: send the answer, wait, receive what comes next, in one call.
//!
//! It is what a server does all day. The two calls of a socket pass the seam once each, for any
//! driver; this one is of the coroutines, and a caller that finds it of no use makes the two calls.

use std::io;

use socket::seam::{Buffer, Patience, Target};

use crate::current;
use crate::reactor::Reactor;

/// Sends all of `output`, and then receives as
/// [`seam::recv_lent`](socket::seam::recv_lent) does, without a deadline. What has been sent is
/// taken out of `output`. Answers how many bytes have been received; or zero, and then `otherwise`,
/// which is to be `None` at first, tells what happened:
///
/// * `Some` with something left in `output`: not all could be sent, for which it never waits. An
///   error is that of `send(2)`; more than zero is what was received all the same, as it may be
///   where both are handed over together.
/// * `Some` else: what `recv_lent` came to, zero at the end of the input.
/// * `None`: nothing has been done, since the caller is no coroutine or one that may not wait.
#[inline(always)]
pub fn converse(
    target: Target<'_>,
    output: &mut Vec<u8>,
    buffer: &mut Option<Buffer>,
    patience: Patience,
    otherwise: &mut Option<io::Result<usize>>,
) -> usize {
    let Some(core) = current::driving() else { return 0 };
    let Some(me) = core.scheduler.running() else { return 0 };
    if me.is_doomed() || std::thread::panicking() {
        return 0;
    }
    match &core.reactor {
        Reactor::Epoll(epoll) => {
            epoll.converse(core, me, target, output, buffer, patience, otherwise)
        }
        Reactor::Uring(uring) => {
            uring.converse(core, me, target, output, (buffer, patience), otherwise)
        }
    }
}
