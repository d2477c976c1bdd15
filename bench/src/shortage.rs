//! The shortage cell: a server that has run out of descriptors, and 200 clients that stay.
//!
//! A server may have 64 descriptors. The clients connect, send one byte each and stay, so most of
//! them wait in the listen queue or are refused. Measured: the CPU the server burns meanwhile (a
//! loop around a failing accept burns a core), the lines it logs, how long it takes after one
//! client leaves until another is served, and whether those already served are still served
//! afterwards.
//!
//! How a server treats the clients that it cannot serve, by letting them wait or by closing them,
//! is its choice; both are counted, neither is judged.

use crate::accounting::process_cpu;
use crate::arguments::Arguments;
use crate::isolation::Isolation;
use crate::load::connect_from;
use crate::peers::{Contestant, Program, Service};
use crate::report::{Report, row};
use crate::server::{Conditions, Server};
use crate::statistics::{maximum, median};
use rustix::net::SocketFlags;
use serde_json::{Map, Value, json};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Runs the cell for every contestant. False when one failed.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    println!("\nshortage: {DESCRIPTORS} descriptors, {CLIENTS} clients that stay;");
    println!("bars: CPU at most {CPU_BAR} %, newly served within {RECOVERY_BAR_MS} ms of a close");
    let heads = ["CPU %", "log lines", "served ms", "max ms"];
    row("contestant", &heads, "");
    let mut all = true;
    for contestant in contestants {
        let Some(Ok(program)) = contestant.program(Service::Echo) else { continue };
        let name = &contestant.name;
        match measure(program, arguments, isolation, report.folder()) {
            Ok(outcome) if outcome.served == 0 => {
                let why = format!("it served nobody within {} s", SETTLE_LIMIT.as_secs());
                report.skipped("shortage", &Map::new(), &[(name.clone(), why)])?;
            }
            // One connection at a time, or a process with descriptors of its own for each.
            Ok(outcome) if outcome.served <= 1 || outcome.served == CLIENTS => {
                let why = format!("{} served at once: its descriptors last", outcome.served);
                report.skipped("shortage", &Map::new(), &[(name.clone(), why)])?;
            }
            Ok(outcome) => {
                outcome.print(name);
                report.json(&outcome.json(name))?;
            }
            Err(error) => {
                all = false;
                report.no_result("shortage", &Map::new(), &contestant.name, &error.to_string())?;
            }
        }
    }
    Ok(all)
}

#[derive(Debug)]
struct Outcome {
    served: usize,
    waiting: usize,
    refused: usize,
    /// Percent of a core.
    cpu: f64,
    log_lines: usize,
    window: Duration,
    /// Milliseconds per close; infinite where nobody was served in time.
    recoveries: Vec<f64>,
    /// Everyone served at the end still gets an answer.
    unharmed: bool,
}

impl Outcome {
    fn print(&self, name: &str) {
        let figures = [
            format!("{:.1}", self.cpu),
            format!("{}", self.log_lines),
            format!("{:.1}", median(&self.recoveries)),
            format!("{:.1}", maximum(&self.recoveries)),
        ];
        let mut note = if self.bars_met() { "bars met" } else { "bars MISSED" }.to_owned();
        let Outcome { served, waiting, refused, .. } = self;
        note += &format!("; {served} served, {waiting} waiting, {refused} refused");
        if !self.unharmed {
            note += "; SOME OF THOSE SERVED BEFORE ARE NOT ANY MORE";
        }
        row(name, &figures, &note);
    }

    fn bars_met(&self) -> bool {
        self.cpu <= CPU_BAR && maximum(&self.recoveries) <= RECOVERY_BAR_MS && self.unharmed
    }

    fn json(&self, name: &str) -> Value {
        let recoveries: Vec<Option<u64>> =
            self.recoveries.iter().map(|ms| ms.is_finite().then_some((ms * 1e3) as u64)).collect();
        json!({
            "v": 1, "t": "shortage", "contestant": name, "descriptors": DESCRIPTORS,
            "clients": CLIENTS, "served": self.served, "waiting": self.waiting,
            "refused": self.refused, "cpu_percent": self.cpu, "log_lines": self.log_lines,
            "window_us": self.window.as_micros() as u64, "recoveries_us": recoveries,
            "unharmed": self.unharmed, "bars_met": self.bars_met(),
        })
    }
}

