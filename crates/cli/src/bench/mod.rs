//! `bench ADDR`: load a server, and see how long its answers take.
//!
//! ```text
//!   worker threads ─► coroutines, one for each connection ─► load.rs ─► asker.rs
//!                          all wait for one start                └────► tally.rs ─► report.rs
//! ```
//! The connections are coroutines of the house's own engine, one worker thread for each core. That
//! costs the client least: with 50 connections a question takes half the computing time that it
//! takes with a thread for each, with 1000 a third, and the rest is the server's to use.
//!
//! What it deliberately does not do: find the rate at which a server breaks, or draw graphs. The
//! JSON has all numbers for that.

mod asker;
mod load;
mod machine;
mod report;
mod tally;

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use coroutine::{JoinHandle, Remote, Settings, Worker};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use switchboard::socket::signal::{StopSignals, stop_signals};
use switchboard::socket::{Endpoint, Interest, Poll, Scheme, Type, poll};
use switchboard::{Address, Deadline, plain};

use crate::connect;
use crate::exit::{Exit, Failure, Result};
use crate::http::AGENT;
use crate::options::Global;
use asker::{Pattern, Question};
use load::Load;
use machine::Cost;
use tally::Tally;

/// How long a question may wait for its answer when there are no further ones.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// From all connections being there to the start, so that all have heard of it.
const RUN_UP: Duration = Duration::from_millis(20);

/// How often the number of answers is shown.
const SHOW_EACH: Duration = Duration::from_millis(100);

/// How often a worker looks whether its connections have ended.
const LOOK_EACH: Duration = Duration::from_millis(5);

/// The stack of a connection. It needs some 8 KiB, most of it for heads of HTTP.
const STACK_BYTES: usize = 128 * 1024;

/// The most that fits into one datagram over IPv4. RFC 768.
const DATAGRAM_BYTES: u64 = 65_507;

/// The longest message. More of them say nothing else than one that is as long as all together.
const MESSAGE_BYTES: u64 = 1 << 30;

/// When questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// When earlier ones are answered.
    Closed,
    /// So many a second, over all connections.
    Open(usize),
}

/// What is to be done.
#[derive(Debug)]
struct Plan {
    address: Address,
    endpoint: Endpoint,
    connections: usize,
    workers: usize,
    pipeline: usize,
    pace: Pace,
    duration: Option<Duration>,
    connect_wait: Duration,
    answer_wait: Duration,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    question: Arc<Question>,
    pattern: Arc<Pattern>,
    /// How many connections have tried to connect.
    ready: AtomicUsize,
    start: OnceLock<Instant>,
    answers: AtomicU64,
    /// Questions that may still be asked, where that is limited.
    left: Option<AtomicI64>,
}

impl Shared {
    /// Whether one more question may be asked; it is then counted.
    fn may_ask(&self) -> bool {
        self.left.as_ref().is_none_or(|left| left.fetch_sub(1, Relaxed) > 0)
    }

    /// Whether no more may be asked.
    fn all_asked(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Relaxed) <= 0)
    }

    fn question_bytes(&self) -> usize {
        match &*self.question {
            Question::Echo(bytes) | Question::Datagram(bytes) => *bytes,
            Question::Http(request) => request.len(),
        }
    }
}

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let shared = Arc::new(shared(matches, global)?);
    machine::allow_descriptors(shared.plan.connections)?;
    // Whether anybody is there is told at once, and not by every connection.
    connect::connect(&shared.plan.endpoint, Deadline::After(shared.plan.connect_wait))
        .map_err(|error| connect::refused(&shared.plan.address, &error))?;
    let signals = stop_signals().map_err(|error| fail("take signals", &error))?;
    let workers: io::Result<Vec<_>> =
        (0..shared.plan.workers).map(|number| start(&shared, number)).collect();
    let workers = workers.map_err(|error| fail("start a thread", &error))?;
    let (begun, interrupted) = watch(&shared, &workers, signals, global);
    let mut tally = Tally::new();
    let mut costs = Vec::new();
    for worker in workers {
        let cost = worker.thread.join().expect("a worker's own code does not panic");
        costs.push(cost.map_err(|error| fail("run a worker", &error))?);
        tally.add(&worker.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let report = report::Report {
        shared: &shared,
        tally: &tally,
        // The wait for the last answers is not part of the time in which was asked.
        elapsed: costs.iter().map(|cost| cost.ended.saturating_duration_since(begun)).max(),
        costs: &costs,
        interrupted,
    };
    report.tell(global)
}

fn fail(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::No, format!("bench: {what}: {}", plain(error)))
}

