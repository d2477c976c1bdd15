//! Forked children: made whole or not at all, never lost, never mistaken for another process.
//!
//! `fork(2)` copies the process and lets one of its threads go on in the copy. A [`Fork`] runs a
//! closure there and ends the copy, and sees to what a bare `fork` leaves to luck:
//!
//! ```text
//!   parent                                   child
//!   hold signals, stdout and stderr
//!   fork ─────────────────────────────────►  waits at the gate
//!   open a descriptor for the child          (ends, if the parent does)
//!   open the gate ────────────────────────►  signals of its own, no driver, other people's
//!   let go of signals, stdout, stderr        connections closed
//!   Child ◄── readable when it has ended ──  runs the closure, flushes stdout, _exit
//! ```
//! * **It never returns into the caller's code.** No destructor of the parent's values runs in the
//!   child, so it removes no path and flushes no buffer of its parent's. A panic ends it too, with
//!   status 101.
//! * **Connections.** A copied descriptor keeps a connection open after its owner has closed it,
//!   and its peer then never sees the end. So in the child every socket of connections that it was
//!   not [given](Fork::with_socket) is found closed by its peer. Its number stays taken, so what
//!   holds it cannot meet another file there. Everything else it inherits: standard input, output
//!   and error, files, pipes, datagram sockets.
//! * **Signals.** SIGINT, SIGTERM, SIGHUP and SIGQUIT are left to the parent, which hears a Ctrl-C
//!   too; unless the child has [stop signals of its own](Fork::with_stop_signals). SIGPIPE is
//!   ignored, SIGCHLD as usual. What the parent polls ([`crate::signal`]) is never written to by a
//!   child.
//! * **Locks.** A thread of the parent that holds a lock is not in the child to open it again. The
//!   C library sees to its own (memory, names), and a fork to those of std's standard output and
//!   error and of a panic being printed: a child may allocate, print and panic. A lock of the
//!   *program's* that another thread may hold is the program's business: a child that takes it may
//!   wait for ever, unless whoever holds it [holds forks back](hold_forks), as this crate does and
//!   those above it do. So are std's standard input, `panic::set_hook`, and a backtrace taken at
//!   that very moment without a panic.
//! * **Threads.** A thread that [`std::thread`] starts in a child may never begin, because another
//!   of the parent's was about to begin or end at that moment; one of [`start_thread`] does. The
//!   libraries above this one start no others.
//!
//!   A program that forks before it starts threads has none of these worries.
//! * **The end.** A [`Child`] cannot be missed: its descriptor becomes readable. It is waited for
//!   by that descriptor, so it leaves no zombie and its number cannot be taken for another's; also
//!   where SIGCHLD is ignored and the kernel keeps no list of the dead.
//!
//! What it deliberately does not do: `exec`, which [`std::process`] has.

mod holding;
mod printing;
mod threads;

use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use printing::Printing;

use crate::deadline::Deadline;
use crate::kinds::{Family, Type};
use crate::poll::Interest;
use crate::seam::{self, Memory, Watch, wait_any};
use crate::socket::Socket;
use crate::sys::process::{self as sys, Forked, Waited};
use crate::sys::signal;

pub use crate::sys::shared_words::SharedWords;
pub use holding::{HeldForks, hold_forks};
pub use threads::{Thread, start_thread};

/// A child to be forked. See the head of this file for what every one gets.
#[derive(Debug, Default)]
pub struct Fork<'a> {
    /// The numbers of the sockets it keeps.
    sockets: Vec<RawFd>,
    stop_signals: bool,
    last: Option<(Option<BorrowedFd<'a>>, Duration)>,
}

