//! What a server tells: each event as a line on stderr, or as JSON on stdout.
//!
//! | level | events |
//! |---|---|
//! | `-q` | what is wrong: accepts and reloads that fail, panics, workers held up or dead |
//! | standard | and listening, workers, connections opened, closed and refused, the drain |
//! | `-v` | and every message |
//!
//! What the server is doing is told at every level, since somebody has asked for it (SIGQUIT).
//! One event is one write, so that lines of different threads never mix. Lines that a flood could
//! multiply (refusals) are told at most once a second, with the number of those left out. Nobody
//! has to read stderr; when the reader of the JSON has gone, the server ends.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use services::duration;
use switchboard::{
    Control, Described, Description, Direction, Doing, Event, OpenConnection, Summary,
    WorkerDescription, plain,
};

use crate::json::Object;
use crate::options::Global;
use crate::output::{Paint, note};
use crate::screen::visible;

/// Takes the events of a server.
#[derive(Debug)]
pub(crate) struct Log {
    json: bool,
    quiet: bool,
    /// Whether connections say which service they reached.
    several: bool,
    paint: Paint,
    refused: Mutex<Brake>,
    control: OnceLock<Control>,
}

impl Log {
    /// A log for a server of one service, or of `several`.
    pub(crate) fn new(global: &Global, several: bool) -> Log {
        Log {
            json: global.json,
            quiet: global.quiet,
            several,
            paint: Paint::stderr(global),
            refused: Mutex::default(),
            control: OnceLock::new(),
        }
    }

    /// Whether the lines are JSON on stdout.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether only errors are told.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Gives it the server to stop when nobody reads its JSON any more.
    pub(crate) fn controls(&self, control: Control) {
        // A log has one server, so it is set once.
        let _ = self.control.set(control);
    }

    /// Tells an event.
    pub(crate) fn event(&self, event: &Event<'_>) {
        let serious = matches!(
            event,
            Event::AcceptFailed { .. }
                | Event::Described { .. }
                | Event::Panicked { .. }
                | Event::Stalled { .. }
                | Event::Reloaded { error: Some(_) }
                | Event::NotifyFailed { .. }
                | Event::WorkerFellBack { .. }
                | Event::RingShort { .. }
                | Event::WorkerDied { .. }
                | Event::WorkerNotStarted { .. }
        );
        if self.quiet && !serious {
            return;
        }
        let left_out = match event {
            Event::Refused { .. } => match self.brake() {
                Some(left_out) => left_out,
                None => return,
            },
            _ => 0,
        };
        if self.json {
            if let Event::Described { description } = event {
                return described(description).for_each(|object| self.json_line(object));
            }
            if let Some(object) = object(event, left_out) {
                self.json_line(object);
            }
        } else if let Some(line) = self.line(event, left_out) {
            note(&line);
        }
    }

    /// Writes a line of JSON.
    pub(crate) fn json_line(&self, object: Object) {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(object.line().as_bytes()).and_then(|()| stdout.flush());
        if let (Err(_), Some(control)) = (written, self.control.get()) {
            control.shutdown();
        }
    }

    /// How many refusals were left out before this one; `None` to leave this one out too.
    fn brake(&self) -> Option<u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).pass(Instant::now())
    }

    fn line(&self, event: &Event<'_>, left_out: u64) -> Option<String> {
        let paint = self.paint;
        Some(match event {
            Event::Listening { address, service, engine, setup } => {
                let engine = runs_on(*engine, setup);
                format!("switchboard: {service} listening on {address} ({engine})")
            }
            Event::Opened { connection } if connection.datagram => return None,
            Event::Opened { connection } => {
                let service = match self.several {
                    true => format!(" ({})", connection.service),
                    false => String::new(),
                };
                format!("{} {}{service}", self.who(connection), paint.green("open"))
            }
            Event::Message { connection, direction, bytes } => {
                format!("{} {} {bytes} B", self.who(connection), way(*direction))
            }
            Event::Closed { connection, elapsed, received, sent, reason } => {
                let what = if connection.datagram { "datagram" } else { "close" };
                format!(
                    "{} {} {} in {received} B out {sent} B ({})",
                    self.who(connection),
                    paint.yellow(what),
                    duration::show(*elapsed),
                    visible(reason.to_string().as_bytes()),
                )
            }
            Event::Refused { connection, why } => {
                let more = match left_out {
                    0 => String::new(),
                    count => format!(", and {count} more"),
                };
                format!("{} {} ({why}{more})", self.who(connection), paint.red("refused"))
            }
            Event::AcceptFailed { address, error, pause } => {
                let pause = match pause {
                    Some(pause) => format!(" (trying again in {})", duration::show(*pause)),
                    None => String::new(),
                };
                format!("switchboard: accept {address}: {}{pause}", plain(error))
            }
            Event::Panicked { connection, message } => {
                let message = visible(message.as_bytes()).replace('\n', "\\n");
                format!("{} {}: {message}", self.who(connection), paint.red("handler panicked"))
            }
            Event::Described { description } => description.to_string(),
            Event::Reloaded { error: None } => "switchboard: reloaded".into(),
            Event::Reloaded { error: Some(error) } => {
                format!("switchboard: reload: {}", plain(error))
            }
            Event::WorkerFellBack { why } => {
                format!("switchboard: a worker runs on epoll (io_uring: {why})")
            }
            Event::RingShort { why } => format!("switchboard: a worker's ring ran short: {why}"),
            Event::NotifyFailed { error } => {
                format!("switchboard: cannot tell the service manager: {}", plain(error))
            }
            Event::DrainBegan { open, grace } => match open {
                0 => return None,
                _ => format!(
                    "switchboard: stopping; {open} open may take {} to finish (again: at once)",
                    duration::show(*grace)
                ),
            },
            // What was cut off is the error that the program ends with.
            Event::DrainEnded { cut: 0 } => "switchboard: stopped".into(),
            event => return worker_line(event),
        })
    }

    fn who(&self, connection: &Summary) -> String {
        let id = self.paint.dim(&format!("#{}", connection.id));
        format!("{id} {}", peer(connection))
    }
}