fn shared(matches: &ArgMatches, global: &Global) -> Result<Shared> {
    let number = |name| matches.get_one::<NonZeroUsize>(name).map(|number| number.get());
    let address = connect::place("bench", matches, global)?;
    let path = matches.get_one::<String>("http").cloned();
    let path = path.or_else(|| (address.scheme == Some(Scheme::Http)).then(|| "/".to_owned()));
    let endpoints = global.resolve(&address)?;
    let endpoint = endpoints.into_iter().next().expect("what resolves has an address");
    let size = *matches.get_one::<u64>("size").expect("it has a default");
    let datagram = endpoint.kind != Type::STREAM;
    let question = question(&address, datagram, size, path.as_deref())?;
    let connections = number("connections").expect("it has a default");
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let requests = number("requests");
    let plan = Plan {
        address,
        endpoint,
        connections,
        workers: number("workers").unwrap_or(cores).min(connections),
        pipeline: number("pipeline").expect("it has a default"),
        pace: number("rate").map_or(Pace::Closed, Pace::Open),
        duration: match requests {
            Some(_) => None,
            None => matches.get_one("duration").copied(),
        },
        connect_wait: global.timeout.unwrap_or(connect::CONNECT_WAIT),
        answer_wait: global.timeout.unwrap_or(ANSWER_WAIT),
    };
    Ok(Shared {
        plan,
        question: Arc::new(question),
        pattern: Arc::new(Pattern::new()),
        ready: AtomicUsize::new(0),
        start: OnceLock::new(),
        answers: AtomicU64::new(0),
        left: requests.map(|count| AtomicI64::new(i64::try_from(count).unwrap_or(i64::MAX))),
    })
}

fn question(address: &Address, datagram: bool, size: u64, path: Option<&str>) -> Result<Question> {
    let no = |why: String| Err(Failure::new(Exit::Usage, format!("bench {address}: {why}")));
    match path {
        Some(_) if datagram => no("HTTP needs a stream (try tcp)".into()),
        Some(path) if !path.starts_with('/') || path.contains(char::is_control) => {
            no(format!("--http \"{}\": a path begins with /", path.escape_debug()))
        }
        Some(path) => {
            let host = Address { scheme: None, ..address.clone() };
            Ok(Question::Http(
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\n\r\n")
                    .into(),
            ))
        }
        None if datagram && !(8..=DATAGRAM_BYTES).contains(&size) => {
            no(format!("--size {size}: a datagram has from 8 to {DATAGRAM_BYTES} bytes"))
        }
        None if !(1..=MESSAGE_BYTES).contains(&size) => {
            no(format!("--size {size}: a message has from 1 to {MESSAGE_BYTES} bytes"))
        }
        None if datagram => Ok(Question::Datagram(size as usize)),
        None => Ok(Question::Echo(size as usize)),
    }
}

/// A worker thread.
struct Running {
    thread: thread::JoinHandle<io::Result<Cost>>,
    remote: Remote,
    tally: Arc<Mutex<Tally>>,
    connections: Handles,
}

/// The worker's connections, to be cancelled by a letter.
type Handles = Arc<Mutex<Vec<JoinHandle<()>>>>;

