//! The echo cell: what does one message cost on each contestant, beside the reference?
//!
//! A slice is a fresh server, fresh connections, a warm-up, then a few seconds of closed-loop load;
//! `blocks.rs` says how slices of several contestants take turns and what is made of them.

use crate::accounting::{Machine, Threads};
use crate::arguments::Arguments;
use crate::blocks::{self, Entry, Samples, Slice, Surroundings};
use crate::isolation::Isolation;
use crate::load::Load;
use crate::peers::{Contestant, Program};
use crate::report::{Report, interval, row};
use crate::server::{Conditions, Server};
use crate::statistics::Ratio;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Runs one cell and reports it. False when a contestant failed.
pub(crate) fn run(
    cell: Cell,
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let programs = contestants.iter().filter_map(|contestant| {
        Some((contestant.name, contestant.program.as_ref().ok()?.clone()))
    });
    let mut entries = blocks::entries(programs);
    let samples = blocks::run(
        arguments.blocks,
        &mut entries,
        report,
        |program, report| slice(program, cell, arguments, isolation, report.folder()),
        |sample, name, block, dropped| sample.json(cell, name, block, dropped),
    )?;
    summarize(cell, arguments, &entries, &samples, report)?;
    Ok(entries.iter().all(|entry| entry.failure.is_none()))
}

/// A point of the score sheet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) connections: usize,
    pub(crate) message_bytes: usize,
}

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// CPU-microseconds of the server per message.
    server: f64,
    /// The same with the load generator's; on loopback one side does part of the other's work.
    system: f64,
    per_second: f64,
    /// Share of its core that the load generator used, 0 to 1.
    load: f64,
    surroundings: Surroundings,
}

impl Sample {
    fn json(&self, cell: Cell, name: &str, block: usize, dropped: Option<&str>) -> Value {
        json!({
            "v": 1, "t": "echo_slice", "contestant": name, "block": block, "dropped": dropped,
            "connections": cell.connections, "message_bytes": cell.message_bytes,
            "server_cpu_us_per_message": self.server, "system_cpu_us_per_message": self.system,
            "messages_per_second": self.per_second, "load_cpu_share": self.load,
            "others_cpu_share": self.surroundings.others,
            "stolen_share": self.surroundings.stolen,
        })
    }
}

fn slice(
    program: &Program,
    cell: Cell,
    arguments: &Arguments,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Slice<Sample>> {
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(program, conditions, folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let mut load = Load::connect(server.port, cell.connections, cell.message_bytes)?;
    load.run(arguments.warm_up).map_err(said)?;
    let (threads, machine) = (Threads::of(server.pid())?, Machine::now()?);
    let done = load.run(arguments.slice).map_err(said)?;
    let threads_after = Threads::of(server.pid())?;

    let spent_or_lost = threads_after.since(&threads);
    let spent = spent_or_lost.unwrap_or_default();
    let surroundings = Surroundings::since(&machine, spent + done.cpu, done.elapsed)?;
    let fault = if spent_or_lost.is_none() {
        Some("a server thread ended and took its CPU count along")
    } else if done.messages == 0 {
        Some("no message came back in this slice")
    } else {
        surroundings.fault()
    };
    let per_message = |cpu: Duration| cpu.as_secs_f64() * 1e6 / done.messages.max(1) as f64;
    let seconds = done.elapsed.as_secs_f64();
    let sample = Sample {
        server: per_message(spent),
        system: per_message(spent + done.cpu),
        per_second: done.messages as f64 / seconds,
        load: done.cpu.as_secs_f64() / seconds,
        surroundings,
    };
    Ok(Slice { sample, fault })
}

fn summarize(
    cell: Cell,
    arguments: &Arguments,
    entries: &[Entry<Program>],
    samples: &Samples<Sample>,
    report: &mut Report,
) -> io::Result<()> {
    let Cell { connections, message_bytes } = cell;
    let seconds = arguments.slice.as_secs_f64();
    let blocks = arguments.blocks;
    println!(
        "\necho: {connections} connections, {message_bytes} bytes, one message under way each;"
    );
    println!("medians of {blocks} blocks of 2 slices of {seconds} s; CPU-us per message");
    let heads = [
        "server",
        "system",
        "msg/s",
        "server CPU",
        "load CPU",
        "server ratio [95 %]",
        "system ratio",
    ];
    row("contestant", &heads, "");
    let floors = [samples.floor(|s| s.server), samples.floor(|s| s.system)];
    for (at, entry) in entries.iter().enumerate() {
        if entry.failure.is_some() || samples.count(at) == 0 {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result("echo", &entry.name, why)?;
            continue;
        }
        let middle = |field: fn(&Sample) -> f64| samples.median(at, field);
        let load = middle(|s| s.load);
        let (server, system) = (samples.ratio(at, |s| s.server), samples.ratio(at, |s| s.system));
        let figures = [
            format!("{:.2}", middle(|s| s.server)),
            format!("{:.2}", middle(|s| s.system)),
            format!("{:.0}", middle(|s| s.per_second)),
            format!("{:.0} %", middle(|s| s.server * s.per_second) / 1e4),
            format!("{:.0} %", load * 100.0),
            interval(server),
            interval(system),
        ];
        let notes = notes(at, entry, server, floors[0], load);
        row(&entry.name, &figures, &notes);
        report.json(&json!({
            "v": 1, "t": "echo", "contestant": entry.name, "slices": samples.count(at),
            "slices_dropped": entry.dropped,
            "connections": connections, "message_bytes": message_bytes,
            "server_cpu_us_per_message": middle(|s| s.server),
            "system_cpu_us_per_message": middle(|s| s.system),
            "messages_per_second": middle(|s| s.per_second),
            "load_cpu_share": load, "load_is_limit": load > LOAD_LIMIT,
            "others_cpu_share": middle(|s| s.surroundings.others),
            "server_ratio": server.map(|r| r.json()), "system_ratio": system.map(|r| r.json()),
        }))?;
    }
    let [server, system] = floors.map(|floor| floor * 100.0);
    println!(
        "noise floor (the reference against itself): server {server:.1} %, system {system:.1} %"
    );
    Ok(())
}

/// What a reader must know about a row.
fn notes<C>(at: usize, entry: &Entry<C>, server: Option<Ratio>, floor: f64, load: f64) -> String {
    let mut notes = Vec::new();
    match at {
        0 => notes.push("reference".to_owned()),
        1 => notes.push("noise floor".to_owned()),
        _ if !server.is_some_and(|ratio| ratio.differs(floor)) => {
            notes.push("no difference above the floor".to_owned());
        }
        _ => {}
    }
    if load > LOAD_LIMIT {
        notes.push("the load generator is at its limit: compare CPU, not msg/s".to_owned());
    }
    if entry.dropped > 0 {
        notes.push(format!("slices dropped: {}", entry.dropped));
    }
    notes.join("; ")
}

/// Above this share of one core the load generator decides the rate.
const LOAD_LIMIT: f64 = 0.90;