/// What happens to the threads and processes that serve.
fn worker_line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Stalled { handler, elapsed, backtrace } => {
            let (handler, elapsed) = (visible(handler.as_bytes()), duration::show(*elapsed));
            let backtrace = backtrace.map(|text| format!("\n{}", visible(text.as_bytes())));
            let backtrace = backtrace.unwrap_or_default();
            format!("switchboard: {handler} has kept its worker for {elapsed}{backtrace}")
        }
        Event::WorkerStarted { pid } => format!("switchboard: worker process {pid} started"),
        Event::WorkerDied { pid, exit, pause } => {
            let next = match pause {
                None => String::new(),
                Some(Duration::ZERO) => " (replaced)".into(),
                Some(pause) => format!(" (replaced in {})", duration::show(*pause)),
            };
            format!("switchboard: worker process {pid} died: {exit}{next}")
        }
        Event::WorkerNotStarted { error, pause } => format!(
            "switchboard: start a worker process: {} (trying again in {})",
            plain(error),
            duration::show(*pause)
        ),
        _ => return None,
    })
}

/// Where a connection came from; a Unix client has no address, so it is called by its family.
fn peer(connection: &Summary) -> String {
    let peer = connection.peer.to_string();
    if peer.is_empty() { "unix".into() } else { peer }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

/// `engine coroutines, epoll, 2 workers`.
pub(crate) fn runs_on(engine: switchboard::Engine, setup: &str) -> String {
    let comma = if setup.is_empty() { "" } else { ", " };
    format!("engine {engine}{comma}{setup}")
}

/// The event as JSON. Fields keep their meaning for as long as `v` is 1.
fn object(event: &Event<'_>, left_out: u64) -> Option<Object> {
    let of = |kind: &str, connection: &Summary| {
        Object::new(kind)
            .number("id", connection.id)
            .text("service", &connection.service)
            .text("peer", &peer(connection))
    };
    let count = |count: usize| count as u64;
    Some(match event {
        Event::Listening { address, service, engine, setup } => Object::new("listening")
            .text("service", service)
            .text("address", &address.to_string())
            .text("engine", engine.name())
            .text("setup", setup),
        Event::Opened { connection } => of("opened", connection),
        Event::Message { connection, direction, bytes } => of("message", connection)
            .text("direction", way(*direction))
            .number("bytes", count(*bytes)),
        Event::Closed { connection, elapsed, received, sent, reason } => of("closed", connection)
            .number("elapsed_us", elapsed.as_micros())
            .number("received_bytes", *received)
            .number("sent_bytes", *sent)
            .text("reason", &reason.to_string()),
        Event::Refused { connection, why } => {
            of("refused", connection).text("reason", &why.to_string()).number("left_out", left_out)
        }
        Event::AcceptFailed { address, error, pause } => Object::new("accept_failed")
            .text("address", &address.to_string())
            .text("reason", &plain(error))
            .number("pause_us", pause.unwrap_or_default().as_micros()),
        Event::Panicked { connection, message } => {
            of("panicked", connection).text("message", message)
        }
        Event::Stalled { handler, elapsed, backtrace } => {
            let object = Object::new("stalled")
                .text("handler", handler)
                .number("elapsed_us", elapsed.as_micros());
            match backtrace {
                Some(text) => object.text("backtrace", text),
                None => object.null("backtrace"),
            }
        }
        Event::Reloaded { error: None } => Object::new("reloaded"),
        Event::Reloaded { error: Some(error) } => {
            Object::new("reload_failed").text("reason", &plain(error))
        }
        Event::WorkerFellBack { why } => Object::new("worker_fell_back").text("reason", why),
        Event::RingShort { why } => Object::new("ring_short").text("reason", why),
        Event::NotifyFailed { error } => Object::new("notify_failed").text("reason", &plain(error)),
        Event::WorkerStarted { pid } => Object::new("worker_started").number("pid", *pid),
        Event::WorkerDied { pid, exit, pause } => Object::new("worker_died")
            .number("pid", *pid)
            .text("reason", &exit.to_string())
            .number("pause_us", pause.unwrap_or_default().as_micros()),
        Event::WorkerNotStarted { error, pause } => Object::new("worker_not_started")
            .text("reason", &plain(error))
            .number("pause_us", pause.as_micros()),
        Event::DrainBegan { open, grace } => Object::new("drain_began")
            .number("open", count(*open))
            .number("grace_us", grace.as_micros()),
        Event::DrainEnded { cut } => Object::new("drain_ended").number("cut", count(*cut)),
        _ => return None,
    })
}

/// A description as JSON: what it says of the process, and a line for each connection, worker and
/// coroutine.
fn described(description: &Description) -> impl Iterator<Item = Object> {
    let Description { process, counters, doing, .. } = description;
    let states = Doing::ALL.map(|doing| doing.to_string().replace(' ', "_"));
    let states = states.iter().map(String::as_str).zip(doing.iter().map(|count| *count as u64));
    let engine = description.engine.map_or("none", |engine| engine.name());
    let head = Object::new("described")
        .number("pid", *process)
        .text("engine", engine)
        .truth("draining", description.draining)
        .number("open", description.open() as u64)
        .map("doing", states)
        .number("children", description.children as u64)
        .number("opened", counters.opened)
        .number("closed", counters.closed)
        .number("refused", counters.refused)
        .number("timed_out", counters.timed_out)
        .number("panicked", counters.panicked)
        .number("cut", counters.cut);
    let connections = description.connections.iter().map(|one| described_connection(*process, one));
    let workers = description.workers.iter().enumerate();
    let workers = workers.flat_map(|(number, worker)| described_worker(*process, number, worker));
    [head].into_iter().chain(connections).chain(workers)
}

fn described_connection(process: u32, open: &OpenConnection) -> Object {
    let object = Object::new("described_connection")
        .number("pid", process)
        .number("id", open.id)
        .text("service", &open.service)
        .text("peer", &open.peer.as_ref().map(ToString::to_string).unwrap_or_default())
        .text("doing", &open.doing.to_string())
        .number("open_us", open.open_for.as_micros());
    let object = match open.left {
        Some(left) => object.number("left_us", left.as_micros()),
        None => object.null("left_us"),
    };
    match open.traffic {
        Some(traffic) => object
            .number("received_bytes", traffic.received)
            .number("sent_bytes", traffic.sent)
            .number("silent_us", traffic.silent_for.as_micros()),
        None => object,
    }
}

fn described_worker(
    process: u32,
    number: usize,
    worker: &WorkerDescription,
) -> impl Iterator<Item = Object> {
    let object = Object::new("described_worker")
        .number("pid", process)
        .number("worker", number as u64)
        .truth("answered", worker.answered)
        .number("coroutines", worker.alive as u64)
        .number("stack_bytes", worker.stack_bytes as u64)
        .number("deepest_bytes", worker.deepest as u64);
    let object = match &worker.held {
        Some(held) => object.text("held_by", &held.name).number("held_us", held.since.as_micros()),
        None => object,
    };
    let coroutine = move |one: &Described| {
        Object::new("described_coroutine")
            .number("pid", process)
            .number("worker", number as u64)
            .number("id", one.id)
            .text("name", &one.name)
            .text("waits_for", &one.waits_for.to_string())
            .number("since_us", one.since.as_micros())
            .text("stack", &format!("{:#x}-{:#x}", one.stack.start, one.stack.end))
            .number("touched_bytes", one.touched as u64)
    };
    [object].into_iter().chain(worker.coroutines.iter().map(coroutine))
}

/// Lets one thing a second pass and counts the others.
#[derive(Debug, Default)]
struct Brake {
    last: Option<Instant>,
    left_out: u64,
}

impl Brake {
    fn pass(&mut self, now: Instant) -> Option<u64> {
        let rest = Duration::from_secs(1);
        if self.last.is_some_and(|last| now.duration_since(last) < rest) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_one_line_a_second() {
        let (mut brake, start) = (Brake::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(brake.pass(at(0)), Some(0));
        assert_eq!(brake.pass(at(1)), None);
        assert_eq!(brake.pass(at(999)), None);
        assert_eq!(brake.pass(at(1000)), Some(2));
        assert_eq!(brake.pass(at(2500)), Some(0));
    }
}
