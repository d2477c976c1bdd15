//! The kernel's side of the crate: every `unsafe` line of `socket` is below this module.
//!
//! Each function is one system call or one libc call with safe types on our side of it: a borrowed
//! descriptor, a slice, an owned result. No policy lives here: no retry, no deadline, no default.
//! What an interrupted call or a full buffer means is decided by the caller.

#![allow(unsafe_code)]

pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod descriptor;
mod direct;
pub(crate) mod host;
pub(crate) mod interface;
pub(crate) mod message;
pub(crate) mod netdb;
pub(crate) mod option;
pub(crate) mod process;
pub(crate) mod resolver;
pub(crate) mod shared_words;
pub(crate) mod signal;
pub(crate) mod sockaddr;
pub(crate) mod thread;
pub(crate) mod transfer;

use std::io;

/// The result of a call that answers -1 and sets `errno` when it fails.
#[inline]
fn check(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// The same for calls that answer a byte count.
#[inline]
fn check_size(answer: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}
