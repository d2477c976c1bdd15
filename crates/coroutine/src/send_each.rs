//! Many sends of which none waits, made in one step: what one has to say to many.
//!
//! A message to a thousand connections is a thousand sends, each of them short, and on a ring the
//! larger part of each is the system call. So they are collected by whoever has them, and made
//! here; on epoll they are made by one call each, and to collect them is not worth it.
//!
//! What it deliberately does not do: wait for a socket that is full, and hold what is to be sent
//! for longer than the call.

use std::io;
use std::os::fd::BorrowedFd;

use socket::seam::try_send;

use crate::current;
use crate::reactor::Reactor;
use crate::reactor::uring::Uring;
use crate::slot::SlotRef;
use crate::worker::Core;

/// Whether [`send_each`] makes its sends together here, which is worth collecting them. True for a
/// coroutine on a ring.
#[must_use]
pub fn sends_together() -> bool {
    ring().is_some()
}

/// Makes each of `sends`, to different sockets, by one attempt that does not wait, and answers what
/// came of each, in their order: how many bytes were sent, or what
/// [`try_send`](socket::seam::try_send) says. It makes them all, and no other coroutine runs
/// meanwhile.
///
/// ```
/// use std::os::fd::AsFd;
///
/// use coroutine::send_each;
/// use socket::{Family, Socket, Type};
///
/// let pair = || Socket::pair(Family::UNIX, Type::STREAM, Default::default());
/// let (mine, theirs): (Vec<_>, Vec<_>) = [pair()?, pair()?].into_iter().unzip();
/// let sends: Vec<_> = mine.iter().map(|socket| (socket.as_fd(), &b"to all"[..])).collect();
/// assert!(send_each(&sends).into_iter().all(|sent| sent.is_ok_and(|count| count == 6)));
/// for socket in theirs {
///     socket.recv_exact(&mut [0; 6])?;
/// }
/// # std::io::Result::Ok(())
/// ```
#[must_use]
pub fn send_each(sends: &[(BorrowedFd<'_>, &[u8])]) -> Vec<io::Result<usize>> {
    match ring() {
        Some((core, me, uring)) => uring.send_each(core, me, sends),
        None => sends.iter().map(|(fd, bytes)| try_send(*fd, bytes)).collect(),
    }
}

/// The ring of the caller's worker, if the caller is a coroutine.
fn ring() -> Option<(&'static Core, SlotRef, &'static Uring)> {
    let (core, me) = current::here()?;
    match &core.reactor {
        Reactor::Uring(uring) if !std::thread::panicking() => Some((core, me, uring)),
        _ => None,
    }
}
