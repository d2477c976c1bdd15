//! What a ring has run short of: a word from the worker to whoever watches it.
//!
//! ```text
//!   never ── it happens, on the worker ──► noted ── somebody asks ──► told, and so for good
//! ```
//! Neither shortage loses anything, and the worker goes on by itself. But it is slower than it
//! could be while one lasts, so whoever runs it should hear of it, once.
//!
//! What it deliberately does not do: count. How often it happens says how the load comes, which
//! others measure better.

use std::fmt;

use crate::atomic::{AtomicU8, Ordering};

/// What the ring of a [`Worker`](crate::Worker) has run short of, see
/// [`Remote::shortage`](crate::Remote::shortage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortage {
    /// Buffers to receive into (`ENOBUFS`): more came in at one moment than were laid out.
    Buffers,
    /// Room for completions (`IORING_SQ_CQ_OVERFLOW`): more operations ended at one moment.
    Completions,
}

impl Shortage {
    const ALL: [Shortage; 2] = [Shortage::Buffers, Shortage::Completions];
}

/// What it means, in one line.
impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shortage::Buffers => {
                "more came in at once than it has buffers for; the rest is received by calls, and \
                 nothing is lost"
            }
            Shortage::Completions => {
                "more ended at once than it has room for; the kernel keeps the rest, and nothing \
                 is lost"
            }
        })
    }
}

/// What one worker has run short of.
#[derive(Debug, Default)]
pub(crate) struct Shortages([AtomicU8; Shortage::ALL.len()]);

const NEVER: u8 = 0;
const NOTED: u8 = 1;
const TOLD: u8 = 2;

impl Shortages {
    /// Notes that it happened.
    #[cold]
    pub(crate) fn note(&self, shortage: Shortage) {
        self.step(shortage, NEVER, NOTED);
    }

    /// One that happened and was not taken before.
    pub(crate) fn take(&self) -> Option<Shortage> {
        Shortage::ALL.into_iter().find(|shortage| self.step(*shortage, NOTED, TOLD))
    }

    fn step(&self, shortage: Shortage, from: u8, to: u8) -> bool {
        let state = &self.0[shortage as usize];
        state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once() {
        let shortages = Shortages::default();
        assert_eq!(shortages.take(), None);
        for shortage in Shortage::ALL {
            for told in [Some(shortage), None] {
                shortages.note(shortage);
                shortages.note(shortage);
                assert_eq!(shortages.take(), told);
                assert_eq!(shortages.take(), None);
            }
        }
    }
}
