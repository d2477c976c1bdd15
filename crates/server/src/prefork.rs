//! Workers: processes that are forked before there is anything to do, and serve together.
//!
//! ```text
//!   supervisor (the caller of serve_forever)          workers 1 … n, each with an engine
//!   holds the listeners, accepts nothing              accept from the same listeners
//!   tells events ◄─────── records ──────────────────  report everything
//!   waits for the ends of its workers                 end of the channel: the supervisor is gone,
//!   stop, now ─────────── shared latches ──────────►    so drain and end: no orphans
//! ```
//! The supervisor runs no thread and no handler, parses nothing and allocates little, so there is
//! nothing in it to crash; and since it is alone when it forks, no worker inherits a lock. It is
//! the only one that counts and tells events, so both are whole, whichever worker died.
//!
//! * **At the start** it waits until every worker can serve, and only then tells that it listens.
//!   If one cannot, the server says why and kills the others; who had found one of them by then,
//!   untold, is cut off.
//! * **A worker that dies** is replaced: at once if it had lived for a second, else after 50 ms,
//!   doubling to 2 s. Its open connections are told as crashed. SIGTERM sent to one worker lets it
//!   finish what it has; then it is replaced too.
//! * **The brake**: when one has died five times in a row within a second of its start, without a
//!   single connection, something is wrong with its start. The server stops and says so. A worker
//!   that dies of its connections is replaced for ever: whoever can crash it cannot stop the
//!   server.
//! * **SIGHUP** runs the reload hook here, for the workers to come, and in each worker.
//! * **SIGQUIT** is passed on to each worker, which tells what it is doing; so does this process.
//! * **Threads** of the `coroutines` engine are shared out: without
//!   [`with_workers`](crate::Server::with_workers) each worker process has its share of the cores.
//! * **Limits**: each worker has its share of the limit of connections and of a limit per address
//!   that was set, rounded up. Which worker accepts a connection is chance (all wait, the first to
//!   wake has it, and it is spread over the threads of that worker only), so an address may be
//!   refused by one worker while another would still have had room.
//!
//! What it deliberately does not do: run anything of the user's but subscriber and hook; move
//! connections between workers; replace all of them by a new program.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use socket::process::{Child, Exit, Fork};
use socket::seam::{Memory, Watch, wait_any};
use socket::signal::{Notices, StopSignals, hang_ups, quits, sent_quits, stop_signals};
use socket::{Deadline, Interest};

use crate::caught::caught;
use crate::drain::SECOND_GRACE;
use crate::error::{Error, Result};
use crate::event::{CloseReason, Event};
use crate::guards::Guards;
use crate::lifecycle::{cut_off, tell_listening};
use crate::listener::{Site, serve_apart};
use crate::notify::{self, Notify};
use crate::record::Reported;
use crate::report::{Reporter, Reports, channel};
use crate::server::Server;
use crate::switches::Switches;
use crate::teller::Teller;

/// A worker that dies sooner has died quickly.
const QUICK: Duration = Duration::from_secs(1);
/// The first pause after a quick death, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How many quick deaths without a connection, one after the other, stop the server.
const MOST_DEATHS: u32 = 5;
/// How much longer than its own drain a worker may take before it is killed.
const MARGIN: Duration = Duration::from_secs(2);
const SIGHUP: i32 = 1;
const SIGQUIT: i32 = 3;
const SIGKILL: i32 = 9;

