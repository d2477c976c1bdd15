//! `fork(2)` and what belongs to it, one call each. Their order, and why, is in `process.rs`.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU64;

use super::check;

/// Which of the two processes came back from [`fork`].
pub(crate) enum Forked {
    Child,
    Parent(libc::pid_t),
}

/// `fork(2)`, by way of the C library, which makes its own locks usable in the child.
///
/// The child has a copy of everything and only this one thread. Whatever the other threads were
/// in the middle of stays as it is, behind the locks they hold, so safe code may wait there for
/// ever but cannot reach anything half done.
pub(crate) fn fork() -> io::Result<Forked> {
    #[cfg(feature = "fault-points")]
    crate::fault::consult(crate::fault::Call::Fork)?;
    // SAFETY: takes no memory. What it means for locks is said above and in `process.rs`.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid)),
    }
}

/// Ends this process at once: no destructor, no `atexit`, no buffer of C's is flushed. `_exit(2)`.
pub(crate) fn exit(code: c_int) -> ! {
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// The process that made this one, or whoever has taken its place. `getppid(2)`.
pub(crate) fn parent() -> libc::pid_t {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getppid() }
}

/// A descriptor for a child that has not been waited for, so that its number is still its own.
/// `pidfd_open(2)`, Linux 5.3.
pub(crate) fn pidfd_open(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(c_int::try_from(fd).unwrap_or(-1))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process behind a descriptor; never to another that has got its number.
/// `pidfd_send_signal(2)`, Linux 5.1.
pub(crate) fn pidfd_send_signal(fd: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    let (fd, nothing) = (fd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: takes integers and a null pointer, which stands for the usual signal information.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, nothing, 0) };
    check(c_int::try_from(answer).unwrap_or(-1))?;
    Ok(())
}

/// How a child ended.
pub(crate) enum Waited {
    /// It runs.
    Running,
    /// It ended with this code.
    Exited(c_int),
    /// This signal ended it.
    Killed(c_int),
    /// It is gone, and the kernel has not kept how.
    Unknown,
}

/// Takes a child that has ended from the kernel's list, without waiting for one that has not.
/// `waitid(2)` with `P_PIDFD`, Linux 5.4.
pub(crate) fn wait_now(fd: BorrowedFd<'_>) -> io::Result<Waited> {
    let which = libc::id_t::try_from(fd.as_raw_fd()).expect("a descriptor is not negative");
    wait(libc::P_PIDFD, which, libc::WEXITED | libc::WNOHANG)
}

/// Waits for a child by its number, for one that got no descriptor.
pub(crate) fn wait_for(pid: libc::pid_t) -> io::Result<Waited> {
    let which = libc::id_t::try_from(pid).expect("the number of a child is not negative");
    wait(libc::P_PID, which, libc::WEXITED)
}

fn wait(kind: libc::idtype_t, which: libc::id_t, options: c_int) -> io::Result<Waited> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` is room for one `siginfo_t`.
    let answer = check(unsafe { libc::waitid(kind, which, info.as_mut_ptr(), options) });
    match answer {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(Waited::Unknown),
        answer => answer?,
    };
    // SAFETY: zeroed above, all of it integers and pointers, and filled in by the call.
    let info = unsafe { info.assume_init() };
    // SAFETY: `waitid` fills in the fields for a child, or leaves all of them zero.
    if unsafe { info.si_pid() } == 0 {
        return Ok(Waited::Running);
    }
    // SAFETY: as above, there is a child.
    let status = unsafe { info.si_status() };
    Ok(match info.si_code {
        libc::CLD_EXITED => Waited::Exited(status),
        _ => Waited::Killed(status),
    })
}

/// Sends a signal to a child that has not been waited for. `kill(2)`.
pub(crate) fn kill(pid: libc::pid_t, signal: c_int) {
    // SAFETY: takes two integers. A failure says that it has already ended.
    unsafe { libc::kill(pid, signal) };
}

/// Asks for `signal` when the thread that forked this process ends. `prctl(2)`.
pub(crate) fn signal_when_parent_ends(signal: c_int) -> io::Result<()> {
    // SAFETY: takes integers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) })?;
    Ok(())
}

/// Makes `fd` stand for what `other` stands for, from now on. `dup3(2)`.
pub(crate) fn replace(fd: RawFd, other: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes integers. Whoever has `fd` still has an open descriptor of that number.
    check(unsafe { libc::dup3(other.as_raw_fd(), fd, libc::O_CLOEXEC) })?;
    Ok(())
}

/// Whether a descriptor is a socket of connections: `SOCK_STREAM` or `SOCK_SEQPACKET`.
pub(crate) fn is_of_connections(fd: RawFd) -> bool {
    let mut kind: c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<c_int>()).expect("four bytes");
    // SAFETY: `kind` is room for the integer that the call writes, and `length` says so.
    let answer = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut length,
        )
    };
    answer == 0 && (kind == libc::SOCK_STREAM || kind == libc::SOCK_SEQPACKET)
}

/// How many descriptors the process may have: one more than the largest number. `getrlimit(2)`.
pub(crate) fn descriptor_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is room for what the call writes.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur
}

/// Sleeps while the lower half of `word` is `value`, which any process that shares it may change.
/// `futex(2)`; it may wake for no reason.
pub(crate) fn futex_wait(word: &AtomicU64, value: u32) {
    let (place, nobody) = (lower_half(word), std::ptr::null::<libc::timespec>());
    // SAFETY: `place` is an aligned integer that outlives the call, and there is no timeout.
    unsafe { libc::syscall(libc::SYS_futex, place, libc::FUTEX_WAIT, value, nobody) };
}

/// Wakes whoever sleeps on `word`, in any process.
pub(crate) fn futex_wake(word: &AtomicU64) {
    let place = lower_half(word);
    // SAFETY: `place` is an aligned integer that outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, place, libc::FUTEX_WAKE, c_int::MAX) };
}

fn lower_half(word: &AtomicU64) -> *mut u32 {
    word.as_ptr().cast::<u32>().wrapping_add(usize::from(cfg!(target_endian = "big")))
}