impl<'a> Fork<'a> {
    /// A child with no connection of its parent's, which leaves signals to its parent.
    #[must_use]
    pub fn new() -> Fork<'a> {
        Fork::default()
    }

    /// Lets the child keep a socket of connections.
    #[must_use]
    pub fn with_socket(mut self, socket: &impl AsFd) -> Fork<'a> {
        self.sockets.push(socket.as_fd().as_raw_fd());
        self
    }

    /// Lets the child take SIGTERM as a request to stop, told by
    /// [`stop_signals`](crate::signal::stop_signals) to it alone.
    #[must_use]
    pub fn with_stop_signals(mut self) -> Fork<'a> {
        self.stop_signals = true;
        self
    }

    /// Ends the child with its parent, or rather with the thread that forks it: what reads from
    /// `socket` sees the end of its input, and after `grace`, rounded up to seconds, SIGALRM ends
    /// the child. Without this a child outlives its parent.
    ///
    /// # Platform
    /// Linux: `PR_SET_PDEATHSIG`.
    #[must_use]
    pub fn ending_with_parent(
        mut self,
        socket: Option<BorrowedFd<'a>>,
        grace: Duration,
    ) -> Fork<'a> {
        self.sockets.extend(socket.map(|socket| socket.as_raw_fd()));
        self.last = Some((socket, grace));
        self
    }

    /// Forks, and runs `body` in the child, which ends with the status it answers. The parent only
    /// drops it.
    ///
    /// # Errors
    /// None leaves a child behind, and in none has `body` begun. `EAGAIN` at a limit of processes,
    /// `ENOMEM`; `EMFILE`, `ENFILE` out of descriptors.
    ///
    /// ```
    /// use socket::process::{Exit, Fork};
    ///
    /// let mut child = Fork::new().run(|| 3)?;
    /// assert_eq!(child.wait()?, Exit::Code(3));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn run(self, body: impl FnOnce() -> i32) -> io::Result<Child> {
        let parent = std::process::id();
        let gate = SharedWords::new(1)?;
        let (closed, _) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
        #[cfg(feature = "fault-points")]
        crate::fault::consult(crate::fault::Call::Fork)?;
        let mut printing = Printing::hold();
        printing.flush();
        // After standard output and error, see `hold_forks`.
        let excluded = holding::exclude();
        let held = signal::hold_all()?;
        let forked = sys::fork();
        if !matches!(forked, Ok(Forked::Child)) {
            signal::hold_as_before(&held);
        }
        match forked? {
            Forked::Child => in_child(move || {
                drop((printing, excluded));
                threads::enter_child();
                if !pass(&gate, parent)? {
                    return Ok(0);
                }
                drop(gate);
                seam::install(None);
                close_connections(&self.sockets, &closed)?;
                drop(closed);
                crate::signal::renew(self.stop_signals)?;
                self.attend_parent(parent)?;
                signal::hold_as_before(&held);
                Ok(body())
            }),
            Forked::Parent(pid) => {
                let fd = sys::pidfd_open(pid).inspect_err(|_| {
                    sys::kill(pid, libc::SIGKILL);
                    // There is nothing to learn from how it ended.
                    let _ = sys::wait_for(pid);
                })?;
                gate[0].store(1, SeqCst);
                sys::futex_wake(&gate[0]);
                let pid = u32::try_from(pid).expect("the number of a child is positive");
                Ok(Child { pid, parent, memory: Memory::default(), fd, exit: None })
            }
        }
    }

    /// In the child: from now on learns of the parent's end, or no longer does.
    fn attend_parent(&self, parent: u32) -> io::Result<()> {
        let Some((socket, grace)) = self.last else { return sys::signal_when_parent_ends(0) };
        let seconds = u32::try_from(grace.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
        signal::end_with_parent(socket, seconds)?;
        sys::signal_when_parent_ends(signal::parent_ended())?;
        if is_orphan(parent) {
            signal::raise(signal::parent_ended());
        }
        Ok(())
    }
}

/// The whole life of the child. Nothing of it comes out of here, neither a value nor a panic.
fn in_child(life: impl FnOnce() -> io::Result<i32>) -> ! {
    const FAILED: i32 = 101;
    let code = catch_unwind(AssertUnwindSafe(life));
    // Nobody is left to be told that standard output is gone.
    let _ = catch_unwind(|| io::stdout().flush());
    sys::exit(code.ok().and_then(Result::ok).unwrap_or(FAILED))
}