/// Serves by `count` workers until asked to stop.
pub(crate) fn supervise(server: &mut Server, signals: Option<StopSignals>, count: usize) -> Result {
    server.check_bound()?;
    let fail = |error| Error::io("prepare to serve", error);
    server.switches.share().map_err(fail)?;
    let hang_ups = match server.reload {
        Some(_) => Some(hang_ups().map_err(|error| Error::start("take signals", error, 1))?),
        None => None,
    };
    let quits = match signals {
        Some(_) => quits().map_err(|error| Error::start("take signals", error, 1))?,
        None => None,
    };
    let notify = Notify::of_environment();
    let mut supervisor = Supervisor {
        switches: Arc::clone(&server.switches),
        teller: Teller::new(&server.switches, Arc::clone(&server.subscriber), None),
        grace: server.guards.grace,
        seats: std::iter::repeat_with(Seat::default).take(count).collect(),
        server,
        signals,
        hang_ups,
        quits,
        passed_on: sent_quits(),
        memories: Default::default(),
        sign_of_life: notify.watchdog().map(|_| Instant::now()),
        notify,
        phase: Phase::Serving,
        kill: None,
        killed: false,
        cut: 0,
        failure: None,
    };
    let sites: Vec<_> =
        supervisor.server.listeners.iter().map(|listener| Arc::clone(&listener.site)).collect();
    supervisor.start(&sites)?;
    let served = supervisor.run();
    sites.iter().for_each(|site| site.closed());
    served
}

struct Supervisor<'a> {
    server: &'a mut Server,
    signals: Option<StopSignals>,
    hang_ups: Option<Notices>,
    quits: Option<Notices>,
    /// How many of them have been passed on.
    passed_on: u32,
    notify: Notify,
    /// When the next one is due, if a service manager wants any.
    sign_of_life: Option<Instant>,
    grace: Duration,
    seats: Vec<Seat>,
    switches: Arc<Switches>,
    teller: Teller,
    /// What drivers know of the latches and the signals.
    memories: [Memory; 6],
    phase: Phase,
    /// When to kill what is left.
    kill: Option<Instant>,
    killed: bool,
    /// Connections cut off by the drain, not by one of a worker that was stopped alone.
    cut: usize,
    /// Why it stopped by itself.
    failure: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Hurrying,
}

/// Where a worker is, and the next one comes when it has died.
#[derive(Default)]
struct Seat {
    worker: Option<Worker>,
    /// Quick deaths in a row, and those of them without a connection.
    quick: u32,
    barren: u32,
    /// When the next worker starts.
    next: Option<Instant>,
}

struct Worker {
    child: Child,
    reports: Reports,
    started: Instant,
}

