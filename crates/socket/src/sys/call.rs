//! One function per system call on sockets.
//!
//! Lengths come from slices, descriptors are borrowed or owned, addresses are [`RawSockAddr`]; so
//! each call's contract with the kernel can be read off its one `unsafe` block.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use super::direct;
use super::sockaddr::RawSockAddr;
use super::{check, check_size};

/// `socket(2)`, closed on exec.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes three integers and no memory of ours.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `socketpair(2)`, both ends closed on exec.
pub(crate) fn socketpair(family: i32, kind: i32, protocol: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: `fds` is room for the two descriptors the call writes.
    check(unsafe { libc::socketpair(family, kind, protocol, fds.as_mut_ptr()) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    let left = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: as above, for the other end.
    let right = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    Ok((left, right))
}

/// `bind(2)`.
pub(crate) fn bind(fd: BorrowedFd<'_>, address: &RawSockAddr) -> io::Result<()> {
    let pointer = address.bytes.as_ptr().cast();
    // SAFETY: `length` bytes at `pointer` are initialised; `encode` keeps it within the array.
    check(unsafe { libc::bind(fd.as_raw_fd(), pointer, address.length) })?;
    Ok(())
}

/// `connect(2)`.
pub(crate) fn connect(fd: BorrowedFd<'_>, address: &RawSockAddr) -> io::Result<()> {
    let pointer = address.bytes.as_ptr().cast();
    // SAFETY: `length` bytes at `pointer` are initialised; `encode` keeps it within the array.
    check(unsafe { libc::connect(fd.as_raw_fd(), pointer, address.length) })?;
    Ok(())
}

/// `listen(2)`.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: takes two integers and no memory of ours.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(())
}

/// `accept4(2)`: the new descriptor blocks and is closed on exec; the peer's address in `peer`.
pub(crate) fn accept(fd: BorrowedFd<'_>, peer: &mut RawSockAddr) -> io::Result<OwnedFd> {
    *peer = RawSockAddr::room();
    let (address, length) = (peer.bytes.as_mut_ptr().cast(), &raw mut peer.length);
    // SAFETY: `address` has room for `*length` bytes, and both are ours for the whole call.
    let new = unsafe { libc::accept4(fd.as_raw_fd(), address, length, libc::SOCK_CLOEXEC) };
    let new = check(new)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// `recv(2)`.
#[inline(always)]
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
    let (fd, pointer) = (fd.as_raw_fd() as usize, buffer.as_mut_ptr() as usize);
    let arguments = [fd, pointer, buffer.len(), flags as usize, 0];
    // SAFETY: the kernel writes into the slice, which is ours to write, at most its length, and no
    // address where it is given no room for one; nor does it look at the length of that room, the
    // sixth argument, then.
    unsafe { direct::count(libc::SYS_recvfrom, arguments) }
}

/// `send(2)`.
#[inline(always)]
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8], flags: i32) -> io::Result<usize> {
    let (fd, pointer) = (fd.as_raw_fd() as usize, bytes.as_ptr() as usize);
    let arguments = [fd, pointer, bytes.len(), flags as usize, 0];
    // SAFETY: the kernel reads the slice, and no address where there is none, nor its length, the
    // sixth argument.
    unsafe { direct::count(libc::SYS_sendto, arguments) }
}

/// `recvfrom(2)`; the sender's address in `from`, empty where the kernel gives none.
pub(crate) fn recvfrom(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: i32,
    from: &mut RawSockAddr,
) -> io::Result<usize> {
    *from = RawSockAddr::room();
    let (pointer, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    let (address, length) = (from.bytes.as_mut_ptr().cast(), &raw mut from.length);
    // SAFETY: the slice and the address each have the room that is passed with them.
    check_size(unsafe { libc::recvfrom(fd.as_raw_fd(), pointer, size, flags, address, length) })
}

/// `sendto(2)`.
pub(crate) fn sendto(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    flags: i32,
    to: &RawSockAddr,
) -> io::Result<usize> {
    let (pointer, size) = (bytes.as_ptr().cast(), bytes.len());
    let address = to.bytes.as_ptr().cast();
    // SAFETY: the kernel reads `size` bytes of the slice and `to.length` of the address array.
    check_size(unsafe { libc::sendto(fd.as_raw_fd(), pointer, size, flags, address, to.length) })
}

/// `shutdown(2)`.
pub(crate) fn shutdown(fd: BorrowedFd<'_>, how: i32) -> io::Result<()> {
    // SAFETY: takes two integers and no memory of ours.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) })?;
    Ok(())
}

/// `getsockname(2)`.
pub(crate) fn getsockname(fd: BorrowedFd<'_>) -> io::Result<RawSockAddr> {
    let mut name = RawSockAddr::room();
    let (address, length) = (name.bytes.as_mut_ptr().cast(), &raw mut name.length);
    // SAFETY: `address` has room for `*length` bytes, and both are ours for the whole call.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), address, length) })?;
    Ok(name)
}

/// `getpeername(2)`.
pub(crate) fn getpeername(fd: BorrowedFd<'_>) -> io::Result<RawSockAddr> {
    let mut name = RawSockAddr::room();
    let (address, length) = (name.bytes.as_mut_ptr().cast(), &raw mut name.length);
    // SAFETY: `address` has room for `*length` bytes, and both are ours for the whole call.
    check(unsafe { libc::getpeername(fd.as_raw_fd(), address, length) })?;
    Ok(name)
}

/// `ioctl(2)` with `FIONBIO`: whether calls on the descriptor wait.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    let value = libc::c_int::from(nonblocking);
    // SAFETY: `FIONBIO` reads one int, which outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw const value) })?;
    Ok(())
}

/// `clock_gettime(2)` on the monotonic clock as of the last tick, which costs a fraction of the
/// exact one.
#[inline]
pub(crate) fn clock_monotonic_coarse() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is room for the answer and outlives the call. With this clock and a valid
    // address it cannot fail, and if it did, `now` would still hold a time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// One descriptor in a [`poll`]: what is asked, and after the call what is so.
pub(crate) use libc::pollfd as PollFd;

/// `ppoll(2)`; `None` waits without a limit. Answers how many descriptors have something to say.
pub(crate) fn poll(fds: &mut [PollFd], wait: Option<Duration>) -> io::Result<usize> {
    let timespec = wait.map(|wait| libc::timespec {
        tv_sec: wait.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    });
    let limit = timespec.as_ref().map_or(ptr::null(), ptr::from_ref);
    let (pointer, count) = (fds.as_mut_ptr(), fds.len() as libc::nfds_t);
    // SAFETY: `pointer` and `count` describe the slice; `limit` is null or outlives the call, and
    // a null signal mask leaves the mask alone.
    let ready = check(unsafe { libc::ppoll(pointer, count, limit, ptr::null()) })?;
    Ok(ready as usize)
}
