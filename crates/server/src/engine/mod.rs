//! The engines: what runs a handler.
//!
//! An engine is one file beside this one and one row in the list below. Its opening text answers
//! the same seven questions as every other's; from them come `switchboard engines` and the table
//! of the guide. From the list come `--engine`, the suite that every engine must pass, and the
//! rows of the benchmark.

mod coroutines;
mod processes;
mod serial;
mod threads;

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use socket::Deadline;
use socket::signal::StopSignals;

use crate::accept::AcceptLoop;
use crate::error::{Error, Result};
use crate::listener::Listener;
use crate::running::Running;

/// Runs requests. One value serves one server, once.
pub(crate) trait Run {
    /// How it is set up, in words, where there is a choice: `epoll, 2 workers`.
    /// `workers`: threads that run coroutines; `None`: one for each core.
    fn setup(&self, workers: Option<usize>) -> String {
        let _ = workers;
        String::new()
    }

    /// Makes what it needs, says once that it is `ready`, and only then serves, until the server is
    /// asked to stop. Requests may still be running when it returns.
    fn serve(&mut self, serving: Serving, ready: &mut dyn FnMut()) -> Result;

    /// Sees to the requests that are still running, where that is the serving thread's business,
    /// until there are none. The watch is meanwhile draining.
    fn drain(&mut self) {}

    /// Takes back what the requests ran on, after the drain. Unless `all` are done, those that are
    /// not are left behind.
    fn join(&mut self, all: bool);
}

/// A server about to serve: what an engine makes its accept loops of.
pub(crate) struct Serving {
    pub(crate) running: Arc<Running>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) signals: Option<StopSignals>,
    pub(crate) max_packet_size: usize,
    /// How many datagrams may be taken at once: one, where a handler keeps its accept loop.
    pub(crate) batch: usize,
    /// Threads that run coroutines; `None`: one for each core.
    pub(crate) workers: Option<usize>,
    pub(crate) poll_interval: Option<Duration>,
    /// Where only one request is served: until when to wait for it.
    pub(crate) one_by: Option<Deadline>,
}

impl Serving {
    /// The only accept loop of the server.
    pub(crate) fn accept_loop(self) -> Result<AcceptLoop> {
        Ok(self.accept_loops(1)?.remove(0))
    }

    /// `count` accept loops, each with descriptors of its own if there are several. One is enough
    /// for a single request.
    pub(crate) fn accept_loops(self, count: usize) -> Result<Vec<AcceptLoop>> {
        let count = if self.one_by.is_some() { 1 } else { count };
        let accept_loop = |index| {
            AcceptLoop::new(&self, index, count)
                .map_err(|error| Error::start("prepare to accept", error, count))
        };
        (0..count).map(accept_loop).collect()
    }
}

/// Makes the list of engines.
macro_rules! engines {
    ($($name:ident = $file:ident (at most $limit:literal) $summary:literal;)*) => {
        /// What runs a handler. The same handler runs on each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Engine {
            $(#[doc = $summary] $name,)*
        }

        impl Engine {
            /// Every engine there is.
            pub const ALL: &[Engine] = &[$(Engine::$name,)*];

            /// Its name, as in `--engine`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Engine::$name => stringify!($file),)* }
            }

            /// What it is, in one line.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self { $(Engine::$name => $summary,)* }
            }

            /// How many connections it has open at once unless told otherwise.
            #[must_use]
            pub fn limit_connections(self) -> usize {
                match self { $(Engine::$name => $limit,)* }
            }

            fn head(self) -> &'static str {
                match self { $(Engine::$name => include_str!(concat!(stringify!($file), ".rs")),)* }
            }

            pub(crate) fn runner(self) -> Box<dyn Run> {
                match self { $(Engine::$name => Box::new($file::Runner::default()),)* }
            }
        }
    };
}

engines! {
    Serial = serial (at most 1) "one request at a time, in the thread that serves";
    Threads = threads (at most 1024) "a thread for each connection, bounded";
    Processes = processes (at most 40) "a forked process for each connection, bounded";
    Coroutines = coroutines (at most 100_000) "a coroutine for each connection, a worker per core";
}

/// The engine that runs when nobody says which.
impl Default for Engine {
    fn default() -> Engine {
        Engine::Coroutines
    }
}

impl Engine {
    /// Whether its requests run in processes of their own.
    pub(crate) fn forks(self) -> bool {
        self == Engine::Processes
    }

    /// The seven questions every engine answers, with its answers.
    #[must_use]
    pub fn questions(self) -> Vec<(&'static str, String)> {
        let mut questions: Vec<(&str, String)> = Vec::new();
        for line in self.head().lines().map_while(|line| line.strip_prefix("//!")) {
            let line = line.trim();
            match line.strip_prefix("* **").and_then(|rest| rest.split_once("?** ")) {
                Some((question, answer)) => questions.push((question, answer.to_owned())),
                None if line.is_empty() && questions.len() == QUESTIONS => break,
                None => {
                    if let Some((_, answer)) = questions.last_mut() {
                        answer.push(' ');
                        answer.push_str(line);
                    }
                }
            }
        }
        questions
    }
}

/// How many questions an engine answers.
const QUESTIONS: usize = 7;

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = io::Error;

    /// # Errors
    /// `InvalidInput`, with the names there are.
    fn from_str(name: &str) -> io::Result<Engine> {
        Engine::ALL.iter().copied().find(|engine| engine.name() == name).ok_or_else(|| {
            let names: Vec<_> = Engine::ALL.iter().map(|engine| engine.name()).collect();
            let why = format!("\"{name}\" is not an engine (one of {})", names.join(" "));
            io::Error::new(io::ErrorKind::InvalidInput, why)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_answers_the_same_seven_questions() {
        let asked = |engine: Engine| -> Vec<_> {
            engine.questions().into_iter().map(|(question, _)| question).collect()
        };
        for engine in Engine::ALL {
            assert_eq!(asked(*engine), asked(Engine::Serial), "{engine}");
            assert_eq!(asked(*engine).len(), QUESTIONS, "{engine}");
            assert!(engine.questions().iter().all(|(_, answer)| answer.len() > 10), "{engine}");
        }
    }

    #[test]
    fn names_read_back() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse::<Engine>().unwrap(), *engine);
        }
        assert!("hamsters".parse::<Engine>().unwrap_err().to_string().contains("serial threads"));
    }
}
