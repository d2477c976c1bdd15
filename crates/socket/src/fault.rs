//! Fault points, for tests only: the n-th accept, receive, send … fails as the test says.
//!
//! Tools outside the process see system calls, and operations of a ring are none. So the fault is
//! put where every driver makes its attempts: [`Operation::attempt`] consults the points, and a
//! driver that hands an operation to the kernel instead consults them itself, by [`consult`]. The
//! call is then not made; the error comes from here.
//!
//! ```text
//!   inject(Accept, EMFILE, 2, 3):   accept  1    2     3     4     5    …
//!                                           │  EMFILE EMFILE EMFILE │
//!                                         kernel                  kernel
//! ```
//! The points belong to the process and are atomics only, so that a forked child has a copy that
//! works. They also count, which is how a test sees that nobody spins, without a clock.
//!
//! Compiled only with the feature `fault-points`, which no program enables: without it there is not
//! an instruction of this. It knows no errno's meaning and delays nothing.

use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64};

use crate::seam::Operation;
use crate::sys::signal;

/// A kind of call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Taking a connection.
    Accept,
    /// Making one.
    Connect,
    /// Receiving, by whatever call.
    Recv,
    /// Sending, by whatever call.
    Send,
    /// Waiting for several descriptors at once, as accept loops do: `seam::wait_any`.
    Wait,
    /// Waiting for one descriptor, without a call that would move anything: `Operation::Ready`.
    Ready,
    /// Making a process, where the platform's call for it is consulted.
    Fork,
}

impl Call {
    /// What an operation counts as.
    #[must_use]
    pub fn of(operation: &Operation<'_>) -> Call {
        match operation {
            Operation::Accept { .. } => Call::Accept,
            Operation::Connect { .. } => Call::Connect,
            Operation::Recv { .. }
            | Operation::RecvFrom { .. }
            | Operation::RecvMsg(_)
            | Operation::RecvMmsg { .. }
            | Operation::SpliceIn { .. } => Call::Recv,
            Operation::Send { .. }
            | Operation::SendTo { .. }
            | Operation::SendMsg(_)
            | Operation::SendMmsg(_)
            | Operation::SendFile { .. }
            | Operation::SpliceOut { .. } => Call::Send,
            Operation::Ready(_) => Call::Ready,
        }
    }

    fn point(self) -> &'static Point {
        &POINTS[self as usize]
    }
}

/// Makes calls fail with `errno`: `count` of them, the first of which is the `from`-th from now on
/// (1: the next). It ends when the answer is dropped.
///
/// # Panics
/// If this call is already being made to fail: the two would spoil each other.
pub fn inject(call: Call, errno: i32, from: u64, count: u64) -> Injection {
    let point = call.point();
    assert!(!point.taken.swap(true, SeqCst), "{call:?} is being made to fail by somebody else");
    point.errno.store(errno, SeqCst);
    // In one step and last of all, for the calls go on meanwhile: none may be half counted.
    point.plan.store(plan(from.max(1) - 1, count), SeqCst);
    Injection { call, count: count.min(PASS - 1) }
}

/// Fails if the next call of this kind is to fail. Whoever is about to make one asks first.
///
/// # Errors
/// The injected one.
pub fn consult(call: Call) -> io::Result<()> {
    let point = call.point();
    point.calls.fetch_add(1, SeqCst);
    let step = |now| match (now / PASS, now % PASS) {
        (_, 0) => None,
        (0, fail) => Some(plan(0, fail - 1)),
        (pass, fail) => Some(plan(pass - 1, fail)),
    };
    match point.plan.fetch_update(SeqCst, SeqCst, step) {
        Ok(before) if before < PASS => Err(io::Error::from_raw_os_error(point.errno.load(SeqCst))),
        _ => Ok(()),
    }
}

/// How many calls of this kind have been attempted in this process so far.
#[must_use]
pub fn calls(call: Call) -> u64 {
    call.point().calls.load(SeqCst)
}

/// Lets SIGPIPE end the process again, which Rust's runtime prevents: what a program in another
/// language, or one that wants to die of a closed pipe, does to this crate.
///
/// # Errors
/// None.
pub fn let_sigpipe_kill() -> io::Result<()> {
    signal::let_kill(libc::SIGPIPE)
}

/// Calls that are being made to fail, until this is dropped.
#[derive(Debug)]
#[must_use = "the calls fail only for as long as this lives"]
pub struct Injection {
    call: Call,
    count: u64,
}

impl Injection {
    /// How many have failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.count - self.call.point().plan.load(SeqCst) % PASS
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        self.call.point().plan.store(0, SeqCst);
        self.call.point().taken.store(false, SeqCst);
    }
}

/// One kind of call: how often it was made, and which ones are to fail with what.
struct Point {
    calls: AtomicU64,
    /// How many calls are to pass, in units of [`PASS`], and how many are to fail after those.
    plan: AtomicU64,
    errno: AtomicI32,
    taken: AtomicBool,
}

/// One call that passes, in a plan.
const PASS: u64 = 1 << 32;

/// A plan; more than fits means for ever.
fn plan(pass: u64, fail: u64) -> u64 {
    pass.min(PASS - 1) * PASS + fail.min(PASS - 1)
}

static POINTS: [Point; Call::Fork as usize + 1] = [const {
    Point {
        calls: AtomicU64::new(0),
        plan: AtomicU64::new(0),
        errno: AtomicI32::new(0),
        taken: AtomicBool::new(false),
    }
}; Call::Fork as usize + 1];
