//! Everything that happens to a server, as one enum, and the numbers counted from it.
//!
//! The log, the counters, the program and later a dashboard all read these. An event is told on
//! the thread where it happens, while it happens: a subscriber must be quick.

use std::fmt;
use std::io;
use std::iter::Sum;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use socket::process::{Exit, SharedWords};
use socket::{Address, SockAddr};

use crate::description::Description;
use crate::engine::Engine;
use crate::error::{is_disconnect, plain};

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A listener takes connections.
    Listening {
        /// Where, with port 0 resolved.
        address: &'a Address,
        /// What it serves.
        service: &'a str,
        /// What runs it.
        engine: Engine,
        /// How the engine is set up, in words: `io_uring, 2 workers`, or `epoll (io_uring: denied
        /// …), 2 workers`; empty where there is no choice.
        setup: &'a str,
    },
    /// A connection (or a datagram) was given to its handler.
    Opened {
        /// Which.
        connection: &'a Summary,
    },
    /// Bytes were received or sent. Told only with
    /// [`with_message_events`](crate::Server::with_message_events).
    Message {
        /// Which.
        connection: &'a Summary,
        /// Which way.
        direction: Direction,
        /// How many.
        bytes: usize,
    },
    /// A connection is over. Not told of one whose handler did not return by the end of a drain:
    /// that is counted there.
    Closed {
        /// Which.
        connection: &'a Summary,
        /// How long it lasted.
        elapsed: Duration,
        /// Bytes received; zero where a process that served it was killed, and could not tell.
        received: u64,
        /// Bytes sent; zero for the same.
        sent: u64,
        /// Why.
        reason: &'a CloseReason,
    },
    /// A connection was closed before any handler saw it.
    Refused {
        /// Which.
        connection: &'a Summary,
        /// Why.
        why: Refusal,
    },
    /// A connection could not be accepted. Told at most once a second for each listener.
    AcceptFailed {
        /// Where.
        address: &'a Address,
        /// Why.
        error: &'a io::Error,
        /// How long the listener rests, if the system is short of something.
        pause: Option<Duration>,
    },
    /// A handler panicked. Its connection is closed; nothing else is affected.
    Panicked {
        /// Which.
        connection: &'a Summary,
        /// What the panic said.
        message: &'a str,
    },
    /// A handler keeps its worker from every other connection there: it computes, or blocks in
    /// something that does not park it. Told once for each time; nothing is ended.
    Stalled {
        /// Its connection, as a [`Summary`] prints.
        handler: &'a str,
        /// For how long already.
        elapsed: Duration,
        /// Where it was then, the newest frame first. In debug builds only, and for one handler in
        /// a second.
        backtrace: Option<&'a str>,
    },
    /// A worker of the coroutine engine has no ring, although one was to be had when the server
    /// started, and runs on epoll. It serves all the same. Told of the first such worker only.
    WorkerFellBack {
        /// Why.
        why: &'a str,
    },
    /// The ring of a worker of the coroutine engine has run short of something for a moment. The
    /// worker goes on, and nothing is lost. Told once of each thing, of the first worker only, and
    /// not at once: when the server next looks for deadlines, or at its end.
    RingShort {
        /// Of what, and what that means.
        why: &'a str,
    },
    /// Somebody asked by SIGQUIT what the server is doing. Told once by each process that has
    /// connections, see [`with_signals`](crate::Server::with_signals).
    Described {
        /// It.
        description: &'a Description,
    },
    /// The hook of [`with_reload`](crate::Server::with_reload) has run.
    Reloaded {
        /// What it failed with, if it did; the server goes on as before.
        error: Option<&'a io::Error>,
    },
    /// The service manager that `NOTIFY_SOCKET` names cannot be told how the server is. Told once;
    /// the server goes on.
    NotifyFailed {
        /// Why.
        error: &'a io::Error,
    },
    /// A worker process has begun to serve.
    WorkerStarted {
        /// Its process.
        pid: u32,
    },
    /// A worker process has ended without having been asked to.
    WorkerDied {
        /// Its process.
        pid: u32,
        /// How it ended.
        exit: Exit,
        /// When its successor starts; `None` if it has none.
        pause: Option<Duration>,
    },
    /// A worker process could not be started: the system is short of something.
    WorkerNotStarted {
        /// Why.
        error: &'a io::Error,
        /// When it is tried again.
        pause: Duration,
    },
    /// The server takes no more connections and lets the open ones finish.
    DrainBegan {
        /// How many are open.
        open: usize,
        /// How long they may take.
        grace: Duration,
    },
    /// The server has ended.
    DrainEnded {
        /// How many connections were cut off.
        cut: usize,
    },
}