impl Supervisor<'_> {
    /// Forks all workers, and tells of them when each can serve: not before all are forked, since
    /// a subscriber may start threads.
    fn start(&mut self, sites: &[Arc<Site>]) -> Result {
        serve_apart(&self.server.listeners)?;
        for index in 0..self.seats.len() {
            match self.fork() {
                Ok(worker) => self.seats[index].worker = Some(worker),
                Err(error) => {
                    let error = Error::start("start a worker", error, self.seats.len());
                    return Err(self.give_up(error));
                }
            }
        }
        for index in 0..self.seats.len() {
            self.see_up(index).map_err(|error| self.give_up(error))?;
        }
        let Server { engine, workers, .. } = &*self.server;
        let own = engine.runner().setup(Some(share_of_cores(*workers, self.seats.len())));
        let comma = if own.is_empty() { "" } else { ", " };
        let setup = format!("{} worker processes{comma}{own}", self.seats.len());
        tell_listening(&self.teller, *engine, sites, &setup);
        for worker in self.seats.iter().filter_map(|seat| seat.worker.as_ref()) {
            self.teller.tell(&Event::WorkerStarted { pid: worker.child.id() });
        }
        self.tell_manager(&self.switches.ready());
        Ok(())
    }

    /// Waits until the worker can serve, or the server is asked to stop.
    fn see_up(&mut self, index: usize) -> Result {
        let fail = |error| Error::io("wait for workers", error);
        let [stop, _, asked, ..] = &self.memories;
        let Some(worker) = &mut self.seats[index].worker else { return Ok(()) };
        loop {
            let exit = worker.child.try_wait().map_err(fail)?;
            while let Some(reported) = worker.reports.next() {
                match reported {
                    Reported::Ready => return Ok(()),
                    reported => worker.reports.tell(&self.teller, reported),
                }
            }
            let is_asked = self.signals.is_some_and(|signals| signals.signal().is_some());
            if is_asked || self.switches.stop.is_set() {
                return Ok(());
            }
            if let Some(exit) = exit {
                let why = worker.reports.failure.take();
                let why = why.unwrap_or_else(|| format!("a worker ended as it began: {exit}"));
                return Err(failed(why));
            }
            let watch = |target| Watch { target, interest: Interest::READ, ready: false };
            let mut watches = vec![watch(stop.target(self.switches.stop.fd().map_err(fail)?))];
            watches.extend(self.signals.map(|signals| watch(asked.target(signals.asked()))));
            watches.extend(worker.reports.watch().into_iter().chain([worker.child.watch()]));
            wait_any(&mut watches, Deadline::Never).map_err(fail)?;
        }
    }

    /// Dropped, the workers that were started are killed: nobody has been told that they serve.
    fn give_up(&mut self, error: Error) -> Error {
        self.seats.clear();
        self.switches.children.store(0, SeqCst);
        error
    }

    fn run(mut self) -> Result {
        while self.phase == Phase::Serving || self.seats.iter().any(|seat| seat.worker.is_some()) {
            self.replace();
            let ready = self.wait().map_err(|error| Error::io("wait for workers", error))?;
            self.obey();
            self.reload();
            self.describe();
            self.show_life();
            self.attend(&ready);
            if self.kill.is_some_and(|moment| moment <= Instant::now()) {
                self.kill = None;
                self.killed = true;
                let workers = self.seats.iter().filter_map(|seat| seat.worker.as_ref());
                // Only one that has ended cannot be killed.
                workers.for_each(|worker| drop(worker.child.kill(SIGKILL)));
            }
        }
        let cut = self.cut;
        self.teller.tell(&Event::DrainEnded { cut });
        match self.failure {
            Some(failure) => Err(failure),
            None if cut > 0 => Err(cut_off(cut, 0)),
            None => Ok(()),
        }
    }

    /// Starts the workers whose time has come.
    fn replace(&mut self) {
        if self.phase != Phase::Serving {
            return;
        }
        for index in 0..self.seats.len() {
            let seat = &self.seats[index];
            if seat.worker.is_some() || seat.next.is_some_and(|moment| moment > Instant::now()) {
                continue;
            }
            match self.fork() {
                Ok(worker) => {
                    self.teller.tell(&Event::WorkerStarted { pid: worker.child.id() });
                    self.seats[index].worker = Some(worker);
                }
                Err(error) => {
                    let pause = PAUSE.1;
                    self.seats[index].next = Some(Instant::now() + pause);
                    self.teller.tell(&Event::WorkerNotStarted { error: &error, pause });
                }
            }
        }
    }

    fn fork(&mut self) -> io::Result<Worker> {
        let (reporter, reports) = channel()?;
        let reporter = Arc::new(reporter);
        let mut fork = Fork::new().with_stop_signals().with_socket(&*reporter);
        for listener in &self.server.listeners {
            fork = fork.with_socket(&listener.bound.socket);
        }
        let (server, count) = (&mut *self.server, self.seats.len());
        let children = &self.switches.children;
        // Nobody reads the numbers behind a lock that would stay locked in the child.
        let mut known = Some(self.switches.known());
        // Counted before anybody can hear of it.
        children.fetch_add(1, SeqCst);
        let child = fork.run(|| {
            known.take();
            work(server, Arc::clone(&reporter), count)
        });
        let child = child.inspect_err(|_| {
            children.fetch_sub(1, SeqCst);
        })?;
        Ok(Worker { child, reports, started: Instant::now() })
    }

    /// Waits for the request to stop, or to hurry, for workers, and for the next moment to do
    /// something by itself. Answers which of the workers' watches were ready.
    fn wait(&self) -> io::Result<Vec<bool>> {
        let [stop, now, asked, again, came, quit] = &self.memories;
        let watch = |target, phase| {
            let interest = if self.phase < phase { Interest::READ } else { Interest::NONE };
            Watch { target, interest, ready: false }
        };
        let mut watches = vec![
            watch(stop.target(self.switches.stop.fd()?), Phase::Draining),
            watch(now.target(self.switches.now.fd()?), Phase::Hurrying),
        ];
        if let Some(signals) = self.signals {
            watches.push(watch(asked.target(signals.asked()), Phase::Draining));
            watches.push(watch(again.target(signals.again()), Phase::Hurrying));
        }
        if let Some(hang_ups) = &self.hang_ups {
            watches.push(watch(came.target(hang_ups.came()), Phase::Draining));
        }
        if let Some(quits) = &self.quits {
            let target = quit.target(quits.came());
            watches.push(Watch { target, interest: Interest::READ, ready: false });
        }
        let first = watches.len();
        watches.extend(self.seats.iter().flat_map(Seat::watches));
        let empty = self.seats.iter().filter(|seat| seat.worker.is_none());
        let next = empty.filter_map(|seat| seat.next).filter(|_| self.phase == Phase::Serving);
        let deadline = next
            .chain(self.kill)
            .chain(self.sign_of_life)
            .min()
            .map_or(Deadline::Never, Deadline::At);
        match wait_any(&mut watches, deadline) {
            Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(error),
            _ => {}
        }
        Ok(watches[first..].iter().map(|watch| watch.ready).collect())
    }

    /// Tells what the workers reported, and that they died.
    fn attend(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        for index in 0..self.seats.len() {
            let count = self.seats[index].watches().count();
            let ready = ready.by_ref().take(count).fold(false, |any, one| any | one);
            if let (true, Some(worker)) = (ready, &mut self.seats[index].worker) {
                // First, so that everything it reported is there to be read afterwards.
                let exit = worker.child.try_wait().ok().flatten();
                while let Some(reported) = worker.reports.next() {
                    worker.reports.tell(&self.teller, reported);
                }
                if let Some(exit) = exit {
                    self.bury(index, exit);
                }
            }
        }
    }

    /// After the death of a worker.
    fn bury(&mut self, index: usize, exit: Exit) {
        let Some(Worker { child, mut reports, started }) = self.seats[index].worker.take() else {
            return;
        };
        self.switches.children.fetch_sub(1, SeqCst);
        // What the workers were told may have been too quick for us.
        self.obey();
        let (pid, asked) = (child.id(), self.phase != Phase::Serving);
        // One that ended by itself left behind what would not end.
        let reason = match exit.success() || self.killed {
            true => CloseReason::CutOff,
            false => CloseReason::Crashed(exit),
        };
        reports.tell_lost(&self.teller, &reason);
        self.cut += if asked { reports.cut() } else { 0 };
        if asked && exit.success() {
            return;
        }
        // One that cannot go on stops the others as well, by the latch that is everybody's.
        if let (true, None, Some(why)) = (asked, &self.failure, reports.failure.take()) {
            self.failure = Some(failed(why));
        }
        let pause = self.seats[index].rest(started.elapsed() < QUICK, reports.has_opened());
        let pause = pause.filter(|_| !asked);
        self.teller.tell(&Event::WorkerDied { pid, exit, pause });
        if pause.is_none() && !asked {
            let why = reports.failure.unwrap_or_else(|| exit.to_string());
            self.failure = Some(hopeless(&why));
            self.switches.stop.set();
        }
    }

    /// Does what was asked: drains, then hurries.
    fn obey(&mut self) {
        let signals = self.signals;
        let asked = signals.is_some_and(|signals| signals.signal().is_some());
        if self.phase == Phase::Serving && (asked || self.switches.stop.is_set()) {
            self.phase = Phase::Draining;
            self.switches.stop.set();
            // Whoever connects now is refused at once, as soon as the workers do the same.
            self.server.listeners.clear();
            let open = self.switches.counters().open();
            let open = usize::try_from(open).expect("each is in memory");
            self.teller.tell(&Event::DrainBegan { open, grace: self.grace });
            self.tell_manager(&format!("STOPPING=1\nSTATUS=stopping, {open} open"));
            self.kill = Some(Instant::now() + self.grace + 2 * SECOND_GRACE + MARGIN);
        }
        let again = signals.is_some_and(|signals| signals.came_again());
        if self.phase == Phase::Draining && (again || self.switches.now.is_set()) {
            self.phase = Phase::Hurrying;
            self.switches.now.set();
            self.kill = Some(Instant::now() + 2 * SECOND_GRACE + MARGIN);
        }
    }

    /// Runs the hook for the workers to come, and has those that are there do the same.
    fn reload(&mut self) {
        // An epoll descriptor that cannot be asked has nothing to say.
        let came = self.hang_ups.as_ref().is_some_and(|one| one.take().unwrap_or(false));
        let Some(hook) = self.server.reload.as_mut().filter(|_| came) else { return };
        let message = notify::reloading();
        let outcome = caught(hook).map_err(io::Error::from).flatten();
        self.tell_manager(&message);
        self.pass_on(SIGHUP);
        self.teller.tell(&Event::Reloaded { error: outcome.err().as_ref() });
        self.tell_manager("READY=1");
    }

    /// Tells what there is to tell of this process, and has the workers tell of themselves, unless
    /// they have heard it from the terminal.
    fn describe(&mut self) {
        if self.quits.as_ref().is_some_and(|one| one.take().unwrap_or(false)) {
            self.teller.tell(&Event::Described { description: &self.switches.describe() });
            let sent = sent_quits();
            if std::mem::replace(&mut self.passed_on, sent) != sent {
                self.pass_on(SIGQUIT);
            }
        }
    }

    fn pass_on(&self, signal: i32) {
        let workers = self.seats.iter().filter_map(|seat| seat.worker.as_ref());
        // Only one that has ended cannot be told.
        workers.for_each(|worker| drop(worker.child.kill(signal)));
    }

    /// Gives the service manager its sign of life, if it is time.
    fn show_life(&mut self) {
        if self.sign_of_life.is_some_and(|due| due <= Instant::now()) {
            self.sign_of_life = self.notify.watchdog().map(|interval| Instant::now() + interval);
            self.tell_manager("WATCHDOG=1");
        }
    }

    fn tell_manager(&self, message: &str) {
        if let Err(error) = self.notify.send(message) {
            self.teller.tell(&Event::NotifyFailed { error: &error });
        }
    }
}

