//! A flag that a poll can wait for.
//!
//! Set from any thread, seen by everyone who polls its descriptor, for as long as nobody clears it.
//! The descriptor is made when somebody first polls; until then a latch is one bit, so that making
//! a server cannot fail for want of descriptors.
//!
//! Whoever clears one does this, and cannot miss what is done after the second step:
//!
//! ```text
//!   clear ──► write down the wish ──► look whether it is fulfilled already ──► poll
//! ```
//!
//! One that is [shared](Latch::share) before a fork is the same latch in parent and child: the
//! descriptor is, and the bit lies in memory that both see.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;

use socket::process::SharedWords;

use crate::atomic::AtomicBool;
use crate::eventfd::{Eventfd, Readable, wait};

/// The flag.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    set: AtomicBool,
    /// The same for forked processes, once somebody has asked for it.
    shared: OnceLock<SharedWords>,
    eventfd: Eventfd,
}

impl Latch {
    /// Sets it and wakes whoever polls.
    pub(crate) fn set(&self) {
        let was_set = self.set.swap(true, SeqCst);
        let was_set = self.shared.get().map_or(was_set, |words| words[0].swap(1, SeqCst) == 1);
        if !was_set {
            self.eventfd.fill();
        }
    }

    /// Makes it one latch for this process and those forked from it later.
    pub(crate) fn share(&self) -> io::Result<()> {
        self.fd()?;
        // Sharing it twice changes nothing.
        let _ = self.shared.set(SharedWords::new(1)?);
        // Whoever set it before could not write there.
        if let (true, Some(words)) = (self.set.load(SeqCst), self.shared.get()) {
            words[0].store(1, SeqCst);
        }
        Ok(())
    }

    /// Whether it is set.
    pub(crate) fn is_set(&self) -> bool {
        let shared = || self.shared.get().is_some_and(|words| words[0].load(SeqCst) == 1);
        self.set.load(SeqCst) || shared()
    }

    /// Makes it unset. What was set before this call has returned may be lost, so look for the
    /// cause after it.
    pub(crate) fn clear(&self) {
        // In this order: a latch that was left set with nothing to read would never wake anybody
        // again. The other way round it is only readable for nothing, once.
        self.eventfd.drain();
        self.set.store(false, SeqCst);
        if let Some(words) = self.shared.get() {
            words[0].store(0, SeqCst);
        }
    }

    /// Blocks the thread until it is set.
    pub(crate) fn wait(&self) -> io::Result<()> {
        wait(self.fd()?)
    }

    /// A descriptor that is readable while the latch is set.
    pub(crate) fn fd(&self) -> io::Result<Readable<'_>> {
        if !self.eventfd.is_made() {
            self.eventfd.make()?;
            // Whoever set the latch before there was a descriptor could not write to it.
            if self.is_set() {
                self.eventfd.fill();
            }
        }
        Ok(self.eventfd.readable())
    }
}
