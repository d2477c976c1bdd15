//! The locks of std that every program's threads take now and then: those of standard output, of
//! standard error, and of the panic that is being printed. A fork holds them, so that no thread
//! that is missing in the child has them there for ever.
//!
//! For the last one std has no handle. So the first fork puts a panic hook around the one there is,
//! which does nothing but note that a panic is being printed. A hook that is set later and does not
//! call the one before it does without.

use std::io::{self, StderrLock, StdoutLock, Write};
use std::panic::{set_hook, take_hook};
use std::sync::{Once, PoisonError, RwLock, RwLockWriteGuard};

/// Held to read while a panic is being printed.
static PANICS: RwLock<()> = RwLock::new(());

/// Nobody but this thread prints.
pub(super) struct Printing {
    /// Before the others: while a panic is printed, its thread takes standard error.
    _panics: RwLockWriteGuard<'static, ()>,
    stdout: StdoutLock<'static>,
    _stderr: StderrLock<'static>,
}

impl Printing {
    /// Waits until nobody prints, and keeps it so.
    pub(super) fn hold() -> Printing {
        static HOOK: Once = Once::new();
        if !std::thread::panicking() {
            HOOK.call_once(|| {
                let before = take_hook();
                set_hook(Box::new(move |panic| {
                    let _printing = PANICS.read().unwrap_or_else(PoisonError::into_inner);
                    before(panic);
                }));
            });
        }
        Printing {
            _panics: PANICS.write().unwrap_or_else(PoisonError::into_inner),
            stdout: io::stdout().lock(),
            _stderr: io::stderr().lock(),
        }
    }

    /// Empties the buffer of standard output, which otherwise two processes would write.
    pub(super) fn flush(&mut self) {
        // Whether it can be written is not the business of a fork.
        let _ = self.stdout.flush();
    }
}
