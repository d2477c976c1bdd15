//! Whether a ring does here what it says: the probe, and the test that every ring passes.
//!
//! A ring can be refused (seccomp, `kernel.io_uring_disabled`, a limit), too old, or, in kernels
//! that were patched and backported, there and wrong. So a ring is first asked for the operations
//! it knows, and then carries a byte over a pair of sockets and cancels a receive, on the very
//! thread that is to use it. That takes some tens of microseconds.
//!
//! It deliberately measures nothing: which driver is quicker was measured before.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::opcode::{Accept, AsyncCancel, AsyncCancel2, PollAdd, Recv, Send};
use io_uring::squeue::Entry;
use io_uring::types::{CancelBuilder, Fd};
use socket::{Deadline, Family, Socket, Type};

use super::converse::all_or_a_word;
use super::ring::Ring;

/// What a ring must know.
const NEEDED: [(&str, u8); 5] = [
    ("poll", PollAdd::CODE),
    ("receive", Recv::CODE),
    ("send", Send::CODE),
    ("accept", Accept::CODE),
    ("cancel", AsyncCancel::CODE),
];

/// So many looks at the queue are made for a completion, and 10 ms each.
const LOOKS: u32 = 100;
const LOOK: u64 = 10_000_000;

/// Tests a ring that nobody uses yet, and leaves nothing under way in it.
///
/// # Errors
/// What is missing or wrong.
pub(super) fn test(ring: &Ring) -> io::Result<()> {
    let (probe, parameters) = ring.probe()?;
    let known = |code| probe.is_supported(code);
    has_all(known, parameters.is_feature_nodrop() && parameters.is_feature_ext_arg())?;
    carries(ring)?;
    tells_of_short_sends(ring)
}

/// A send that is to complete only if it is not all: one that is all does not, and one that is not
/// does, with what it sent.
fn tells_of_short_sends(ring: &Ring) -> io::Result<()> {
    const ALL: u64 = 5;
    const PART: u64 = 6;
    static BYTES: [u8; 64 * 1024] = [0; 64 * 1024];
    let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    left.set_so_sndbuf(4096)?;
    let fd = left.as_raw_fd();
    push(ring, all_or_a_word(fd, &BYTES[..1]).user_data(ALL))?;
    push(ring, all_or_a_word(fd, &BYTES).user_data(PART))?;
    ring.enter(LOOK)?;
    let first = ring.take().map(|completion| (completion.word, completion.result));
    let mut arrived = 0;
    let mut room = [0; 4096];
    while let Ok(count @ 1..) = right.recv_by(&mut room, Deadline::Immediate) {
        arrived += count;
    }
    match first {
        Some((PART, sent)) if sent > 0 && sent as usize + 1 == arrived => Ok(()),
        _ => Err(fails("a send that is cut short does not say so")),
    }
}

/// Whether all that is needed is there.
fn has_all(known: impl Fn(u8) -> bool, features: bool) -> io::Result<()> {
    for (name, code) in NEEDED {
        if !known(code) {
            return Err(lacks(name));
        }
    }
    if features { Ok(()) } else { Err(lacks("waits with a limit, or completions that are kept")) }
}

fn lacks(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("the kernel's rings lack: {what}"))
}

fn fails(what: &str) -> io::Error {
    io::Error::other(format!("the kernel's rings fail the test: {what}"))
}

/// A receive that waits gets the byte that is sent, and one that is cancelled ends.
fn carries(ring: &Ring) -> io::Result<()> {
    let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
    let (left, right) = (left.as_raw_fd(), right.as_raw_fd());
    let mut room = Box::new([0; 2]);
    let byte = b"y";
    let outcome = exchange(ring, (left, right), &mut room[..], byte);
    if let Err(error) = end_all(ring) {
        // What is under way may still write there.
        Box::leak(room);
        return Err(error);
    }
    match outcome? {
        1 if room[0] == byte[0] => Ok(()),
        _ => Err(fails("a byte does not arrive")),
    }
}

/// How many bytes arrive.
fn exchange(
    ring: &Ring,
    (left, right): (RawFd, RawFd),
    room: &mut [u8],
    byte: &'static [u8],
) -> io::Result<i32> {
    const RECEIVE: u64 = 1;
    const SEND: u64 = 2;
    const UNHEARD: u64 = 3;
    const CANCEL: u64 = 4;
    let into = |at: &mut u8| Recv::new(Fd(right), at, 1).build();
    let (first, second) = room.split_at_mut(1);
    push(ring, into(&mut first[0]).user_data(RECEIVE))?;
    ring.enter(0)?;
    push(ring, Send::new(Fd(left), byte.as_ptr(), 1).build().user_data(SEND))?;
    let received = wait(ring, RECEIVE)?;
    push(ring, into(&mut second[0]).user_data(UNHEARD))?;
    ring.enter(0)?;
    push(ring, AsyncCancel::new(UNHEARD).build().user_data(CANCEL))?;
    match wait(ring, UNHEARD)? {
        error if error == -libc::ECANCELED => Ok(received),
        _ => Err(fails("a cancelled receive does not end")),
    }
}

/// Ends whatever is under way after a test, however it went, and takes all completions.
fn end_all(ring: &Ring) -> io::Result<()> {
    const ALL: u64 = 9;
    const LAST: u64 = 10;
    push(ring, AsyncCancel2::new(CancelBuilder::any()).build().user_data(ALL))?;
    wait(ring, ALL)?;
    push(ring, io_uring::opcode::Nop::new().build().user_data(LAST))?;
    wait(ring, LAST).map(drop)
}

fn push(ring: &Ring, entry: Entry) -> io::Result<()> {
    // SAFETY: what the entries of this file point to is static, or a box that is given back only
    // after everything has ended.
    unsafe { ring.push(&entry) }
}

/// The result of the entry that was marked so. Others are passed over.
fn wait(ring: &Ring, mark: u64) -> io::Result<i32> {
    for _ in 0..LOOKS {
        ring.enter(LOOK)?;
        while let Some(completion) = ring.take() {
            if completion.word == mark {
                return Ok(completion.result);
            }
        }
    }
    Err(fails("an operation does not complete"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::reactor::uring::SIZES;

    #[test]
    fn what_a_kernel_lacks_is_named() {
        assert!(has_all(|_| true, true).is_ok());
        for (name, missing) in NEEDED {
            let error = has_all(|code| code != missing, true).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().ends_with(&format!(": {name}")), "{error}");
        }
        assert!(has_all(|_| true, false).is_err());
    }

    #[test]
    fn a_ring_that_passes_is_empty_afterwards() {
        let Ok(ring) = Ring::new(SIZES, Arc::default()) else { return };
        test(&ring).unwrap();
        test(&ring).unwrap();
        ring.enter(0).unwrap();
        assert!(ring.take().is_none());
    }
}
