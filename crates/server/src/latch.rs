//! A flag that a poll can wait for.
//!
//! Set from any thread, seen by everyone who polls its descriptor, for as long as nobody clears it.
//! The descriptor (`eventfd(2)`) is made when somebody first polls; until then a latch is one bit,
//! so that making a server cannot fail for want of descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use rustix::event::{EventfdFlags, eventfd};
use socket::{Deadline, Interest, Poll, poll};

/// The flag.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    set: AtomicBool,
    fd: OnceLock<OwnedFd>,
}

impl Latch {
    /// Sets it and wakes whoever polls.
    pub(crate) fn set(&self) {
        if !self.set.swap(true, SeqCst) {
            self.wake();
        }
    }

    /// Whether it is set.
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(SeqCst)
    }

    /// Makes it unset. What was set before this call may be lost, so look for the cause after it.
    pub(crate) fn clear(&self) {
        self.set.store(false, SeqCst);
        if let Some(fd) = self.fd.get() {
            // An eventfd that is empty already says EAGAIN, which is what was wanted.
            let _ = rustix::io::read(fd, &mut [0; 8]);
        }
    }

    /// Blocks the thread until it is set.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let mut asked = [Poll::new(self.fd()?, Interest::READ)];
        poll(&mut asked, Deadline::Never).map(drop)
    }

    /// A descriptor that is readable while the latch is set.
    pub(crate) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        if self.fd.get().is_none() {
            let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            let _ = self.fd.set(fd);
            // Whoever set the latch before there was a descriptor could not write to it.
            if self.is_set() {
                self.wake();
            }
        }
        Ok(self.fd.get().expect("set just above").as_fd())
    }

    fn wake(&self) {
        if let Some(fd) = self.fd.get() {
            // An eventfd refuses only when it is full, and then it is readable.
            let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
        }
    }
}
