//! Calls that are the same for every descriptor, whatever it stands for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use super::check;

/// Whether programs that this process executes keep the descriptor. `F_GETFD`.
pub(crate) fn is_inheritable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: takes two integers and no memory of ours.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC == 0)
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
