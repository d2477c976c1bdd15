//! `sendfile(2)` and `splice(2)`: bytes that move inside the kernel.
//!
//! Neither has a flag against SIGPIPE, which `send(2)` has, so each call here keeps the signal away
//! by itself. A process that ignores SIGPIPE, as Rust programs do, pays one look at that; in any
//! other the signal is blocked in this thread for the call, and taken back if the call raised it.
//! A driver's thread is [sheltered](Sheltered) for good and pays nothing.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::{check, check_size};

/// `sendfile(2)` from `offset` on; the file's own position stays.
pub(crate) fn sendfile(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    count: usize,
) -> io::Result<usize> {
    let too_far = |_| io::Error::from_raw_os_error(libc::EOVERFLOW);
    let mut offset = libc::off64_t::try_from(offset).map_err(too_far)?;
    let (to, from) = (socket.as_raw_fd(), file.as_raw_fd());
    without_sigpipe(|| {
        // SAFETY: takes integers and `offset`, which outlives the call.
        check_size(unsafe { libc::sendfile64(to, from, &raw mut offset, count) })
    })
}

/// `splice(2)`, of which one side is a pipe and the other a socket.
pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, count: usize) -> io::Result<usize> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    without_sigpipe(|| {
        // SAFETY: takes integers; null offsets mean that neither side is a file.
        check_size(unsafe { libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), count, 0) })
    })
}

/// Runs a call that may raise SIGPIPE in this thread so that the program does not see it.
fn without_sigpipe(call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    if SHELTERED.get() || is_ignored(libc::SIGPIPE) {
        return call();
    }
    let sigpipe = set_of(libc::SIGPIPE);
    let before = mask(libc::SIG_BLOCK, &sigpipe);
    let was_pending = is_pending(libc::SIGPIPE);
    let answer = call();
    let raised = matches!(&answer, Err(error) if error.raw_os_error() == Some(libc::EPIPE));
    if raised && !was_pending {
        take_back(&sigpipe);
    }
    mask(libc::SIG_SETMASK, &before);
    answer
}

thread_local! {
    static SHELTERED: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, its thread blocks SIGPIPE. One raised meanwhile is taken back in the end.
#[derive(Debug)]
pub(crate) struct Sheltered {
    /// The mask before; none where an outer one does it.
    before: Option<libc::sigset_t>,
    was_pending: bool,
    /// A mask is its thread's.
    _thread: PhantomData<*const ()>,
}

impl Sheltered {
    pub(crate) fn new() -> Sheltered {
        let before =
            (!SHELTERED.replace(true)).then(|| mask(libc::SIG_BLOCK, &set_of(libc::SIGPIPE)));
        Sheltered { before, was_pending: is_pending(libc::SIGPIPE), _thread: PhantomData }
    }
}

impl Drop for Sheltered {
    fn drop(&mut self) {
        let Some(before) = &self.before else { return };
        if !self.was_pending && is_pending(libc::SIGPIPE) {
            take_back(&set_of(libc::SIGPIPE));
        }
        SHELTERED.set(false);
        // Not the whole mask as it was: other signals of it are others'.
        // SAFETY: `before` is an initialised signal set.
        if unsafe { libc::sigismember(before, libc::SIGPIPE) } == 0 {
            mask(libc::SIG_UNBLOCK, &set_of(libc::SIGPIPE));
        }
    }
}

fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action changes nothing; the old one is written to `action`.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all-zero bytes were a valid `sigaction` before the call, whatever it wrote.
    let action = unsafe { action.assume_init() };
    answer == 0 && action.sa_sigaction == libc::SIG_IGN
}

fn set_of(signal: i32) -> libc::sigset_t {
    let mut set = empty_set();
    // SAFETY: `set` is an initialised signal set, `signal` one the system has.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    set
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `set` has the room that the call initialises.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: it has just been initialised.
    unsafe { set.assume_init() }
}

/// Changes this thread's mask and answers the one before.
fn mask(how: i32, set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = empty_set();
    // SAFETY: both sets are initialised and outlive the call; `how` is one the system has, the
    // only thing for which the call can fail.
    unsafe { libc::pthread_sigmask(how, set, &raw mut before) };
    before
}

fn is_pending(signal: i32) -> bool {
    let mut pending = empty_set();
    // SAFETY: `pending` has room for the set that the call writes.
    unsafe { libc::sigpending(&raw mut pending) };
    // SAFETY: `pending` is an initialised signal set.
    unsafe { libc::sigismember(&raw const pending, signal) == 1 }
}

/// Takes a pending signal of `set`, of which there is one unless someone else has taken it.
fn take_back(set: &libc::sigset_t) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: set and time outlive the call, which waits for nothing; no details are asked for.
    let taken = unsafe { libc::sigtimedwait(set, ptr::null_mut(), &raw const at_once) };
    // An error says that nothing was pending, which is what is wanted.
    let _ = check(taken);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Family, Protocol, Socket, Type};
    use std::os::fd::AsFd;

    /// Without the care taken here the test process would die of the signal.
    #[test]
    fn a_peer_that_is_gone_is_an_error_and_never_a_signal() {
        // SAFETY: the default action replaces whatever was there, no handler of ours is involved.
        let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        assert!(!is_ignored(libc::SIGPIPE));
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Protocol::DEFAULT).unwrap();
        drop(right);
        for _ in 0..2 {
            let error = sendfile(left.as_fd(), file.as_fd(), 0, 4096).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
        }
        assert!(!is_pending(libc::SIGPIPE));
        let (sheltered, inner) = (Sheltered::new(), Sheltered::new());
        drop(inner);
        let error = sendfile(left.as_fd(), file.as_fd(), 0, 4096).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
        assert!(is_pending(libc::SIGPIPE), "nothing was asked, and it waits");
        drop(sheltered);
        assert!(!is_pending(libc::SIGPIPE) && !SHELTERED.get());
        let error = sendfile(left.as_fd(), file.as_fd(), 0, 4096).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
        // SAFETY: puts back what was there.
        unsafe { libc::signal(libc::SIGPIPE, before) };
        assert!(is_ignored(libc::SIGPIPE), "Rust programs ignore it");
    }
}
