//! The driver of a plain thread: it sleeps in the kernel.
//!
//! Without a deadline a call is just the system call. With one, the cheapest way to wait depends
//! on the call:
//!
//! * **receive, accept**: mostly wait. The kernel is given the limit once (`SO_RCVTIMEO`), and each
//!   call is then a single system call that ends early by itself. Asking `poll(2)` first would
//!   double the calls of a server. The limit is only ever *lowered*, so a value read here is never
//!   below what the kernel has, and no second thread on the same socket can make a call overstay.
//!   A call that has more time than the kernel's limit waits out the rest in `poll`.
//! * **send**: mostly does not wait. Tried without waiting, then `poll`.
//! * **sendfile, splice into a socket**: have no flag that forbids them to wait, so the kernel's
//!   send limit (`SO_SNDTIMEO`) bounds the wait. It is set for the call and taken back after it.
//! * **connect**: the same limit covers the handshake, on Unix sockets also a full backlog, which
//!   no poll could report.
//!
//! The descriptor's `O_NONBLOCK` is never touched: it belongs to everyone who shares the file.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use std::sync::atomic::Ordering::Relaxed;

use crate::deadline::Deadline;
use crate::options;
use crate::poll::{Poll, poll};
use crate::seam::{Operation, Target, Waiting, Watch, is_pending};

/// Below this a receive limit is not worth giving to the kernel, which would keep it for good.
const SHORT: Duration = Duration::from_millis(20);

/// Performs an operation by blocking the thread.
#[inline]
pub(crate) fn perform(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    match deadline {
        Deadline::Never => match operation.attempt(target.fd, Waiting::Allowed) {
            Err(error) => go_on(target, operation, error),
            done => done,
        },
        limited => within(target, operation, limited),
    }
}

/// Performs an operation that may not take as long as it likes.
#[inline(never)]
fn within(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    match deadline {
        Deadline::Immediate => loop {
            match operation.attempt(target.fd, Waiting::Refused) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                answer => return answer,
            }
        },
        // A send rarely has to wait, and one that does not needs no clock.
        Deadline::After(_) if matches!(operation, Operation::Send { .. }) => {
            match operation.attempt(target.fd, Waiting::Refused) {
                Err(error) if is_pending(&error) => until(target, operation, deadline),
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    until(target, operation, deadline)
                }
                done => done,
            }
        }
        _ => until(target, operation, deadline),
    }
}

/// Waits for several at once.
pub(crate) fn wait_any(watches: &mut [Watch<'_>], deadline: Deadline) -> io::Result<()> {
    let mut polls: Vec<Poll<'_>> =
        watches.iter().map(|watch| Poll::new(watch.target.fd, watch.interest)).collect();
    if poll(&mut polls, deadline)? == 0 {
        return Err(match deadline {
            Deadline::Immediate => ErrorKind::WouldBlock.into(),
            _ => ErrorKind::TimedOut.into(),
        });
    }
    for (watch, poll) in watches.iter_mut().zip(&polls) {
        watch.ready = poll.ready.read || poll.ready.write;
    }
    Ok(())
}

/// Blocks the thread until the deadline.
pub(crate) fn sleep(deadline: Deadline) {
    match deadline.remaining() {
        Some(wait) => std::thread::sleep(wait),
        None => loop {
            std::thread::park();
        },
    }
}

/// After a first attempt without a deadline failed: waits and tries again where that can help.
#[cold]
pub(crate) fn go_on(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    mut error: io::Error,
) -> io::Result<usize> {
    loop {
        // Pending: the file is non-blocking, the kernel's receive limit ended the call, or a
        // signal interrupted a connect.
        if is_pending(&error) {
            operation.interest().wait(target.fd, None)?;
        } else if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
        match operation.attempt(target.fd, Waiting::Allowed) {
            Err(again) => error = again,
            done => return done,
        }
    }
}

/// Performs an operation that has to end at some moment.
fn until(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    let now = Instant::now();
    let (end, mut left) = match deadline {
        Deadline::At(moment) => (moment, moment.saturating_duration_since(now)),
        Deadline::After(wait) => match now.checked_add(wait) {
            Some(moment) => (moment, wait),
            None => return perform(target, operation, Deadline::Never),
        },
        Deadline::Never | Deadline::Immediate => return perform(target, operation, deadline),
    };
    if left.is_zero() && matches!(deadline, Deadline::At(_)) {
        return Err(ErrorKind::TimedOut.into());
    }
    match operation {
        Operation::Connect { .. } => return connect(target, operation, end, left),
        Operation::SendFile { .. } | Operation::SpliceOut { .. } => {
            return transfer(target, operation, end, left);
        }
        _ => {}
    }
    loop {
        let waiting = match kernel_ends_it(target, operation, left)? {
            true => Waiting::Allowed,
            false => Waiting::Refused,
        };
        match operation.attempt(target.fd, waiting) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                left = end.saturating_duration_since(Instant::now());
            }
            Err(error) if is_pending(&error) => {
                left = end.saturating_duration_since(Instant::now());
                if left.is_zero() || !operation.interest().wait(target.fd, Some(left))? {
                    return Err(ErrorKind::TimedOut.into());
                }
                left = end.saturating_duration_since(Instant::now());
            }
            answer => return answer,
        }
    }
}

