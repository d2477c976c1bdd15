//! The time limit that new sockets begin with, one for the process.
//!
//! Every socket that this crate makes has it from the start: by [`Socket::new`],
//! [`Socket::pair`], [`Socket::accept`], [`Socket::from_fd`] and all that is built on them. A plain
//! conversion from a descriptor does not apply it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::kinds::Type;
use crate::socket::{BLOCKING, Socket};

/// Nanoseconds, as in a socket.
static DEFAULT: AtomicU64 = AtomicU64::new(BLOCKING);

/// The [time limit](Socket::timeout) of sockets made from now on: `None` (the start) waits for as
/// long as it takes, zero is non-blocking.
#[must_use]
#[doc(alias = "getdefaulttimeout")]
pub fn default_timeout() -> Option<Duration> {
    match DEFAULT.load(Relaxed) {
        BLOCKING => None,
        nanos => Some(Duration::from_nanos(nanos)),
    }
}

/// Sets the time limit of sockets made from now on, by any thread. Those that exist keep theirs.
///
/// A limit of more than 584 years is none.
///
/// It is meant for programs, at their start. A library that calls it changes its user's sockets.
#[doc(alias = "setdefaulttimeout")]
pub fn set_default_timeout(limit: Option<Duration>) {
    let nanos = limit.and_then(|limit| u64::try_from(limit.as_nanos()).ok()).unwrap_or(BLOCKING);
    DEFAULT.store(nanos, Relaxed);
}

/// A socket for a descriptor that was made just now as a `kind`: non-blocking if that holds
/// `SOCK_NONBLOCK`, with the default limit otherwise.
pub(crate) fn adopt_kind(fd: OwnedFd, kind: Type) -> io::Result<Socket> {
    let socket = adopt(fd)?;
    if kind.0 & libc::SOCK_NONBLOCK != 0 {
        socket.set_blocking(false)?;
    }
    Ok(socket)
}

/// A socket for a descriptor that was made just now, with the default limit.
pub(crate) fn adopt(fd: OwnedFd) -> io::Result<Socket> {
    let socket = Socket::from(fd);
    if let Some(limit) = default_timeout() {
        socket.set_timeout(Some(limit))?;
    }
    Ok(socket)
}
