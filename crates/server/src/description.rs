//! What a server is doing, as a value that can be printed: its connections and its coroutines.
//!
//! ```text
//!   switchboard: process 4711 serves on coroutines: 2 open, 1 working, 1 reading
//!     so far: 12 opened, 9 closed, 0 refused, 0 timed out, 0 panicked, 0 cut off
//!     #10 upper 127.0.0.1:52140 working; open for 2.1s, silent for 2.1s, in 6 B, out 0 B
//!     #12 echo 127.0.0.1:52144 reading; open for 3.2s, may wait 26.8s more, …
//!     worker 0: 3 coroutines, at most 12 of 256 KiB of a stack touched
//!       #0 "main" waits for one of 3 descriptors, for 12.0s; 8 KiB touched of its stack 0x…
//!     worker 1: does not answer; held by "upper #10 127.0.0.1:52140" for 2.1s
//! ```
//! Handlers pay nothing for it: what they do is read from the word in which they say what they wait
//! for, and the bytes are the kernel's numbers (`TCP_INFO` in `tcp(7)`). How it is put together is
//! in `describe.rs`, how it travels between processes in `description_record.rs`.
//!
//! What it deliberately does not have: anything without a bound, and backtraces, which are a
//! debugger's business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coroutine::{Described, Held};
use socket::SockAddr;

use crate::engine::Engine;
use crate::event::Counters;

/// What a server is doing at one moment, see [`Control::describe`](crate::Control::describe).
/// `Display` prints all of it, in several lines, without a control character of anybody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The process that it is about.
    pub process: u32,
    /// What runs its handlers; `None` where it does not serve: not yet, no longer, or because its
    /// [workers](crate::Server::with_prefork) do.
    pub engine: Option<Engine>,
    /// Whether it takes no more connections.
    pub draining: bool,
    /// What the server has counted so far, with all of its processes.
    pub counters: Counters,
    /// Its forked processes, see [`Control::active_children`](crate::Control::active_children).
    pub children: usize,
    /// How many handlers of this process do what, in the order of [`Doing::ALL`].
    pub doing: [usize; Doing::ALL.len()],
    /// Open connections, in the order of [`Doing::ALL`] and then the oldest first; at most
    /// [`MOST`](Description::MOST).
    pub connections: Vec<OpenConnection>,
    /// Threads that run coroutines.
    pub workers: Vec<WorkerDescription>,
}

/// An open connection, or a datagram whose handler runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenConnection {
    /// Its number at this server.
    pub id: u64,
    /// The listener it arrived at, see [`Summary::listener`](crate::Summary::listener).
    pub listener: usize,
    /// The name of the service it reached.
    pub service: Arc<str>,
    /// Where it came from; `None` where the kernel no longer knows, and for a datagram.
    pub peer: Option<SockAddr>,
    /// What its handler does.
    pub doing: Doing,
    /// For how long it may wait from now on; `None` if it does not wait or may do so for ever.
    pub left: Option<Duration>,
    /// Since it arrived, to some milliseconds.
    pub open_for: Duration,
    /// What the kernel counts of it; `None` for what is not TCP.
    pub traffic: Option<Traffic>,
}

/// What the kernel counts of a TCP connection. `TCP_INFO` in `tcp(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes received, also those that nobody has read yet.
    pub received: u64,
    /// Bytes that the peer has acknowledged.
    pub sent: u64,
    /// Since bytes were last received.
    pub silent_for: Duration,
}

/// What a handler does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// It runs, writes, or waits for something else than bytes of its peer.
    Working,
    /// It waits for bytes of its peer, in the middle of something.
    Reading,
    /// It waits for the next request.
    Between,
    /// Its wait was ended, by a deadline or because the server is stopping, and it has not noticed.
    Ending,
}

impl Doing {
    /// All of them.
    pub const ALL: [Doing; 4] = [Doing::Working, Doing::Reading, Doing::Between, Doing::Ending];
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Working => "working",
            Doing::Reading => "reading",
            Doing::Between => "between requests",
            Doing::Ending => "being ended",
        })
    }
}

/// A thread that runs coroutines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerDescription {
    /// Whether it has answered. One that a handler keeps to itself cannot.
    pub answered: bool,
    /// What has kept it to itself, if it did not answer and something did.
    pub held: Option<Held>,
    /// How many coroutines it has.
    pub alive: usize,
    /// The size of each stack, in bytes.
    pub stack_bytes: usize,
    /// The most that any coroutine has touched of its stack, in bytes. In debug builds of all time;
    /// otherwise of stacks that have not been free for a second or two since, and of those that an
    /// earlier description saw.
    pub deepest: usize,
    /// The oldest of them, at most [`MOST`](Description::MOST).
    pub coroutines: Vec<Described>,
}

impl Description {
    /// So many connections are listed, and so many coroutines of each worker; of more there is the
    /// number.
    pub const MOST: usize = 1000;

