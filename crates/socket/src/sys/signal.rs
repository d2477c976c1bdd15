//! The signal handler itself, and what it may touch: atomics and `write(2)`, nothing else.
//!
//! `signal-safety(7)` lists the calls a handler may make; `write` is among them. The handler saves
//! and restores `errno`, since it may run between a failed call and the look at its error.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::check;

/// The descriptors that tell of requests to stop. They live as long as the process.
#[derive(Debug)]
pub(crate) struct Handlers {
    pub(crate) first: OwnedFd,
    pub(crate) second: OwnedFd,
}

impl Handlers {
    pub(crate) fn new() -> io::Result<Handlers> {
        Ok(Handlers { first: eventfd()?, second: eventfd()? })
    }
}

/// The handler's copies of what it needs; -1 and 0 until there is something.
static FIRST_FD: AtomicI32 = AtomicI32::new(-1);
static SECOND_FD: AtomicI32 = AtomicI32::new(-1);
static FIRST_SIGNAL: AtomicI32 = AtomicI32::new(0);
static HANG_UP_FD: AtomicI32 = AtomicI32::new(-1);

/// The number of the first signal that came.
pub(crate) fn first_signal() -> Option<i32> {
    match FIRST_SIGNAL.load(SeqCst) {
        0 => None,
        signal => Some(signal),
    }
}

/// Takes SIGTERM and SIGINT.
pub(crate) fn install(handlers: &'static Handlers) -> io::Result<()> {
    FIRST_FD.store(handlers.first.as_raw_fd(), SeqCst);
    SECOND_FD.store(handlers.second.as_raw_fd(), SeqCst);
    take(libc::SIGTERM)?;
    take(libc::SIGINT)?;
    let_through(&[libc::SIGTERM, libc::SIGINT])
}

/// Takes signals out of the calling thread's mask.
fn let_through(signals: &[i32]) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigset_t`: integers.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is ours to write.
    check(unsafe { libc::sigemptyset(&raw mut set) })?;
    for signal in signals {
        // SAFETY: `set` is initialised and ours to write.
        check(unsafe { libc::sigaddset(&raw mut set, *signal) })?;
    }
    // SAFETY: `set` is initialised and outlives the call, and nobody asks for the mask before it.
    match unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Takes SIGHUP: each one is written to `told`.
pub(crate) fn install_hang_up(told: &'static OwnedFd) -> io::Result<()> {
    HANG_UP_FD.store(told.as_raw_fd(), SeqCst);
    handle(libc::SIGHUP, on_hang_up, libc::SA_RESTART)?;
    let_through(&[libc::SIGHUP])
}

fn take(signal: i32) -> io::Result<()> {
    handle(signal, on_signal, libc::SA_RESTART)
}

/// Lets a signal interrupt system calls, without `SA_RESTART`, and do nothing else.
pub(crate) fn let_interrupt(signal: i32) -> io::Result<()> {
    extern "C" fn nothing(_: i32) {}
    handle(signal, nothing, 0)
}

/// Gives a signal back its default, which is to end the process.
#[cfg(feature = "fault-points")]
pub(crate) fn let_kill(signal: i32) -> io::Result<()> {
    // SAFETY: takes two integers; no handler of ours is running or needed for this signal.
    let before = unsafe { libc::signal(signal, libc::SIG_DFL) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn handle(signal: i32, handler: extern "C" fn(i32), flags: i32) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigaction`: integers, an empty mask and a null restorer.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = flags;
    // SAFETY: `action` is initialised and outlives the call; both handlers of this file only do
    // what `signal-safety(7)` allows.
    check(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) })?;
    Ok(())
}

extern "C" fn on_signal(signal: i32) {
    keeping_errno(|| {
        let first = FIRST_SIGNAL.compare_exchange(0, signal, SeqCst, SeqCst).is_ok();
        if !first {
            // A program that does not even stop for the second one must still be possible to end.
            // SAFETY: takes two integers; `signal-safety(7)` lists it.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        tell(if first { &FIRST_FD } else { &SECOND_FD });
    });
}

extern "C" fn on_hang_up(_: i32) {
    keeping_errno(|| tell(&HANG_UP_FD));
}

/// Makes the eventfd readable.
fn tell(fd: &AtomicI32) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: the eight bytes outlive the call. A full eventfd only makes it fail, and it is
    // readable then all the same.
    unsafe { libc::write(fd.load(Relaxed), one.as_ptr().cast(), one.len()) };
}

/// Leaves `errno` as it was.
fn keeping_errno(work: impl FnOnce()) {
    // SAFETY: answers the address of this thread's `errno`, which always exists.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: `place` is that address, and this thread is the only one that uses it.
    let errno = unsafe { *place };
    work();
    // SAFETY: as for the read.
    unsafe { *place = errno };
}

/// A new eventfd that holds nothing. `eventfd(2)`.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes two integers and no memory of ours.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor that becomes readable with each write to `source`, until [`take_edge`] is called.
/// However many of these watch the same one, each sees each write. `EPOLLET` in `epoll(7)`.
pub(crate) fn edge_of(source: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: takes an integer and no memory of ours.
    let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    let edge = unsafe { OwnedFd::from_raw_fd(fd) };
    let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
    let mut wanted = libc::epoll_event { events, u64: 0 };
    let (edge_fd, source) = (edge.as_raw_fd(), source.as_raw_fd());
    // SAFETY: both descriptors are open, and `wanted` is initialised and outlives the call.
    check(unsafe { libc::epoll_ctl(edge_fd, libc::EPOLL_CTL_ADD, source, &raw mut wanted) })?;
    Ok(edge)
}

/// Whether there were writes since the last call, which it no longer tells of.
pub(crate) fn take_edge(edge: BorrowedFd<'_>) -> io::Result<bool> {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: there is room for the one event that is asked for, and it outlives the call.
    let count = check(unsafe { libc::epoll_wait(edge.as_raw_fd(), &raw mut event, 1, 0) })?;
    Ok(count > 0)
}