impl Event<'_> {
    /// The connection (or datagram) that it happened to, if it did to one.
    #[must_use]
    pub fn connection(&self) -> Option<&Summary> {
        match self {
            Event::Opened { connection }
            | Event::Message { connection, .. }
            | Event::Closed { connection, .. }
            | Event::Refused { connection, .. }
            | Event::Panicked { connection, .. } => Some(connection),
            _ => None,
        }
    }
}

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// What identifies a connection.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its number, from 1, in the order of arrival at this server.
    pub id: u64,
    /// The listener it arrived at: its index in
    /// [`Server::addresses`](crate::Server::addresses) and
    /// [`Control::listeners`](crate::Control::listeners).
    pub listener: usize,
    /// The name of the service it reached.
    pub service: Arc<str>,
    /// Where it came from.
    pub peer: SockAddr,
    /// Whether it is a single datagram rather than a connection.
    pub datagram: bool,
}

/// `echo #12 127.0.0.1:52144`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{} {}", self.service, self.id, self.peer)
    }
}

impl Summary {
    /// What its coroutine is called: as it is shown, but written where there is room for all of it.
    pub(crate) fn name(&self) -> String {
        let mut name = String::with_capacity(64);
        let _never_fails = fmt::Write::write_fmt(&mut name, format_args!("{self}"));
        name
    }
}

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Its address has as many open as [`limit_per_address`](crate::Guards::limit_per_address).
    LimitPerAddress,
    /// [`verify_request`](crate::Service::verify_request) said no.
    VerifyRequest,
    /// The system is short of threads or descriptors.
    Shortage,
    /// A datagram claimed to come from the very address it arrived at.
    OwnAddress,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::LimitPerAddress => "too many connections from this address",
            Refusal::VerifyRequest => "not allowed",
            Refusal::Shortage => "the system is short of threads or descriptors",
            Refusal::OwnAddress => "it claims to come from this server",
        })
    }
}

/// Why a connection ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// The handler was done.
    Finished,
    /// The peer had finished sending, then the handler was done.
    PeerClosed,
    /// The peer reset the connection or was gone when it was written to.
    PeerReset,
    /// A deadline passed: the name of the guard.
    TimedOut(&'static str),
    /// The peer sent more in one piece than a limit allows: the name of the limit.
    OverLimit(&'static str),
    /// The server was stopping and the connection was between two requests.
    Drained,
    /// The server stopped before the handler was done.
    CutOff,
    /// The handler panicked.
    Panicked,
    /// The process that served it ended first: it was killed, or ended itself. What it had received
    /// and sent is not known and counts as nothing.
    Crashed(Exit),
    /// The handler failed for another reason.
    Failed(io::Error),
}

impl CloseReason {
    /// The reason behind an error that came out of a handler.
    pub(crate) fn of(error: io::Error) -> CloseReason {
        match is_disconnect(error.kind()) {
            true => CloseReason::PeerReset,
            false => CloseReason::Failed(error),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::Finished => f.write_str("done"),
            CloseReason::PeerClosed => f.write_str("peer closed"),
            CloseReason::PeerReset => f.write_str("peer reset"),
            CloseReason::TimedOut(guard) => write!(f, "timed out: {guard}"),
            CloseReason::OverLimit(limit) => write!(f, "over the limit: {limit}"),
            CloseReason::Drained => f.write_str("server stopping"),
            CloseReason::CutOff => f.write_str("cut off"),
            CloseReason::Panicked => f.write_str("handler panicked"),
            CloseReason::Crashed(exit) => write!(f, "its process crashed: {exit}"),
            CloseReason::Failed(error) => write!(f, "failed: {}", plain(error)),
        }
    }
}

/// What a server has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections and datagrams given to a handler.
    pub opened: u64,
    /// Those that are over.
    pub closed: u64,
    /// Connections refused.
    pub refused: u64,
    /// Attempts to accept that failed.
    pub accept_failed: u64,
    /// Connections ended by a deadline.
    pub timed_out: u64,
    /// Handlers that panicked.
    pub panicked: u64,
    /// Connections cut off by the end of the server.
    pub cut: u64,
    /// Bytes received by handlers that are done.
    pub received: u64,
    /// Bytes sent by handlers that are done.
    pub sent: u64,
}

impl Counters {
    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}

/// The numbers of several listeners together.
impl Sum for Counters {
    fn sum<I: Iterator<Item = Counters>>(all: I) -> Counters {
        all.fold(Counters::default(), |one, other| Counters {
            opened: one.opened + other.opened,
            closed: one.closed + other.closed,
            refused: one.refused + other.refused,
            accept_failed: one.accept_failed + other.accept_failed,
            timed_out: one.timed_out + other.timed_out,
            panicked: one.panicked + other.panicked,
            cut: one.cut + other.cut,
            received: one.received + other.received,
            sent: one.sent + other.sent,
        })
    }
}

