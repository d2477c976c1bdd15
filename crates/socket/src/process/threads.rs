//! Threads that a forked child may start as well.
//!
//! std keeps a list of its threads, for the message about a stack that is too small, under a lock
//! that each takes as it begins and as it ends. A child that was forked at such a moment finds it
//! locked for ever, and a thread that std starts there never gets as far as its first line. In a
//! child, threads are therefore made by the C library itself and are not in that list.
//!
//! It deliberately keeps std's threads everywhere else: a debugger and a panic know their names.

use std::ffi::CString;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::sys::thread::Thread as OwnThread;

/// Set in a forked child, and so in all of its own.
static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// The stack of a thread: what std gives one unless it is told otherwise. Only what is touched
/// costs.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// From now on threads are those of a forked child.
pub(super) fn enter_child() {
    IN_CHILD.store(true, Relaxed);
}

/// Starts a thread called `name` (empty: not called anything; a zero ends it), with 2 MiB of stack.
/// It is one of std's, except in a child of [`Fork`](super::Fork), where those may never begin: see
/// there. In a child a panic calls it `<unnamed>`, and an overflow of its stack ends the process
/// without a message.
///
/// # Errors
/// `EAGAIN` at a limit of threads, `ENOMEM`; `body` is dropped.
///
/// ```
/// use socket::process::{Fork, start_thread};
///
/// let mut child = Fork::new().run(|| {
///     let sum = start_thread("sum", || 40 + 2).expect("a thread is left");
///     sum.join().expect("it does not panic")
/// })?;
/// assert_eq!(child.wait()?, socket::process::Exit::Code(42));
/// # std::io::Result::Ok(())
/// ```
pub fn start_thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Thread<T>> {
    let name = name.split('\0').next().unwrap_or_default();
    if IN_CHILD.load(Relaxed) {
        return start_own(name, body);
    }
    let mut builder = thread::Builder::new().stack_size(STACK_BYTES);
    if !name.is_empty() {
        builder = builder.name(name.to_owned());
    }
    Ok(Thread(Running::Std(builder.spawn(body)?)))
}

fn start_own<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Thread<T>> {
    let outcome = Outcome::default();
    let theirs = Arc::clone(&outcome);
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(body));
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    };
    let name = CString::new(name).expect("it ends where a zero is");
    let thread = OwnThread::start(name, STACK_BYTES, Box::new(body))?;
    Ok(Thread(Running::Own(thread, outcome)))
}

/// A thread of [`start_thread`]. When it is dropped, the thread goes on alone.
pub struct Thread<T>(Running<T>);

/// What a thread has come to; its own reference to that is gone when it has ended.
type Outcome<T> = Arc<Mutex<Option<thread::Result<T>>>>;

enum Running<T> {
    Std(thread::JoinHandle<T>),
    Own(OwnThread, Outcome<T>),
}

impl<T> Thread<T> {
    /// Waits for its end, which holds up the calling thread, and answers what it returned.
    ///
    /// # Errors
    /// What it panicked with.
    pub fn join(self) -> thread::Result<T> {
        match self.0 {
            Running::Std(thread) => thread.join(),
            Running::Own(thread, outcome) => {
                thread.join();
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                outcome.take().expect("it has ended, and leaves a result in any case")
            }
        }
    }

    /// Whether it is done, so that [`join`](Thread::join) waits for a moment at most.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Running::Std(thread) => thread.is_finished(),
            Running::Own(_, outcome) => Arc::strong_count(outcome) == 1,
        }
    }
}

impl<T> fmt::Debug for Thread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
