//! The sleep of the patrol, which looks now and then for connections that wait for too long.
//!
//! While nothing is open it has nothing to look for and sleeps without a limit. Whatever opens then
//! wakes it, and so does a handler that sets itself a shorter limit than any before. It writes down
//! that it sleeps before it looks once more; who opens looks for that afterwards. The models try
//! every order of these steps.

use std::sync::atomic::Ordering::SeqCst;

use crate::atomic::AtomicBool;
use crate::latch::Latch;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Patrol {
    rests: AtomicBool,
    /// Set to wake it.
    pub(crate) wake: Latch,
}

impl Patrol {
    /// Something has opened.
    pub(crate) fn opened(&self) {
        if self.rests.load(SeqCst) {
            self.wake.set();
        }
    }

    /// May it sleep until something opens? Not if something `is_open` already.
    pub(crate) fn rest(&self, is_open: impl FnOnce() -> bool) -> bool {
        self.rests.store(true, SeqCst);
        // One may have opened before it could see that the patrol sleeps.
        let may = !is_open();
        if !may {
            self.rests.store(false, SeqCst);
        }
        may
    }

    /// It is awake, whatever woke it. Who sets `wake` now was seen to, or costs it one more look.
    pub(crate) fn woken(&self) {
        self.rests.store(false, SeqCst);
        self.wake.clear();
    }
}
