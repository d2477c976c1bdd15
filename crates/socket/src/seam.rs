//! The seam: a socket blocks its caller, and the current thread decides who that is.
//!
//! Every blocking call of this crate is an [`Operation`]: "accept a connection before this
//! deadline". The thread's [`Driver`] performs it. Without one, the thread itself waits in the
//! kernel. A coroutine worker installs its own with [`install`], which parks the coroutine and runs
//! others meanwhile. Handlers, services and every protocol crate over `Read + Write` are the same
//! in both cases and do not change when another driver arrives.
//!
//! ```text
//!   Socket::accept ─► Operation::Accept ─► perform ─┬─► no driver: accept(2), the thread sleeps
//!                                                   └─► driver:    try, park the caller, try again
//!                                                                  or hand it to the kernel's ring
//!   Socket::recv ─────────────────────────► recv ───┴─► the same, nothing written down
//!   Socket::send ─────────────────────────► send
//! ```
//! The two calls that every message makes, `recv(2)` and `send(2)` without flags, have ways of
//! their own: to write an operation down and to read it again would cost more than all else. A
//! driver that does not care performs the operation that they stand for.
//!
//! An operation, not a readiness: a ring can complete it, and a poller can attempt it, wait for
//! [`Operation::interest`] and attempt it again. The rules a driver keeps:
//!
//! * An interrupted call is tried again with the time that is left. `EINTR` is nobody's problem.
//! * A passed deadline is `ErrorKind::TimedOut`. What [`is_pending`] is said only for
//!   [`Deadline::Immediate`].
//! * A driver belongs to its thread and is never used from another one.
//!
//! The operations themselves are in `operation.rs`.
//!
//! What it deliberately does not hold: which coroutine runs next, timers, pools. Those are the
//! driver's own business.

use std::cell::Cell;
use std::io;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use crate::deadline::Deadline;
use crate::poll::Interest;
use crate::sys::transfer::Sheltered;
use crate::sys::{call, option};
use crate::thread_driver;

pub use crate::operation::{Operation, Peer, Waiting, is_pending};
pub use crate::sys::batch::SendMmsg;
pub use crate::sys::message::{RecvMsg, SendMsg};

/// Whoever performs the blocking operations of one thread.
pub trait Driver {
    /// Runs `operation` on `target` until it is done, has failed, or `deadline` has passed, and
    /// answers the number of bytes moved (zero for operations that move none).
    ///
    /// # Errors
    /// What the system call says, unchanged; `TimedOut` when the deadline passed first.
    fn perform(
        &self,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        deadline: Deadline,
    ) -> io::Result<usize>;

    /// [`Operation::Recv`] without flags, into a buffer that is not empty, by a way of its own.
    ///
    /// # Errors
    /// As [`perform`](Driver::perform).
    fn recv(&self, target: Target<'_>, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        self.perform(target, &mut Operation::Recv { buffer, flags: 0 }, deadline)
    }

    /// [`recv`](Driver::recv), into a buffer that the driver may take away while the caller waits,
    /// and then has to put there again, the same or another, if anything was received.
    ///
    /// # Errors
    /// As [`perform`](Driver::perform).
    fn recv_lent(
        &self,
        target: Target<'_>,
        buffer: &mut Option<Buffer>,
        deadline: Deadline,
        patience: Patience,
    ) -> io::Result<usize> {
        let _ = patience;
        self.recv(target, &mut buffer.get_or_insert_with(new_buffer)[..], deadline)
    }

    /// Takes a buffer back, see [`give_back`].
    fn give_back(&self, buffer: Buffer) {
        drop(buffer);
    }

    /// [`Operation::Send`] without flags, by a way of its own.
    ///
    /// # Errors
    /// As [`perform`](Driver::perform).
    fn send(&self, target: Target<'_>, bytes: &[u8], deadline: Deadline) -> io::Result<usize> {
        self.perform(target, &mut Operation::Send { bytes, flags: 0 }, deadline)
    }

