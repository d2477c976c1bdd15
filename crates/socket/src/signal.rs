//! Signals as descriptors: what a server needs in order to stop cleanly, to read its settings
//! again, and to say what it is doing.
//!
//! A signal handler may do next to nothing, so this one only writes to a descriptor. Everybody who
//! polls that descriptor sees it readable, and since nobody ever reads it, it stays so: a signal
//! cannot be missed, and any number of servers in one process see the same one.
//!
//! ```text
//!   SIGTERM, SIGINT ──► the first: asked()  becomes readable for good   "finish what you have"
//!                       the next:  again()  becomes readable for good   "stop at once"
//!                       a third of the same kind ends the process, as if nobody had taken it
//!   SIGHUP ───────────► each:      came()   becomes readable until take()  "read it all again"
//!   SIGQUIT ──────────► each:      came()   the same                       "what are you doing?"
//! ```
//! The last two can come any number of times, and several servers may want to know, each on its
//! own: so for each kind one descriptor is written to and never read, and everybody watches it
//! through an edge-triggered `epoll(7)` of their own, which forgets when it is told to, without
//! taking anything away from the others.
//!
//! A mask is inherited through every exec, so a program may be started with these signals blocked
//! by somebody who never knew; the thread that begins to take them lets them through.
//!
//! What it deliberately does not do: take a signal before somebody asks for it, or anything with
//! other signals, or with the masks of other threads.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::poll::Interest;
use crate::process::hold_forks;
use crate::sys::signal::{self, Handlers};

/// The process's requests to stop.
#[derive(Debug, Clone, Copy)]
pub struct StopSignals(&'static Handlers);

static HANDLERS: OnceLock<Handlers> = OnceLock::new();
static HUNG_UP: OnceLock<OwnedFd> = OnceLock::new();
static QUIT: OnceLock<OwnedFd> = OnceLock::new();

/// Begins to take SIGTERM and SIGINT for the whole process, instead of dying of them, and unblocks
/// them in the calling thread. Later calls answer the same descriptors.
///
/// # Errors
/// `EMFILE`, `ENFILE` out of descriptors.
pub fn stop_signals() -> io::Result<StopSignals> {
    let _one_at_a_time = lock();
    if let Some(handlers) = HANDLERS.get() {
        return Ok(StopSignals(handlers));
    }
    let handlers = Handlers::new()?;
    let handlers = HANDLERS.get_or_init(|| handlers);
    signal::install(handlers)?;
    Ok(StopSignals(handlers))
}

/// The signals of one kind that came, as one who waits for them sees them: each has its own.
#[derive(Debug)]
pub struct Notices(OwnedFd);

/// Begins to take SIGHUP for the whole process, instead of dying of it, and unblocks it in the
/// calling thread. Each answer tells of those that come after the call.
///
/// A process that was started with SIGHUP ignored, as `nohup(1)` does, takes it all the same, since
/// that is how a server is told to reload.
///
/// # Errors
/// `EMFILE`, `ENFILE` out of descriptors.
pub fn hang_ups() -> io::Result<Notices> {
    let _one_at_a_time = lock();
    let told = told(&HUNG_UP)?;
    signal::install_hang_up(told)?;
    Notices::of(told)
}

/// The same for SIGQUIT (Ctrl-\\ at a terminal), which would end the process with a core dump; also
/// where it was ignored, as a shell does for what it starts in the background. `None`: the program
/// has a handler of its own for it, which stays.
///
/// # Errors
/// `EMFILE`, `ENFILE` out of descriptors.
pub fn quits() -> io::Result<Option<Notices>> {
    let _one_at_a_time = lock();
    if signal::is_foreign_quit()? {
        return Ok(None);
    }
    let told = told(&QUIT)?;
    signal::install_quit(told)?;
    Notices::of(told).map(Some)
}

/// How many of the SIGQUITs that this process has taken were sent to it by a process. The others
/// came from its terminal, which tells every process of the group by itself: only one that was sent
/// needs to be passed on to children.
#[must_use]
pub fn sent_quits() -> u32 {
    signal::sent_quits()
}

/// The descriptor that is written to, made once.
fn told(place: &'static OnceLock<OwnedFd>) -> io::Result<&'static OwnedFd> {
    match place.get() {
        Some(told) => Ok(told),
        None => {
            let told = signal::eventfd()?;
            Ok(place.get_or_init(|| told))
        }
    }
}

fn lock() -> impl Sized {
    static FIRST: Mutex<()> = Mutex::new(());
    // A forked child takes it, too.
    let forks = hold_forks();
    (FIRST.lock().unwrap_or_else(PoisonError::into_inner), forks)
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

/// Makes the signals of a forked child its own. `stop`: SIGTERM is a request to stop, to it alone.
pub(crate) fn renew(stop: bool) -> io::Result<()> {
    let handlers = HANDLERS.get().map(|handlers| [&handlers.first, &handlers.second]);
    signal::renew(handlers.into_iter().flatten().chain(HUNG_UP.get()).chain(QUIT.get()))?;
    if stop {
        stop_signals()?;
        signal::take_sigterm()?;
    }
    Ok(())
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

    /// Whether a second one has come.
    #[must_use]
    pub fn came_again(&self) -> bool {
        Interest::READ.is_ready(self.again()).unwrap_or(false)
    }

    /// The signal that came first, `SIGINT` (2) or `SIGTERM` (15); `None` while there was none.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        signal::first_signal()
    }
}

impl Notices {
    /// Those that come from now on.
    fn of(told: &OwnedFd) -> io::Result<Notices> {
        let mine = Notices(signal::edge_of(told.as_fd())?);
        // What came before is not this one's.
        mine.take()?;
        Ok(mine)
    }

    /// Readable from a signal on, until [`take`](Notices::take) is called.
    #[must_use]
    pub fn came(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Whether any came since the last call. Several that come close together may count as one, as
    /// with every signal.
    ///
    /// # Errors
    /// None.
    pub fn take(&self) -> io::Result<bool> {
        signal::take_edge(self.0.as_fd())
    }
}
