//! `getsockopt(2)` and `setsockopt(2)` over bytes.
//!
//! What the bytes mean is `options/encoding.rs`; here is only the crossing.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

/// Reads an option into `room` and answers the part of it that the kernel filled.
pub(crate) fn getsockopt<'a>(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    room: &'a mut [u8],
) -> io::Result<&'a [u8]> {
    let mut length = room.len() as libc::socklen_t;
    let value = room.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of the slice, and
    // stores in `length` how many it wrote; both outlive the call.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value, &raw mut length) })?;
    Ok(&room[..(length as usize).min(room.len())])
}

/// Sets an option from `bytes`.
pub(crate) fn setsockopt(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    bytes: &[u8],
) -> io::Result<()> {
    let (value, length) = (bytes.as_ptr().cast(), bytes.len() as libc::socklen_t);
    // SAFETY: the kernel reads at most `length` bytes of the slice.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, length) })?;
    Ok(())
}