    /// Blocks the caller until at least one of `watches` is ready, and marks those that are.
    ///
    /// # Errors
    /// `TimedOut` when the deadline passed first; `WouldBlock` for [`Deadline::Immediate`] when
    /// none is ready; what the system says when it cannot wait.
    fn wait_any(&self, watches: &mut [Watch<'_>], deadline: Deadline) -> io::Result<()>;

    /// Blocks the caller until `deadline`. [`Deadline::Never`] blocks for ever.
    fn sleep(&self, deadline: Deadline);

    /// Runs `work`, which blocks in some way that no driver can turn into waiting (a library, a
    /// disk), and blocks the caller meanwhile. Returns when it has been run.
    fn blocking(&self, work: Box<dyn FnOnce() + Send>);

    /// Told before a descriptor with a [`memory`](Target::memory) that is not zero is closed or
    /// given away. It may be the word of another thread's driver, and another driver may be told.
    fn forget(&self, memory: u64);
}

/// The memory of one receive, see [`recv_lent`].
pub type Buffer = Box<[u8; BUFFER_BYTES]>;

/// Bytes of a [`Buffer`]: what most messages fit into with room to spare, and enough for the system
/// calls of a bulk transfer not to matter. A receive that fills its buffer has to be followed by
/// another that may find nothing, so this is more than the 16 KiB in which many programs write.
pub const BUFFER_BYTES: usize = 32 * 1024;

/// For how long a caller wants to be kept waiting in [`recv_lent`], beside its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// For as long as it takes.
    Endless,
    /// Until the driver would rather have back what the wait costs, a stack say: then the call
    /// fails with `TimedOut`, nothing is lost, and the caller can wait in a cheaper way.
    UntilIdle,
}

/// The descriptor of an operation, with what drivers keep about it. Two words, so that it is passed
/// in registers.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The descriptor.
    pub fd: BorrowedFd<'a>,
    memory: &'a Memory,
}

impl<'a> Target<'a> {
    /// A word of the installed driver's own, zero at first. A socket may move between threads with
    /// its word, so a driver must recognise a word that it did not write.
    #[inline]
    #[must_use]
    pub fn memory(&self) -> &'a AtomicU64 {
        &self.memory.word
    }

    /// Whether the socket was made non-blocking by its owner: the open file has `O_NONBLOCK` then,
    /// unless somebody else who shares the file has taken it away.
    #[inline]
    #[must_use]
    pub fn is_nonblocking(&self) -> bool {
        self.memory.nonblocking.load(Relaxed)
    }

    /// Whether it is known to be TCP with nothing on top: a receive that did not fill its buffer
    /// has emptied it then. So it is known of what a driven thread accepts.
    #[inline]
    #[must_use]
    pub fn is_plain_tcp(&self) -> bool {
        self.memory.plain_tcp.load(Relaxed) == YES
    }

    /// The receive limit that the thread driver last gave the kernel, in milliseconds; zero: none.
    pub(crate) fn kernel_limit(&self) -> &'a AtomicU32 {
        &self.memory.kernel_limit
    }
}

/// What drivers keep about one descriptor for as long as it is open. A [`Socket`](crate::Socket)
/// has its own; whoever waits for another descriptor with [`wait_any`] keeps one beside it.
#[derive(Debug, Default)]
pub struct Memory {
    word: AtomicU64,
    /// Milliseconds of `SO_RCVTIMEO`, see `Target::kernel_limit`.
    pub(crate) kernel_limit: AtomicU32,
    /// See [`Target::is_nonblocking`].
    pub(crate) nonblocking: AtomicBool,
    /// See [`Target::is_plain_tcp`]: [`YES`], [`NO`], or zero, which is not known.
    plain_tcp: AtomicU8,
}

const YES: u8 = 1;
const NO: u8 = 2;

impl Memory {
    /// The target of an operation on `fd`, which must be the same descriptor each time.
    #[inline]
    pub fn target<'a>(&'a self, fd: BorrowedFd<'a>) -> Target<'a> {
        Target { fd, memory: self }
    }

    /// Notes what was accepted by the listener `by`, of which is asked once.
    #[inline]
    pub(crate) fn accepted(&self, by: Target<'_>) {
        if by.memory.plain_tcp.load(Relaxed) == 0 {
            let known = if is_plain_tcp(by.fd) { YES } else { NO };
            by.memory.plain_tcp.store(known, Relaxed);
        }
        self.plain_tcp.store(by.memory.plain_tcp.load(Relaxed), Relaxed);
    }

    /// Forgets what drivers know of its kind, which is about to change.
    pub(crate) fn changes(&self) {
        self.plain_tcp.store(NO, Relaxed);
        self.word.store(0, Relaxed);
    }
}

