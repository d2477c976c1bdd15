//! Sockets that this process was started with: whoever started it left them open on purpose.
//!
//! | how one learns of them | what is made of them |
//! |---|---|
//! | somebody names a number, such as a shell's `3<&5` or `fd:3` | [`Socket::inherited`], a copy |
//! | a service manager's variables promise a block of them | [`inherited_block`], taken over |
//!
//! A number alone says little about whose descriptor it is, and taking one over that somebody else
//! in the program holds would close it behind their back. So both ask first whether the descriptor
//! would survive an `exec`: one that came from outside does, and one that was made in here (by the
//! standard library or by this crate) does not.
//!
//! What it deliberately does not do: read the environment, or say what the sockets are for.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::socket::Socket;
use crate::sys::descriptor;

/// The first number of a block. `SD_LISTEN_FDS_START` in `sd_listen_fds(3)`.
const BLOCK_START: u32 = 3;

impl Socket {
    /// A socket on a copy of descriptor `number`, with which this process was started. The copy
    /// is closed on exec; the original stays open as it was, since nobody knows whose it is. A
    /// listener that is to close before the process ends is better passed as an activated socket.
    ///
    /// # Errors
    /// `EBADF` when it is not open, `ENOTSOCK` when it is not a socket; `InvalidInput` when it is
    /// closed on exec, which is to say that this program opened it itself; `EMFILE`.
    pub fn inherited(number: u32) -> io::Result<Socket> {
        check(number)?;
        Socket::from_fd(descriptor::copy(number)?)
    }
}

/// Takes over the `count` descriptors from number 3 on. Works once in the life of a process: what
/// a service manager passes has one owner. All are closed on exec from now on.
///
/// To be called where that manager's variables say so, see `sd_listen_fds(3)`; `switchboard` reads
/// them. When one descriptor is not what was promised, none is taken.
///
/// # Errors
/// Each names the descriptor. One that is not open (`EBADF`); `InvalidInput` when it is closed on
/// exec, which is to say that this program opened it itself; `AlreadyExists` from the second call
/// on.
pub fn inherited_block(count: u32) -> io::Result<Vec<OwnedFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let end = BLOCK_START.checked_add(count).ok_or(ErrorKind::InvalidInput)?;
    for number in BLOCK_START..end {
        check(number).map_err(|error| {
            io::Error::new(error.kind(), format!("descriptor {number}: {error}"))
        })?;
    }
    if TAKEN.swap(true, SeqCst) {
        let why = "the descriptors have been taken over before";
        return Err(io::Error::new(ErrorKind::AlreadyExists, why));
    }
    (BLOCK_START..end).map(descriptor::take_inherited).collect()
}

/// Whether the descriptor came from outside.
fn check(number: u32) -> io::Result<()> {
    match descriptor::is_number_inheritable(number)? {
        true => Ok(()),
        false => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "this program opened it itself, nobody passed it",
        )),
    }
}