/// Waits until the parent knows its child; false if the parent has ended.
fn pass(gate: &SharedWords, parent: u32) -> io::Result<bool> {
    sys::signal_when_parent_ends(libc::SIGKILL)?;
    while gate[0].load(SeqCst) == 0 {
        if is_orphan(parent) {
            return Ok(false);
        }
        sys::futex_wait(&gate[0], 0);
    }
    Ok(true)
}

/// Zero is a parent in another PID namespace, of which nothing is known here.
fn is_orphan(parent: u32) -> bool {
    let now = sys::parent();
    now != 0 && u32::try_from(now) != Ok(parent)
}

/// Puts `closed` in the place of every socket of connections, except `kept` and what stands in the
/// place of standard input, output and error.
fn close_connections(kept: &[RawFd], closed: &Socket) -> io::Result<()> {
    let foreign = |fd: &RawFd| *fd > 2 && !kept.contains(fd) && *fd != closed.as_raw_fd();
    let open = open_descriptors();
    open.into_iter()
        .filter(|fd| foreign(fd) && sys::is_of_connections(*fd))
        .try_for_each(|fd| sys::replace(fd, closed.as_fd()))
}

/// The numbers of the open descriptors, and where the system does not list them, of all that may
/// be.
fn open_descriptors() -> Vec<RawFd> {
    const MOST: u64 = 65_536;
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        let number =
            |entry: io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
        return entries.filter_map(number).collect();
    }
    let limit = sys::descriptor_limit().min(MOST);
    (0..RawFd::try_from(limit).expect("it is at most MOST")).collect()
}

/// A forked child. When it is dropped before it has been waited for, it is killed.
///
/// Its descriptor becomes readable when it has ended; [`watch`](Child::watch) waits for that
/// among others.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    /// The process whose child it is. In a copy of that process this is nobody's child.
    parent: u32,
    /// What drivers know of the descriptor; dropped before it.
    memory: Memory,
    fd: OwnedFd,
    exit: Option<Exit>,
}

impl Child {
    /// Its number, for people: it may be another process's as soon as the child has been waited
    /// for.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// How it ended; `None` while it runs. Does not wait.
    ///
    /// # Errors
    /// None that can be provoked.
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            self.exit = match sys::wait_now(self.fd.as_fd())? {
                Waited::Running => None,
                Waited::Exited(code) => Some(Exit::Code(code)),
                Waited::Killed(signal) => Some(Exit::Signal(signal)),
                Waited::Unknown => Some(Exit::Unknown),
            };
        }
        Ok(self.exit)
    }

    /// Blocks the caller, thread or coroutine, until it has ended.
    ///
    /// # Errors
    /// As [`wait_any`].
    pub fn wait(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
            wait_any(&mut [self.watch()], Deadline::Never)?;
        }
    }

    /// Sends it a signal, such as `SIGKILL` (9). One that has ended gets none, and neither does
    /// whoever has its number by then.
    ///
    /// # Errors
    /// `EINVAL` for a number that is no signal; `EPERM` if it has become another user's.
    pub fn kill(&self, signal: i32) -> io::Result<()> {
        match sys::pidfd_send_signal(self.fd.as_fd(), signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            answer => answer,
        }
    }

    /// It, as one of several that a caller waits for.
    pub fn watch(&self) -> Watch<'_> {
        let target = self.memory.target(self.fd.as_fd());
        Watch { target, interest: Interest::READ, ready: false }
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.exit.is_none() && self.parent == std::process::id() {
            // One that cannot be killed because it has ended is waited for all the same.
            let _ = self.kill(libc::SIGKILL);
            let _ = self.wait();
        }
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended with this status; zero is what a body answers that did what it should.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nobody knows: the process ignores SIGCHLD, so the kernel keeps no account.
    Unknown,
}

impl Exit {
    /// Whether it ended with status zero.
    #[must_use]
    pub fn success(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(signal) => match SIGNALS.iter().find(|(number, _)| number == signal) {
                Some((_, name)) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {signal}"),
            },
            Exit::Unknown => f.write_str("ended, nobody knows how"),
        }
    }
}

/// The signals that end processes.
const SIGNALS: &[(i32, &str)] = &[
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGSYS, "SIGSYS"),
];