/// The counters while they count: any thread adds, any thread reads, and any process that was
/// forked after [`share`](Tally::share).
#[derive(Debug, Default)]
pub(crate) struct Tally {
    own: [AtomicU64; Counter::Sent as usize + 1],
    shared: OnceLock<SharedWords>,
}

/// The counters by their place.
#[derive(Clone, Copy)]
enum Counter {
    Opened,
    Closed,
    Refused,
    AcceptFailed,
    TimedOut,
    Panicked,
    Cut,
    Received,
    Sent,
}

impl Tally {
    /// Counts for forked processes too. To be called while nothing happens that counts.
    pub(crate) fn share(&self) -> io::Result<()> {
        if self.shared.get().is_none() {
            let words = SharedWords::new(self.own.len())?;
            for (word, own) in words.iter().zip(&self.own) {
                word.store(own.load(Relaxed), Relaxed);
            }
            let _ = self.shared.set(words);
        }
        Ok(())
    }

    fn counter(&self, counter: Counter) -> &AtomicU64 {
        match self.shared.get() {
            None => &self.own[counter as usize],
            Some(words) => &words[counter as usize],
        }
    }

    fn add(&self, counter: Counter, amount: u64) {
        self.counter(counter).fetch_add(amount, Relaxed);
    }

    /// Counts an event.
    pub(crate) fn count(&self, event: &Event<'_>) {
        match event {
            Event::Opened { .. } => self.add(Counter::Opened, 1),
            Event::Refused { .. } => self.add(Counter::Refused, 1),
            Event::Panicked { .. } => self.add(Counter::Panicked, 1),
            Event::Closed { received, sent, reason, .. } => {
                self.add(Counter::Received, *received);
                self.add(Counter::Sent, *sent);
                match reason {
                    CloseReason::TimedOut(_) => self.add(Counter::TimedOut, 1),
                    CloseReason::CutOff => self.add(Counter::Cut, 1),
                    _ => {}
                }
                self.add(Counter::Closed, 1);
            }
            _ => {}
        }
    }

    /// Counts a failed accept, which is not always told as an event.
    pub(crate) fn accept_failed(&self) {
        self.add(Counter::AcceptFailed, 1);
    }

    /// The numbers now. `closed` is read first, so that a connection never counts as closed
    /// before it counts as opened.
    pub(crate) fn snapshot(&self) -> Counters {
        let read = |counter| self.counter(counter).load(Relaxed);
        let closed = read(Counter::Closed);
        Counters {
            closed,
            opened: read(Counter::Opened),
            refused: read(Counter::Refused),
            accept_failed: read(Counter::AcceptFailed),
            timed_out: read(Counter::TimedOut),
            panicked: read(Counter::Panicked),
            cut: read(Counter::Cut),
            received: read(Counter::Received),
            sent: read(Counter::Sent),
        }
    }
}

/// What a server tells when nobody has subscribed: what its owner would have to know.
pub(crate) fn to_stderr(event: &Event<'_>) {
    match event {
        Event::WorkerNotStarted { error, .. } => eprintln!("start a worker: {}", plain(error)),
        Event::WorkerDied { pid, exit, .. } => eprintln!("worker {pid} died: {exit}"),
        Event::Closed { connection, reason: reason @ CloseReason::Crashed(_), .. } => {
            eprintln!("{} {}: {reason}", connection.service, connection.peer);
        }
        Event::Stalled { handler, elapsed, backtrace } => {
            let backtrace = backtrace.map(|text| format!("\n{text}")).unwrap_or_default();
            eprintln!("{handler}: has kept its worker for {elapsed:.1?}{backtrace}");
        }
        Event::Described { description } => eprintln!("{description}"),
        Event::WorkerFellBack { why } => eprintln!("a worker runs on epoll (io_uring: {why})"),
        Event::RingShort { why } => eprintln!("a worker's ring ran short: {why}"),
        Event::AcceptFailed { address, error, .. } => {
            eprintln!("accept {address}: {}", plain(error));
        }
        Event::Closed { connection, reason: CloseReason::Failed(error), .. } => {
            eprintln!("{} {}: {}", connection.service, connection.peer, plain(error));
        }
        Event::Reloaded { error: Some(error) } => eprintln!("reload: {}", plain(error)),
        Event::NotifyFailed { error } => eprintln!("notify: {}", plain(error)),
        _ => {}
    }
}
