//! One attempt of an operation that never blocks the thread.
//!
//! For most operations the kernel has a flag (`MSG_DONTWAIT`). It has none for these, which look at
//! the open file's `O_NONBLOCK`; and that flag is everybody's who shares the file, in this process
//! and in others:
//!
//! | operation | on a blocking file |
//! |---|---|
//! | accept | asked by `poll(2)` first; then with the flag set for the one call |
//! | connect (stream) | with the flag set for the one call |
//! | sendfile, splice into a socket | with the flag set for the one call |
//! | splice out of a socket | asked by `poll(2)` first |
//!
//! Setting it is under a lock of the process, chosen by the file's inode, so that two workers never
//! take each other's flag away in the middle. For those microseconds others see it: a call of this
//! house's thread driver copes, and waits. A foreign program that blocks in a call on the *same*
//! open file (a listener inherited by another process, say) could see one `EAGAIN`; and one that
//! does as we do, in another process, could take the flag away, so that our call waits for the next
//! connection, and so do the forks of this process. **So give a listener that is shared between
//! processes `O_NONBLOCK` for good**: then nothing is set and nothing is asked first. A socket that
//! knows this of itself is not even locked; and for `sendfile`, on a connection, it is believed: a
//! program that has been given the socket and takes the flag away makes the worker wait in the
//! call.
//!
//! The other way, to ask by `poll(2)` and to hope, stops every coroutine of the worker when another
//! acceptor is quicker; and the kernel's time limits are as visible, and last longer.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{OFlags, fcntl_getfl, fstat};
use rustix::io::ioctl_fionbio;
use socket::process::hold_forks;
use socket::seam::{Operation, Target, Waiting};

/// Attempts `operation` once, or again where a signal came between.
#[inline]
pub(crate) fn attempt(target: Target<'_>, operation: &mut Operation<'_>) -> io::Result<usize> {
    let answer = match operation {
        Operation::Recv { .. } | Operation::Send { .. } => {
            operation.attempt(target.fd, Waiting::Refused)
        }
        _ => attempt_rarer(target, operation),
    };
    match answer {
        Err(error) => after_error(target, operation, error),
        done => done,
    }
}

/// The error of an attempt, unless it only was interrupted.
#[inline(never)]
fn after_error(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    error: io::Error,
) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::Interrupted => attempt(target, operation),
        _ => Err(error),
    }
}

/// The others, out of the way of the two that every message takes.
#[inline(never)]
fn attempt_rarer(target: Target<'_>, operation: &mut Operation<'_>) -> io::Result<usize> {
    match operation {
        Operation::Accept { .. }
        | Operation::Connect { .. }
        | Operation::SendFile { .. }
        | Operation::SpliceOut { .. } => attempt_by_file(target, operation),
        _ => operation.attempt(target.fd, Waiting::Refused),
    }
}

/// One of those that look at the open file.
#[inline(never)]
fn attempt_by_file(target: Target<'_>, operation: &mut Operation<'_>) -> io::Result<usize> {
    let fd = target.fd;
    match operation {
        // Nearly always it is this worker's alone. Asking would be a fortieth of what a page costs.
        Operation::SendFile { .. } if target.is_nonblocking() => {
            operation.attempt(fd, Waiting::Allowed)
        }
        // Asked again, since it is everybody's: one who takes it away at this very moment is the
        // foreign program above.
        _ if target.is_nonblocking() && is_nonblocking(fd)? => {
            operation.attempt(fd, Waiting::Allowed)
        }
        Operation::Connect { begun: true, .. } => operation.attempt(target.fd, Waiting::Refused),
        Operation::Accept { .. } if !is_nonblocking(fd)? => {
            // Asks; on a blocking file this alone could still wait, so the call itself is below.
            Operation::Ready(operation.interest()).attempt(fd, Waiting::Refused)?;
            without_blocking(fd, operation)
        }
        _ => without_blocking(fd, operation),
    }
}

/// Makes the call while the open file does not block.
fn without_blocking(fd: BorrowedFd<'_>, operation: &mut Operation<'_>) -> io::Result<usize> {
    let inode = fstat(fd)?.st_ino;
    // A forked child finds the lock open.
    let forks = hold_forks();
    let lock = &LOCKS[inode as usize % LOCKS.len()];
    let locked = lock.lock().unwrap_or_else(PoisonError::into_inner);
    if is_nonblocking(fd)? {
        // It is so for good: whoever sets it for a call holds the lock.
        drop((locked, forks));
        return operation.attempt(fd, Waiting::Allowed);
    }
    ioctl_fionbio(fd, true)?;
    let answer = operation.attempt(fd, Waiting::Allowed);
    ioctl_fionbio(fd, false)?;
    answer
}

fn is_nonblocking(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(fcntl_getfl(fd)?.contains(OFlags::NONBLOCK))
}

/// Two files that share a lock only wait for each other's calls.
static LOCKS: [Mutex<()>; 64] = [const { Mutex::new(()) }; 64];
