//! The mailbox of a worker: what other threads have for it.
//!
//! Any thread posts, the worker takes everything at once. A worker that may be asleep in the kernel
//! has to be woken by its bell, and one that is busy must not be, because ringing is a system call:
//!
//! ```text
//!   post:   queue the letter; mail = 1;   swap asleep for 0   was 1 ──► ring
//!   sleep:  swap asleep for 1;            mail?                     ──► clear it, do not sleep
//! ```
//! `asleep` is written by swaps only, so they come one after the other, each seeing the one before.
//! If the poster's is later, it finds the worker asleep and rings; if it is earlier, the worker's
//! reads what it wrote and with that sees the mail: no letter is slept over. `models/` tries it.
//!
//! What it deliberately does not know: the bell itself, and what the letters mean.

use std::mem;

use crate::atomic::{AtomicU8, Latch, Ordering};

/// A queue from many threads to one.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    letters: Latch<Letters<T>>,
    /// 1 while there may be letters.
    mail: AtomicU8,
    /// 1 while the worker sleeps or is about to.
    asleep: AtomicU8,
}

#[derive(Debug)]
struct Letters<T> {
    queue: Vec<T>,
    closed: bool,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Mailbox<T> {
        Mailbox {
            letters: Latch::new(Letters { queue: Vec::new(), closed: false }),
            mail: AtomicU8::new(0),
            asleep: AtomicU8::new(0),
        }
    }

    /// Posts a letter, from any thread, and says whether the caller now has to ring the bell.
    ///
    /// # Errors
    /// The letter itself, when the mailbox is closed.
    pub(crate) fn post(&self, letter: T) -> Result<bool, T> {
        let mut letters = self.letters.lock();
        if letters.closed {
            return Err(letter);
        }
        letters.queue.push(letter);
        self.mail.store(1, Ordering::Relaxed);
        drop(letters);
        Ok(self.asleep.swap(0, Ordering::AcqRel) == 1)
    }

    /// Whether there may be letters.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Relaxed) == 1
    }

    /// Moves all letters into `taken`, which is empty.
    pub(crate) fn take(&self, taken: &mut Vec<T>) {
        let mut letters = self.letters.lock();
        self.mail.store(0, Ordering::Relaxed);
        mem::swap(&mut letters.queue, taken);
    }

    /// Says that the worker is about to sleep. False: it must not, there is mail.
    #[inline]
    pub(crate) fn fall_asleep(&self) -> bool {
        self.asleep.swap(1, Ordering::AcqRel);
        if self.mail.load(Ordering::Relaxed) == 0 {
            return true;
        }
        self.awake();
        false
    }

    /// Says that it no longer sleeps. Who does not see it at once rings in vain.
    #[inline]
    pub(crate) fn awake(&self) {
        self.asleep.swap(0, Ordering::AcqRel);
    }

    /// Refuses every later letter, and moves those that came before into `taken`.
    pub(crate) fn close(&self, taken: &mut Vec<T>) {
        let mut letters = self.letters.lock();
        letters.closed = true;
        self.mail.store(0, Ordering::Relaxed);
        taken.append(&mut letters.queue);
    }
}
