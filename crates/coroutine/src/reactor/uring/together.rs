//! Many sends of one caller's, handed over together and over when it goes on.
//!
//! ```text
//!   send, send, send … ─► one enter: the kernel makes them ─► completions ─► what came of each
//! ```
//! None of them waits (`MSG_DONTWAIT`), so the kernel makes them while it takes the entries, and
//! all have completed when `enter` returns. Nothing relies on that: the caller is in its call until
//! the last completion has come, and so is all that the entries point to. It is not suspended for
//! that, so nobody can cancel or unwind it meanwhile. Completions of others that come along are
//! noted as in the loop.
//!
//! What it deliberately does not do: leave out the completions of sends that are all
//! (`IOSQE_CQE_SKIP_SUCCESS`), since then nothing would say that one is over.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode::Send;
use io_uring::types::Fd;
use socket::seam::{Operation, try_send};

use super::Uring;
use super::operations::{Kind, mark_at};
use super::perform::is_put_off;
use crate::clock::NEVER;
use crate::slot::SlotRef;
use crate::worker::Core;

/// The sends that are under way together, by their numbers.
#[derive(Default)]
pub(super) struct Together {
    results: RefCell<Vec<i32>>,
    /// How many have not completed.
    left: Cell<usize>,
}

impl Together {
    /// Notes the completion of the send with this number.
    #[inline]
    pub(super) fn note(&self, number: u32, result: i32) {
        if let Some(place) = self.results.borrow_mut().get_mut(number as usize) {
            *place = result;
            self.left.set(self.left.get() - 1);
        }
    }
}

impl Uring {
    /// Makes many sends, see [`send_each`](crate::send_each()). `me` runs, and its thread is not
    /// panicking.
    pub(crate) fn send_each(
        &self,
        core: &Core,
        me: SlotRef,
        sends: &[(BorrowedFd<'_>, &[u8])],
    ) -> Vec<io::Result<usize>> {
        if self.together.left.get() > 0 {
            // Those of one who was abandoned with them.
            return sends.iter().map(|(fd, bytes)| try_send(*fd, bytes)).collect();
        }
        let mut otherwise = Vec::new();
        self.together.results.borrow_mut().resize(sends.len(), 0);
        for (number, (fd, bytes)) in (0..).zip(sends) {
            match self.hand_over(*fd, bytes, number) {
                Ok(()) => self.together.left.set(self.together.left.get() + 1),
                Err(answer) => otherwise.push((number, answer)),
            }
        }
        while self.together.left.get() > 0 {
            if self.ring.enter(NEVER).is_err() {
                // Whatever it is: what is to be sent stays the kernel's, for good.
                core.scheduler.abandon_running(me);
            }
            self.deliver(&core.scheduler);
        }
        let results = self.together.results.borrow();
        let mut answers: Vec<_> = results.iter().map(|result| answer(*result)).collect();
        for (number, answer) in otherwise {
            answers[number as usize] = answer;
        }
        answers
    }

    /// Hands one over; or answers what came of it by a call, where it could not be.
    fn hand_over(
        &self,
        fd: BorrowedFd<'_>,
        bytes: &[u8],
        number: u32,
    ) -> Result<(), io::Result<usize>> {
        const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        match is_put_off(&Operation::Send { bytes, flags: 0 }) {
            Ok(false) => {}
            Ok(true) => return Err(Err(io::ErrorKind::Interrupted.into())),
            Err(error) => return Err(Err(error)),
        }
        let length = bytes.len().min(i32::MAX as usize) as u32;
        let send = Send::new(Fd(fd.as_raw_fd()), bytes.as_ptr(), length).flags(FLAGS).build();
        let send = send.user_data(mark_at(Kind::Together, number));
        // SAFETY: the kernel reads the bytes, which are borrowed until `send_each` returns, and
        // that waits for the completion.
        unsafe { self.ring.push(&send) }.map_err(|_| try_send(fd, bytes))
    }
}

/// What the kernel's word means.
#[inline]
fn answer(result: i32) -> io::Result<usize> {
    match usize::try_from(result) {
        Ok(count) => Ok(count),
        // A ring that ends what is under way.
        Err(_) if result == -libc::ECANCELED => Err(io::ErrorKind::Interrupted.into()),
        Err(_) => Err(io::Error::from_raw_os_error(-result)),
    }
}
