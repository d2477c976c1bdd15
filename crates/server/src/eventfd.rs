//! A descriptor that is readable from when it is filled until it is drained: `eventfd(2)`, made
//! when it is first needed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::event::{EventfdFlags, eventfd};
use socket::{Deadline, Interest, Poll, poll};

/// What a poll waits for.
pub(crate) type Readable<'a> = BorrowedFd<'a>;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Eventfd(OnceLock<OwnedFd>);

impl Eventfd {
    /// Whether there is one yet.
    pub(crate) fn is_made(&self) -> bool {
        self.0.get().is_some()
    }

    /// Makes it; if two do at once, one of the two is used.
    pub(crate) fn make(&self) -> io::Result<()> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let _ = self.0.set(fd);
        Ok(())
    }

    /// Makes it readable, if there is one.
    pub(crate) fn fill(&self) {
        if let Some(fd) = self.0.get() {
            // It refuses only when it is full, and then it is readable.
            let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
        }
    }

    /// Makes it unreadable, if there is one.
    pub(crate) fn drain(&self) {
        if let Some(fd) = self.0.get() {
            // One that is empty already says EAGAIN, which is what was wanted.
            let _ = rustix::io::read(fd, &mut [0; 8]);
        }
    }

    /// The descriptor, which has been [made](Eventfd::make).
    pub(crate) fn readable(&self) -> Readable<'_> {
        self.0.get().expect("made before anybody asks for it").as_fd()
    }
}

/// Blocks the thread until it is readable.
pub(crate) fn wait(readable: Readable<'_>) -> io::Result<()> {
    poll(&mut [Poll::new(readable, Interest::READ)], Deadline::Never).map(drop)
}
