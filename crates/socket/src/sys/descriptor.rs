//! Calls that are the same for every descriptor, whatever it stands for.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use super::check;

/// Whether programs that this process executes keep the descriptor. `F_GETFD`.
pub(crate) fn is_inheritable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    is_raw_inheritable(fd.as_raw_fd())
}

/// The same of a number that may not even be open: `EBADF`.
pub(crate) fn is_number_inheritable(number: u32) -> io::Result<bool> {
    is_raw_inheritable(raw(number)?)
}

fn is_raw_inheritable(fd: RawFd) -> io::Result<bool> {
    // SAFETY: takes two integers, changes nothing, and refuses a number that is not open.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC == 0)
}

/// A descriptor of the same open file, closed on exec. `F_DUPFD_CLOEXEC`.
pub(crate) fn copy(number: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes three integers, and refuses a number that is not open; whoever holds it keeps
    // it unchanged.
    let fd = check(unsafe { libc::fcntl(raw(number)?, libc::F_DUPFD_CLOEXEC, 0) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes over a descriptor of the block that this process was started with, and closes it on exec.
pub(crate) fn take_inherited(number: u32) -> io::Result<OwnedFd> {
    // SAFETY: the caller, `inherited_block`, does this once in the life of the process, with
    // numbers that were passed to be taken over, so by `sd_listen_fds(3)` they are its own. It has
    // seen that they are open and not closed on exec, so nobody in here has made them.
    let fd = unsafe { OwnedFd::from_raw_fd(raw(number)?) };
    set_inheritable(fd.as_fd(), false)?;
    Ok(fd)
}

/// The number as the kernel has it. One that does not fit cannot be open.
fn raw(number: u32) -> io::Result<RawFd> {
    RawFd::try_from(number).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))
}

/// Sets whether programs that this process executes keep the descriptor. One call, `FIOCLEX` or
/// `FIONCLEX`, so that no other flag is read and written back.
pub(crate) fn set_inheritable(fd: BorrowedFd<'_>, inheritable: bool) -> io::Result<()> {
    let request = if inheritable { libc::FIONCLEX } else { libc::FIOCLEX };
    // SAFETY: neither request takes an argument.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request) })?;
    Ok(())
}

/// Whether calls on the open file refuse to wait. `F_GETFL`, `O_NONBLOCK`.
pub(crate) fn is_nonblocking(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: takes two integers and no memory of ours.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    Ok(flags & libc::O_NONBLOCK != 0)
}

/// `close(2)`. The descriptor is gone whatever the answer, on Linux also after `EINTR`.
pub(crate) fn close(fd: OwnedFd) -> io::Result<()> {
    // SAFETY: the number comes out of its owner, so nobody else uses it or closes it again.
    check(unsafe { libc::close(fd.into_raw_fd()) })?;
    Ok(())
}