impl Seat {
    fn watches(&self) -> impl Iterator<Item = Watch<'_>> {
        let worker = self.worker.iter();
        worker.flat_map(|worker| worker.reports.watch().into_iter().chain([worker.child.watch()]))
    }

    /// After a death: how long the seat stays empty; `None` for ever.
    fn rest(&mut self, quick: bool, has_opened: bool) -> Option<Duration> {
        self.quick = if quick { self.quick + 1 } else { 0 };
        self.barren = if quick && !has_opened { self.barren + 1 } else { 0 };
        let pause = match self.quick {
            0 => Duration::ZERO,
            count => PAUSE.1.min(PAUSE.0 * 2_u32.saturating_pow(count - 1)),
        };
        self.next = Some(Instant::now() + pause);
        (self.barren < MOST_DEATHS).then_some(pause)
    }
}

/// How many threads of coroutines a worker has.
fn share_of_cores(asked: Option<usize>, count: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    asked.unwrap_or_else(|| cores().div_ceil(count))
}

/// The life of one of `count` workers, which has the server as a copy.
fn work(server: &mut Server, supervisor: Arc<Reporter>, count: usize) -> i32 {
    server.switches.children.store(0, SeqCst);
    server.workers = Some(share_of_cores(server.workers, count));
    let guards = &server.guards;
    server.guards = Guards {
        limit_per_address: guards.limit_per_address.map(|limit| limit.div_ceil(count)),
        limit_connections: Some(server.wanted_connections().div_ceil(count)),
        ..guards.clone()
    };
    let signals = stop_signals().map_err(|error| Error::start("take signals", error, 1));
    let served =
        signals.and_then(|signals| server.serve(Some(signals), Some(Arc::clone(&supervisor))));
    match served {
        // What was cut off is told as events.
        Err(error) if !error.is_timeout() => {
            supervisor.failed(&error);
            1
        }
        _ => 0,
    }
}

/// What a server says whose workers do not come to life.
fn hopeless(why: &str) -> Error {
    let what = format!(
        "a worker died {MOST_DEATHS} times in a row within {} s of its start, the last time: {why}",
        QUICK.as_secs()
    );
    failed(what).try_this("serve without prefork to see why")
}

/// Why there are no workers any more, or never were.
fn failed(why: String) -> Error {
    Error::io("prefork", io::Error::other(why))
}