fn measure(
    program: &Program,
    arguments: &Arguments,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Outcome> {
    let conditions =
        Conditions::Bound { cpu: isolation.server_cpu, descriptors: Some(DESCRIPTORS) };
    let server = Server::start(program, conditions, folder)?;
    let mut crowd = Crowd { port: server.port, clients: Vec::new(), made: 0 };
    for _ in 0..CLIENTS {
        crowd.join()?;
    }
    crowd.settle();
    let (served, refused) = (crowd.count(State::Served), crowd.count(State::Refused));
    let (cpu, lines, start) = (process_cpu(server.pid())?, server.log_lines(), Instant::now());
    thread::sleep(arguments.window);
    let window = start.elapsed();
    let cpu = (process_cpu(server.pid())? - cpu).as_secs_f64() / window.as_secs_f64() * 100.0;
    let log_lines = server.log_lines() - lines;
    let recoveries =
        (0..arguments.closes).map(|_| crowd.replace_one()).collect::<io::Result<Vec<f64>>>()?;
    Ok(Outcome {
        served,
        waiting: CLIENTS - served - refused,
        refused,
        cpu,
        log_lines,
        window,
        recoveries,
        unharmed: crowd.ask_again(),
    })
}

/// The clients of one server.
struct Crowd {
    port: u16,
    clients: Vec<Client>,
    made: usize,
}

impl Crowd {
    fn join(&mut self) -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let stream = connect_from(self.made, self.port, flags)?;
        self.made += 1;
        self.clients.push(Client { stream, state: State::Connecting });
        Ok(())
    }

    fn count(&self, state: State) -> usize {
        self.clients.iter().filter(|client| client.state == state).count()
    }

    /// Lets each client do what it can now; true when any got on.
    fn step(&mut self) -> bool {
        self.clients.iter_mut().fold(false, |any, client| client.step() | any)
    }

    /// Steps until nothing has changed for a while, and somebody has been served.
    fn settle(&mut self) {
        let (deadline, mut quiet_since) = (Instant::now() + SETTLE_LIMIT, Instant::now());
        let nobody = |crowd: &Crowd| crowd.count(State::Served) == 0;
        while (quiet_since.elapsed() < QUIET || nobody(self)) && Instant::now() < deadline {
            if self.step() {
                quiet_since = Instant::now();
            }
            thread::sleep(PAUSE);
        }
    }

    /// One served client leaves and a new one comes; milliseconds until someone who was not served
    /// before is.
    fn replace_one(&mut self) -> io::Result<f64> {
        self.settle();
        let leaves = self.clients.iter().position(|client| client.state == State::Served);
        let Some(leaves) = leaves else { return Ok(f64::INFINITY) };
        // Those turned away have gone; what counts is who comes after.
        let leaving = self.clients.swap_remove(leaves);
        self.clients.retain(|client| client.state != State::Refused);
        let served = self.count(State::Served);
        let start = Instant::now();
        drop(leaving);
        self.join()?;
        while start.elapsed() < RECOVERY_LIMIT {
            self.step();
            if self.count(State::Served) > served {
                return Ok(start.elapsed().as_secs_f64() * 1e3);
            }
            // Turned away too early: come again, as a real client would.
            let before = self.clients.len();
            self.clients.retain(|client| client.state != State::Refused);
            for _ in self.clients.len()..before {
                self.join()?;
            }
            thread::sleep(PAUSE);
        }
        Ok(f64::INFINITY)
    }

    /// Asks everyone who was served once more; true when all get their answer.
    fn ask_again(&mut self) -> bool {
        self.clients.retain(|client| client.state == State::Served);
        for client in &mut self.clients {
            client.state = State::Connecting;
        }
        let deadline = Instant::now() + RECOVERY_LIMIT;
        while self.count(State::Served) < self.clients.len() && Instant::now() < deadline {
            self.step();
            thread::sleep(PAUSE);
        }
        self.count(State::Served) == self.clients.len()
    }
}

struct Client {
    stream: TcpStream,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not connected yet, or connected and about to ask.
    Connecting,
    Asked,
    Served,
    /// The server, or the kernel in its place, closed the connection.
    Refused,
}

impl Client {
    fn step(&mut self) -> bool {
        let mut answer = [0];
        let (result, next) = match self.state {
            State::Connecting => (self.stream.write(b"x"), State::Asked),
            State::Asked => (self.stream.read(&mut answer), State::Served),
            State::Served | State::Refused => return false,
        };
        self.state = match result {
            Ok(1) => next,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            _ => State::Refused,
        };
        true
    }
}

const DESCRIPTORS: u64 = 64;
const CLIENTS: usize = 200;
/// Percent of a core.
const CPU_BAR: f64 = 5.0;
const RECOVERY_BAR_MS: f64 = 200.0;
const RECOVERY_LIMIT: Duration = Duration::from_secs(5);
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_micros(500);