/// Whether a waiting attempt is sure to end within `left`, because the kernel has a limit. Gives
/// the kernel one if need be.
fn kernel_ends_it(
    target: Target<'_>,
    operation: &Operation<'_>,
    left: Duration,
) -> io::Result<bool> {
    match operation {
        Operation::Accept { .. } => {}
        Operation::Recv { .. }
        | Operation::RecvFrom { .. }
        | Operation::RecvMsg(_)
        | Operation::RecvMmsg { .. }
        | Operation::SpliceIn { .. }
            if left >= SHORT => {}
        _ => return Ok(false),
    }
    let milliseconds = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1);
    let limit = target.kernel_limit().load(Relaxed);
    if limit == 0 || limit > milliseconds {
        let wait = Duration::from_millis(milliseconds.into());
        options::set_kernel_limit(target.fd, options::Direction::Receive, wait)?;
        target
            .kernel_limit()
            .fetch_update(Relaxed, Relaxed, |old| {
                (old == 0 || old > milliseconds).then_some(milliseconds)
            })
            .ok();
    }
    Ok(true)
}

/// A connect with a limit. On a non-blocking descriptor the kernel's limit does nothing, and the
/// wait is a poll.
fn connect(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    end: Instant,
    left: Duration,
) -> io::Result<usize> {
    let mut answer = attempt_under_send_limit(target, operation, left)?;
    loop {
        match answer {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                answer = attempt_under_send_limit(target, operation, left)?;
                continue;
            }
            Err(error) if is_pending(&error) => {}
            done => return done,
        }
        let begun = matches!(operation, Operation::Connect { begun: true, .. });
        let left = end.saturating_duration_since(Instant::now());
        if !begun {
            // A full Unix backlog outlasted the limit, and no poll tells of room in it. The kernel
            // counts that limit in ticks, and may have been a few early.
            std::thread::sleep(left);
            return Err(ErrorKind::TimedOut.into());
        }
        if left.is_zero() || !operation.interest().wait(target.fd, Some(left))? {
            return Err(ErrorKind::TimedOut.into());
        }
        answer = operation.attempt(target.fd, Waiting::Refused);
    }
}

/// A sendfile or splice with a limit. The kernel applies its limit to each 64 KiB of such a call,
/// so a caller that wants its deadline kept asks for no more than that.
fn transfer(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    end: Instant,
    mut left: Duration,
) -> io::Result<usize> {
    loop {
        match attempt_under_send_limit(target, operation, left)? {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_pending(&error) => {
                left = end.saturating_duration_since(Instant::now());
                if left.is_zero() || !operation.interest().wait(target.fd, Some(left))? {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            answer => return answer,
        }
        left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// One attempt that the kernel ends after `left`. The outer error is that it cannot be told so.
fn attempt_under_send_limit(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    left: Duration,
) -> io::Result<io::Result<usize>> {
    let wait = left.max(Duration::from_millis(1));
    options::set_kernel_limit(target.fd, options::Direction::Send, wait)?;
    let answer = operation.attempt(target.fd, Waiting::Allowed);
    options::set_kernel_limit(target.fd, options::Direction::Send, Duration::ZERO)?;
    Ok(answer)
}
