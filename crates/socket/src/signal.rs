//! Signals as descriptors: what a server needs in order to stop cleanly.
//!
//! A signal handler may do next to nothing, so this one only writes to a descriptor. Everybody who
//! polls that descriptor sees it readable, and since nobody ever reads it, it stays so: a signal
//! cannot be missed, and any number of servers in one process see the same one.
//!
//! ```text
//!   SIGTERM, SIGINT ──► the first: asked()  becomes readable for good   "finish what you have"
//!                       the next:  again()  becomes readable for good   "stop at once"
//!                       a third of the same kind ends the process, as if nobody had taken it
//! ```
//! A mask is inherited through every exec, so a program may be started with these signals blocked
//! by somebody who never knew; the thread that begins to take them lets them through.
//!
//! What it deliberately does not do: anything with other signals, or with the masks of other
//! threads.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use crate::sys::signal::{self, Handlers};

/// The process's requests to stop.
#[derive(Debug, Clone, Copy)]
pub struct StopSignals(&'static Handlers);

/// Begins to take SIGTERM and SIGINT for the whole process, instead of dying of them, and unblocks
/// them in the calling thread. Later calls answer the same descriptors.
///
/// # Errors
/// `EMFILE`, `ENFILE` out of descriptors.
pub fn stop_signals() -> io::Result<StopSignals> {
    static HANDLERS: OnceLock<Handlers> = OnceLock::new();
    static FIRST: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = FIRST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handlers) = HANDLERS.get() {
        return Ok(StopSignals(handlers));
    }
    let handlers = Handlers::new()?;
    let handlers = HANDLERS.get_or_init(|| handlers);
    signal::install(handlers)?;
    Ok(StopSignals(handlers))
}

/// For tests of what an interruption does: SIGUSR1 interrupts system calls from now on. Not part
/// of the interface.
///
/// # Errors
/// None.
#[doc(hidden)]
pub fn interrupt_calls_by_sigusr1() -> io::Result<()> {
    signal::let_interrupt(libc::SIGUSR1)
}

impl StopSignals {
    /// Readable from the first SIGTERM or SIGINT on: finish what is under way.
    #[must_use]
    pub fn asked(&self) -> BorrowedFd<'static> {
        self.0.first.as_fd()
    }

    /// Readable from the second one on: stop at once.
    #[must_use]
    pub fn again(&self) -> BorrowedFd<'static> {
        self.0.second.as_fd()
    }

    /// The signal that came first, `SIGINT` (2) or `SIGTERM` (15); `None` while there was none.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        signal::first_signal()
    }
}