    /// How many connections are open in this process.
    #[must_use]
    pub fn open(&self) -> usize {
        self.doing.iter().sum()
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "switchboard: process {}", self.process)?;
        match self.engine {
            Some(engine) => write!(f, " serves on {engine}: {} open", self.open())?,
            None => write!(f, " serves nobody itself")?,
        }
        for (count, doing) in self.doing.iter().zip(Doing::ALL).filter(|(count, _)| **count > 0) {
            write!(f, ", {count} {doing}")?;
        }
        if self.draining {
            f.write_str(", stopping")?;
        }
        if self.children > 0 {
            write!(f, ", {}", Count(self.children, "process", "processes"))?;
        }
        let Counters { opened, closed, refused, timed_out, panicked, cut, .. } = self.counters;
        write!(
            f,
            "\n  so far: {opened} opened, {closed} closed, {refused} refused, {timed_out} timed \
             out, {panicked} panicked, {cut} cut off"
        )?;
        self.connections.iter().try_for_each(|connection| write!(f, "\n  {connection}"))?;
        more(f, "\n  ", self.open(), self.connections.len())?;
        let workers = self.workers.iter().enumerate();
        workers
            .into_iter()
            .try_for_each(|(number, worker)| write!(f, "\n  worker {number}: {worker}"))
    }
}

impl fmt::Display for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.id, Escaped(&self.service))?;
        if let Some(peer) = &self.peer {
            write!(f, " {}", Escaped(&peer.to_string()))?;
        }
        write!(f, " {}; open for {}", self.doing, Short(self.open_for))?;
        if let Some(left) = self.left {
            write!(f, ", may wait {} more", Short(left))?;
        }
        if let Some(Traffic { received, sent, silent_for }) = self.traffic {
            let silent_for = Short(silent_for);
            write!(f, ", silent for {silent_for}, in {received} B, out {sent} B")?;
        }
        Ok(())
    }
}

impl fmt::Display for WorkerDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.answered {
            f.write_str("does not answer")?;
            return match &self.held {
                Some(held) => write!(f, "; held by {}", HeldBy(held)),
                None => Ok(()),
            };
        }
        let (deepest, whole) = (self.deepest / 1024, self.stack_bytes / 1024);
        write!(f, "{}, ", Count(self.alive, "coroutine", "coroutines"))?;
        write!(f, "at most {deepest} of {whole} KiB of a stack touched")?;
        for coroutine in &self.coroutines {
            write!(f, "\n    {}", Line(coroutine))?;
        }
        more(f, "\n    ", self.alive, self.coroutines.len())
    }
}

/// So many of something: the number, and its words for one and for others.
struct Count(usize, &'static str, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count(count, one, others) = self;
        write!(f, "{count} {}", if *count == 1 { one } else { others })
    }
}

/// `"echo #1 127.0.0.1:9" for 2.1s`.
struct HeldBy<'a>(&'a Held);

impl fmt::Display for HeldBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" for {}", Escaped(&self.0.name), Short(self.0.since))
    }
}

/// A coroutine in a line.
struct Line<'a>(&'a Described);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Described { id, name, waits_for, since, stack, touched } = self.0;
        let (name, since, touched) = (Escaped(name), Short(*since), touched / 1024);
        write!(f, "#{id} \"{name}\" waits for {waits_for}, for {since}; ")?;
        write!(f, "{touched} KiB touched of its stack {:#x}-{:#x}", stack.start, stack.end)
    }
}

/// Says how many were left out, if any.
fn more(f: &mut fmt::Formatter<'_>, indent: &str, all: usize, shown: usize) -> fmt::Result {
    match all.saturating_sub(shown) {
        0 => Ok(()),
        count => write!(f, "{indent}and {count} more"),
    }
}

/// A text that moves no cursor: control characters, and those that reorder others, as escapes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            // Unicode UAX #9, 2.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(f, "{}", letter.escape_default())
            }
            _ if letter.is_control() => write!(f, "{}", letter.escape_default()),
            _ => write!(f, "{letter}"),
        })
    }
}

/// A duration with a digit behind the point, in seconds.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_said_and_nothing_moves_the_cursor() {
        let connection = OpenConnection {
            id: 7,
            listener: 0,
            service: "e\x1bcho".into(),
            peer: Some("127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap().into()),
            doing: Doing::Reading,
            left: Some(Duration::from_millis(1_250)),
            open_for: Duration::from_secs(3),
            traffic: Some(Traffic { received: 5, sent: 6, silent_for: Duration::from_secs(2) }),
        };
        let held = Held { name: "a\u{202e}\nb".into(), since: Duration::from_secs(1) };
        let description = Description {
            process: 4,
            engine: Some(Engine::Coroutines),
            draining: true,
            doing: [0, 5, 0, 0],
            connections: vec![connection],
            workers: vec![
                WorkerDescription { held: Some(held), ..WorkerDescription::default() },
                WorkerDescription { answered: true, alive: 2, ..WorkerDescription::default() },
                WorkerDescription { answered: true, alive: 1, ..WorkerDescription::default() },
            ],
            ..Description::default()
        };
        let lines = [
            "switchboard: process 4 serves on coroutines: 5 open, 5 reading, stopping",
            "  so far: 0 opened, 0 closed, 0 refused, 0 timed out, 0 panicked, 0 cut off",
            "  #7 e\\u{1b}cho 127.0.0.1:9 reading; open for 3.0s, may wait 1.2s more, silent for \
             2.0s, in 5 B, out 6 B",
            "  and 4 more",
            "  worker 0: does not answer; held by \"a\\u{202e}\\nb\" for 1.0s",
            "  worker 1: 2 coroutines, at most 0 of 0 KiB of a stack touched",
            "    and 2 more",
            "  worker 2: 1 coroutine, at most 0 of 0 KiB of a stack touched",
            "    and 1 more",
        ];
        assert_eq!(description.to_string(), lines.join("\n"));
        for (children, end) in [(0, "so far"), (1, ", 1 process\n"), (2, ", 2 processes\n")] {
            let text = Description { children, ..Description::default() }.to_string();
            assert!(text.contains(end), "{text}");
        }
    }
}