/// Tells the driver: so drop it before the descriptor.
impl Drop for Memory {
    #[inline]
    fn drop(&mut self) {
        let word = *self.word.get_mut();
        if word != 0 {
            forget(word);
        }
    }
}

/// One of several descriptors that a caller waits for at once, see [`wait_any`].
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// The descriptor, with the driver's word about it.
    pub target: Target<'a>,
    /// What it is waited for.
    pub interest: Interest,
    /// Whether it has any of it, after the wait. An error or a hang-up counts.
    pub ready: bool,
}

thread_local! {
    static DRIVER: Cell<Option<&'static dyn Driver>> = const { Cell::new(None) };
}

/// Makes `driver` the one that performs this thread's operations; `None` gives them back to the
/// thread itself. Answers the one before.
pub fn install(driver: Option<&'static dyn Driver>) -> Option<&'static dyn Driver> {
    DRIVER.replace(driver)
}

/// While it lives, SIGPIPE is blocked in this thread; one that was raised is gone afterwards. A
/// driver's thread has it, so that a call without a flag against that signal, `sendfile(2)`, need
/// not ask each time whether the process ignores it.
#[derive(Debug)]
#[must_use]
pub struct WithoutSigpipe(#[expect(dead_code, reason = "it is held")] Sheltered);

impl WithoutSigpipe {
    /// From now on.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> WithoutSigpipe {
        WithoutSigpipe(Sheltered::new())
    }
}

/// The driver of this thread.
#[inline]
#[must_use]
pub fn installed() -> Option<&'static dyn Driver> {
    DRIVER.get()
}

/// Whether somebody drives this thread: then no call here waits in the kernel.
#[inline]
pub(crate) fn is_driven() -> bool {
    DRIVER.get().is_some()
}

/// Performs `operation` by whoever drives this thread.
///
/// # Errors
/// As [`Driver::perform`].
#[inline]
pub fn perform(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    match DRIVER.get() {
        None => thread_driver::perform(target, operation, deadline),
        Some(driver) => driver.perform(target, operation, deadline),
    }
}

/// [`Operation::Recv`] without flags, by whoever drives this thread, into a buffer that is not
/// empty. Where nobody does and nothing limits the call, it is the system call alone.
///
/// # Errors
/// As [`perform`].
#[inline]
pub fn recv(target: Target<'_>, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
    match DRIVER.get() {
        Some(driver) => driver.recv(target, buffer, deadline),
        None if SHORT_WAY && matches!(deadline, Deadline::Never) => {
            match call::recv(target.fd, buffer, 0) {
                Err(error) => go_on(target, &mut Operation::Recv { buffer, flags: 0 }, error),
                done => done,
            }
        }
        None => perform_apart(target, &mut Operation::Recv { buffer, flags: 0 }, deadline),
    }
}

/// [`recv`], into a buffer that is there when something has been received. While the caller waits
/// it may be elsewhere: ten thousand connections that wait for their peers need not have ten
/// thousand buffers, and what is lent again is still in the processor's cache.
///
/// # Errors
/// As [`perform`].
#[inline]
pub fn recv_lent(
    target: Target<'_>,
    buffer: &mut Option<Buffer>,
    deadline: Deadline,
    patience: Patience,
) -> io::Result<usize> {
    match DRIVER.get() {
        Some(driver) => driver.recv_lent(target, buffer, deadline, patience),
        None => recv(target, &mut buffer.get_or_insert_with(new_buffer)[..], deadline),
    }
}

/// Gives back a buffer of [`recv_lent`]'s that is needed no longer. Dropping it does no harm.
pub fn give_back(buffer: Buffer) {
    if let Some(driver) = DRIVER.get() {
        driver.give_back(buffer);
    }
}

/// A buffer of zeros.
#[must_use]
pub fn new_buffer() -> Buffer {
    // By way of a vector, which is not made on the stack first.
    let bytes = vec![0; BUFFER_BYTES].into_boxed_slice();
    bytes.try_into().expect("it has so many bytes")
}

