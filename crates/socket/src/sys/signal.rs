//! The signal handler itself, and what it may touch: atomics and `write(2)`, nothing else.
//!
//! `signal-safety(7)` lists the calls a handler may make; `write` is among them. The handler saves
//! and restores `errno`, since it may run between a failed call and the look at its error.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicI32, AtomicU32};

use super::check;
use super::process::replace;

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
static QUIT_FD: AtomicI32 = AtomicI32::new(-1);
static SENT_QUITS: AtomicU32 = AtomicU32::new(0);

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

/// Whether SIGQUIT has a handler that is none of ours.
pub(crate) fn is_foreign_quit() -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid `sigaction`: integers, an empty mask and a null restorer.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: sets nothing, and there is room for the answer.
    check(unsafe { libc::sigaction(libc::SIGQUIT, ptr::null(), &raw mut now) })?;
    let ours = [on_quit as *const () as usize, nothing as *const () as usize];
    let known = [libc::SIG_DFL, libc::SIG_IGN].into_iter().chain(ours);
    Ok(!known.into_iter().any(|known| known == now.sa_sigaction))
}

/// Takes SIGQUIT: each one is written to `told`.
pub(crate) fn install_quit(told: &'static OwnedFd) -> io::Result<()> {
    QUIT_FD.store(told.as_raw_fd(), SeqCst);
    let handler = on_quit as *const () as libc::sighandler_t;
    act(libc::SIGQUIT, handler, libc::SA_RESTART | libc::SA_SIGINFO)?;
    let_through(&[libc::SIGQUIT])
}

/// How many SIGQUITs were sent by a process.
pub(crate) fn sent_quits() -> u32 {
    SENT_QUITS.load(SeqCst)
}

fn take(signal: i32) -> io::Result<()> {
    handle(signal, on_signal, libc::SA_RESTART)
}

/// The signals that a thread holds back. `sigprocmask(2)`.
pub(crate) struct Mask(libc::sigset_t);

/// Holds back every signal of this thread, and answers which it held back before.
pub(crate) fn hold_all() -> io::Result<Mask> {
    // SAFETY: all-zero bytes are a valid `sigset_t`, an array of integers.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `all` is a set of this function's own.
    check(unsafe { libc::sigfillset(&raw mut all) })?;
    let mut before = all;
    // SAFETY: both sets are initialised and outlive the call.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) } {
        0 => Ok(Mask(before)),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Holds back what was held back before; what came meanwhile arrives now.
pub(crate) fn hold_as_before(mask: &Mask) {
    // SAFETY: the set is initialised and outlives the call, which cannot fail for SIG_SETMASK.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask.0, ptr::null_mut()) };
}

/// Makes the signals of a forked child its own: none that is meant for its parent ends it or is
/// written to its parent's descriptors, which are `told` of signals.
pub(crate) fn renew<'a>(told: impl Iterator<Item = &'a OwnedFd>) -> io::Result<()> {
    act(libc::SIGPIPE, libc::SIG_IGN, 0)?;
    act(libc::SIGCHLD, libc::SIG_DFL, 0)?;
    act(libc::SIGALRM, libc::SIG_DFL, 0)?;
    leave_to_parent(libc::SIGINT)?;
    leave_to_parent(libc::SIGTERM)?;
    leave_to_parent(libc::SIGHUP)?;
    if !is_foreign_quit()? {
        leave_to_parent(libc::SIGQUIT)?;
    }
    FIRST_SIGNAL.store(0, SeqCst);
    for fd in told {
        replace(fd.as_raw_fd(), eventfd()?.as_fd())?;
    }
    Ok(())
}

/// Makes SIGTERM, and not SIGINT, a request to stop: in a child that an administrator may stop
/// alone, while Ctrl-C reaches its parent too.
pub(crate) fn take_sigterm() -> io::Result<()> {
    take(libc::SIGTERM)?;
    leave_to_parent(libc::SIGINT)
}

/// A handler that does nothing, not SIG_IGN, which programs that the child executes would keep.
fn leave_to_parent(signal: i32) -> io::Result<()> {
    handle(signal, nothing, libc::SA_RESTART)
}

extern "C" fn nothing(_: i32) {}

/// What [`on_parent_end`] needs: the socket, -1 if there is none, and the seconds.
static LAST_SOCKET: AtomicI32 = AtomicI32::new(-1);
static LAST_SECONDS: AtomicU32 = AtomicU32::new(1);

/// The signal by which a child learns that its parent has ended: the last real-time one, which is
/// nobody's.
pub(crate) fn parent_ended() -> i32 {
    libc::SIGRTMAX()
}

/// From now on [`parent_ended`] shows the end of its input to whoever reads from `socket`, and ends
/// the process after `seconds`.
pub(crate) fn end_with_parent(socket: Option<BorrowedFd<'_>>, seconds: u32) -> io::Result<()> {
    LAST_SOCKET.store(socket.map_or(-1, |socket| socket.as_raw_fd()), SeqCst);
    LAST_SECONDS.store(seconds.max(1), SeqCst);
    handle(parent_ended(), on_parent_end, libc::SA_RESTART)
}

extern "C" fn on_parent_end(_: i32) {
    keeping_errno(|| {
        // SAFETY: takes two integers; `signal-safety(7)` lists it. -1 only makes it fail.
        unsafe { libc::shutdown(LAST_SOCKET.load(SeqCst), libc::SHUT_RD) };
        // SAFETY: takes an integer; `signal-safety(7)` lists it.
        unsafe { libc::alarm(LAST_SECONDS.load(SeqCst)) };
    });
}

/// Sends this process a signal. `raise(3)`.
pub(crate) fn raise(signal: i32) {
    // SAFETY: takes an integer.
    unsafe { libc::raise(signal) };
}

/// Lets a signal interrupt system calls, without `SA_RESTART`, and do nothing else.
pub(crate) fn let_interrupt(signal: i32) -> io::Result<()> {
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
    act(signal, handler as libc::sighandler_t, flags)
}

/// Sets what a signal does: one of this file's handlers, `SIG_DFL` or `SIG_IGN`.
fn act(signal: i32, action_or_handler: libc::sighandler_t, flags: i32) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigaction`: integers, an empty mask and a null restorer.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = action_or_handler;
    action.sa_flags = flags;
    // SAFETY: `action` is initialised and outlives the call; the handlers of this file only do
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

extern "C" fn on_quit(_: i32, details: *const libc::siginfo_t, _: *const libc::c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with `SA_SIGINFO`.
    let code = unsafe { (*details).si_code };
    // The terminal's are the kernel's.
    if code != libc::SI_KERNEL {
        SENT_QUITS.fetch_add(1, SeqCst);
    }
    keeping_errno(|| tell(&QUIT_FD));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_of_somebody_else_is_seen() {
        extern "C" fn theirs(_: i32) {}
        assert!(!is_foreign_quit().unwrap(), "the default is nobody's");
        handle(libc::SIGQUIT, theirs, 0).unwrap();
        assert!(is_foreign_quit().unwrap());
        act(libc::SIGQUIT, libc::SIG_IGN, 0).unwrap();
        assert!(!is_foreign_quit().unwrap(), "to ignore it is no handler");
        let told = Box::leak(Box::new(eventfd().unwrap()));
        install_quit(told).unwrap();
        assert!(!is_foreign_quit().unwrap(), "this one is ours");
    }
}