/// Starts the worker of this number with its share of the connections.
fn start(shared: &Arc<Shared>, number: usize) -> io::Result<Running> {
    let (tally, connections) = (Arc::new(Mutex::new(Tally::new())), Handles::default());
    let (tell, told) = std::sync::mpsc::channel();
    let body = {
        let (shared, tally, handles) = (shared.clone(), tally.clone(), connections.clone());
        move || {
            let places = (number..shared.plan.connections).step_by(shared.plan.workers);
            let settings = Settings {
                stack_bytes: STACK_BYTES,
                coroutines: places.len() + 16,
                grace: Duration::from_secs(1),
                ..Settings::default()
            };
            let worker = Worker::new(settings)?;
            // Whoever started this waits for it.
            let _ = tell.send(worker.remote());
            let (cost, _) = worker.run(move || {
                let spawned = places.map(|place| {
                    let (shared, tally) = (shared.clone(), tally.clone());
                    coroutine::spawn(move || Load::run(&shared, &tally, place))
                });
                let spawned: Vec<_> = spawned.collect();
                *handles.lock().unwrap_or_else(PoisonError::into_inner) = spawned;
                wait_until(|| shared.start.get().is_some() || all_ended(&handles));
                machine::measure(&shared.start, || wait_until(|| all_ended(&handles)))
            })?;
            Ok(cost)
        }
    };
    let thread = thread::Builder::new().name(format!("bench {number}")).spawn(body)?;
    match told.recv() {
        Ok(remote) => Ok(Running { thread, remote, tally, connections }),
        Err(_) => Err(match thread.join() {
            Ok(Err(error)) => error,
            _ => io::ErrorKind::Other.into(),
        }),
    }
}

/// Whether every connection has ended. The handles stay, so that all can be cancelled until then.
fn all_ended(handles: &Handles) -> bool {
    let handles = handles.lock().unwrap_or_else(PoisonError::into_inner);
    handles.iter().all(JoinHandle::is_finished)
}

fn wait_until(holds: impl Fn() -> bool) {
    while !holds() {
        coroutine::sleep(LOOK_EACH);
    }
}

/// Starts the load when all connections are there, and looks on until all workers have ended.
/// Answers when it began, and whether a signal ended it.
fn watch(
    shared: &Arc<Shared>,
    workers: &[Running],
    signals: StopSignals,
    global: &Global,
) -> (Instant, Option<Exit>) {
    let bar = bar(shared, global);
    let mut interrupted = None;
    let mut begun = Instant::now();
    while !workers.iter().all(|worker| worker.thread.is_finished()) {
        let all = shared.ready.load(Relaxed) == shared.plan.connections;
        if all && shared.start.get().is_none() {
            begun = *shared.start.get_or_init(|| Instant::now() + RUN_UP);
        }
        let mut asked = [Poll::new(signals.asked(), Interest::READ)];
        let wait = if shared.start.get().is_some() { SHOW_EACH } else { RUN_UP };
        let signal = poll(&mut asked, Deadline::After(wait));
        if signal.is_ok_and(|count| count > 0) && interrupted.is_none() {
            interrupted = Some(Exit::of_signal(signals.signal()));
            workers.iter().for_each(Running::cancel);
        } else if interrupted.is_some() {
            // The signal stays, and what was cancelled needs a moment.
            thread::park_timeout(RUN_UP);
        }
        if let Some(bar) = &bar {
            show(bar, shared, begun);
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    (begun, interrupted)
}

impl Running {
    /// Ends all connections; they keep what they have measured.
    fn cancel(&self) {
        let handles = self.connections.clone();
        let cancel = move || {
            let handles = handles.lock().unwrap_or_else(PoisonError::into_inner);
            handles.iter().for_each(JoinHandle::cancel);
        };
        // A worker that has ended has nothing left to cancel.
        let _ = self.remote.spawn("cancel", cancel);
    }
}

fn bar(shared: &Shared, global: &Global) -> Option<ProgressBar> {
    if global.quiet || global.json || !io::stderr().is_terminal() {
        return None;
    }
    let length = shared.plan.duration.map(|duration| duration.as_millis() as u64);
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let style = if length.is_some() { "[{wide_bar}] {msg}" } else { "{spinner} {msg}" };
    let style = ProgressStyle::with_template(style).expect("the template is a constant");
    bar.set_style(style.progress_chars("=> "));
    Some(bar)
}

fn show(bar: &ProgressBar, shared: &Shared, begun: Instant) {
    let elapsed = begun.elapsed();
    let answers = shared.answers.load(Relaxed);
    bar.set_position(elapsed.as_millis() as u64);
    let rate = answers as f64 / elapsed.as_secs_f64().max(1e-3);
    bar.set_message(format!("{answers} answers, {rate:.0}/s"));
    bar.tick();
}