/// [`Operation::Send`] without flags, as [`recv`].
///
/// # Errors
/// As [`perform`].
#[inline(always)]
pub fn send(target: Target<'_>, bytes: &[u8], deadline: Deadline) -> io::Result<usize> {
    match DRIVER.get() {
        Some(driver) => driver.send(target, bytes, deadline),
        None if SHORT_WAY && matches!(deadline, Deadline::Never) => {
            match call::send(target.fd, bytes, libc::MSG_NOSIGNAL) {
                Err(error) => go_on(target, &mut Operation::Send { bytes, flags: 0 }, error),
                done => done,
            }
        }
        None => perform_apart(target, &mut Operation::Send { bytes, flags: 0 }, deadline),
    }
}

/// One attempt of [`Driver::recv`] that does not wait: what [`Operation::attempt`] is to
/// [`Driver::perform`].
///
/// # Errors
/// As [`Operation::attempt`].
#[inline]
pub fn try_recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    #[cfg(feature = "fault-points")]
    crate::fault::consult(crate::fault::Call::Recv)?;
    call::recv(fd, buffer, libc::MSG_DONTWAIT)
}

/// One attempt of [`Driver::send`] that does not wait.
///
/// # Errors
/// As [`Operation::attempt`].
#[inline]
pub fn try_send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(feature = "fault-points")]
    crate::fault::consult(crate::fault::Call::Send)?;
    call::send(fd, bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
}

/// After such a call failed: what the thread's own driver does then.
#[cold]
fn go_on(target: Target<'_>, operation: &mut Operation<'_>, error: io::Error) -> io::Result<usize> {
    thread_driver::go_on(target, operation, error)
}

/// The thread's own [`perform`], kept out of the two above, which are to be inlined.
#[inline(never)]
fn perform_apart(
    target: Target<'_>,
    operation: &mut Operation<'_>,
    deadline: Deadline,
) -> io::Result<usize> {
    thread_driver::perform(target, operation, deadline)
}

/// Blocks the caller until at least one of several sockets is ready, and marks those that are. This
/// is the one place where anything of this crate waits for more than one.
///
/// # Errors
/// As [`Driver::wait_any`].
pub fn wait_any(watches: &mut [Watch<'_>], deadline: Deadline) -> io::Result<()> {
    #[cfg(feature = "fault-points")]
    crate::fault::consult(crate::fault::Call::Wait)?;
    match DRIVER.get() {
        None => thread_driver::wait_any(watches, deadline),
        Some(driver) => driver.wait_any(watches, deadline),
    }
}

/// Blocks the caller until `deadline`, thread or coroutine.
pub fn sleep(deadline: Deadline) {
    match DRIVER.get() {
        None => thread_driver::sleep(deadline),
        Some(driver) => driver.sleep(deadline),
    }
}

/// Runs `work` where it may block for as long as it likes, and blocks the caller, thread or
/// coroutine, until it is done. On a plain thread that is the thread itself.
///
/// # Panics
/// If `work` does.
pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let Some(driver) = DRIVER.get() else { return work() };
    let answer = Arc::new(Mutex::new(None));
    let given = Arc::clone(&answer);
    driver.blocking(Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        *given.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
    }));
    let done = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
    done.expect("a driver returns when the work is done")
        .unwrap_or_else(|panic| resume_unwind(panic))
}

/// Whether it is TCP without an upper layer protocol (`TCP_ULP`), through which bytes would not
/// come as they arrive. Four system calls.
#[must_use]
pub fn is_plain_tcp(fd: BorrowedFd<'_>) -> bool {
    let is = |name, wanted: &[i32]| {
        let value = option::getsockopt(fd, libc::SOL_SOCKET, name, &mut [0; 4]).map(i32_of);
        value.is_ok_and(|value| value.is_some_and(|value| wanted.contains(&value)))
    };
    is(libc::SO_DOMAIN, &[libc::AF_INET, libc::AF_INET6])
        && is(libc::SO_TYPE, &[libc::SOCK_STREAM])
        && is(libc::SO_PROTOCOL, &[libc::IPPROTO_TCP])
        && option::getsockopt(fd, libc::SOL_TCP, libc::TCP_ULP, &mut [0; 16])
            .is_ok_and(|name| name.is_empty())
}

fn i32_of(bytes: &[u8]) -> Option<i32> {
    bytes.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
}

/// Tells the driver that a descriptor it remembered goes away.
fn forget(memory: u64) {
    if let Some(driver) = DRIVER.get() {
        driver.forget(memory);
    }
}

/// Whether the two short ways are open. They pass by the attempt, where faults are injected.
const SHORT_WAY: bool = !cfg!(feature = "fault-points");
