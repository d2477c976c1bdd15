//! A flag that a poll can wait for.
//!
//! Set from any thread, seen by everyone who polls its descriptor, for as long as nobody clears it.
//! The descriptor (`eventfd(2)`) is made when somebody first polls; until then a latch is one bit,
//! so that making a server cannot fail for want of descriptors.
//!
//! One that is [shared](Latch::share) before a fork is the same latch in parent and child: the
//! descriptor is, and the bit lies in memory that both see.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};

use rustix::event::{EventfdFlags, eventfd};
use socket::process::SharedWords;
use socket::{Deadline, Interest, Poll, poll};

/// The flag.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    set: AtomicBool,
    /// The same for forked processes, once somebody has asked for it.
    shared: OnceLock<SharedWords>,
    fd: OnceLock<OwnedFd>,
}

impl Latch {
    /// Sets it and wakes whoever polls.
    pub(crate) fn set(&self) {
        let was_set = self.set.swap(true, SeqCst);
        let was_set = self.shared().map_or(was_set, |word| word.swap(1, SeqCst) == 1);
        if !was_set {
            self.wake();
        }
    }

    /// Makes it one latch for this process and those forked from it later.
    pub(crate) fn share(&self) -> io::Result<()> {
        self.fd()?;
        // Sharing it twice changes nothing.
        let _ = self.shared.set(SharedWords::new(1)?);
        // Whoever set it before could not write there.
        if let (true, Some(word)) = (self.set.load(SeqCst), self.shared()) {
            word.store(1, SeqCst);
        }
        Ok(())
    }

    fn shared(&self) -> Option<&AtomicU64> {
        self.shared.get().map(|words| &words[0])
    }

    /// Whether it is set.
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(SeqCst) || self.shared().is_some_and(|word| word.load(SeqCst) == 1)
    }

    /// Makes it unset. What was set before this call may be lost, so look for the cause after it.
    pub(crate) fn clear(&self) {
        self.set.store(false, SeqCst);
        if let Some(word) = self.shared() {
            word.store(0, SeqCst);
        }
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
