//! CPU per message and per visit: what a slice of the echo cell and of the accept cell comes to,
//! and the table of it. How a slice is made, the cells know.
//!
//! What is compared is the CPU of server and load together: on loopback one side does part of the
//! other's work, and which part changes with the rate. There are two yardsticks: the reference,
//! and a bare thread for each connection.

use crate::arguments::Arguments;
use crate::blocks::{self, Entry, Samples, Slice, Surroundings};
use crate::load::Done;
use crate::peers::{Program, THREADS};
use crate::report::{Report, interval, object, row};
use crate::standing::{self, Standing, Turn};
use crate::statistics::Ratio;
use serde_json::{Map, Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;

/// One cell of the score sheet.
pub(crate) struct Cell {
    /// Its family, the `t` of its JSON lines.
    pub(crate) family: &'static str,
    /// What is counted, in the singular.
    pub(crate) each: &'static str,
    /// What is done, for people.
    pub(crate) what: String,
    /// Where in the family it lies, for programs.
    pub(crate) place: Map<String, Value>,
    /// How long a contestant is measured before it is another's turn.
    pub(crate) turn: Duration,
}

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// CPU-microseconds of the server for each.
    server: f64,
    /// The same with the load generator's.
    system: f64,
    per_second: f64,
    /// Share of its core that the load generator used, 0 to 1.
    load: f64,
    surroundings: Surroundings,
}

impl Sample {
    /// Of a slice in which the server used `spent`.
    pub(crate) fn new(done: &Done, spent: Duration, surroundings: Surroundings) -> Sample {
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / done.messages.max(1) as f64;
        let seconds = done.elapsed.as_secs_f64();
        Sample {
            server: each(spent),
            system: each(spent + done.cpu),
            per_second: done.messages as f64 / seconds,
            load: done.cpu.as_secs_f64() / seconds,
            surroundings,
        }
    }

    /// A line that begins with the cell's place; the same fields for a slice and for medians.
    fn json(&self, cell: &Cell, t: &str, name: &str, more: Value) -> Value {
        let mut line = object(json!({ "v": 1, "t": t, "contestant": name }));
        let fields = json!({
            format!("server_cpu_us_per_{}", cell.each): self.server,
            format!("system_cpu_us_per_{}", cell.each): self.system,
            format!("{}_per_second", plural(cell.each)): self.per_second,
            "load_cpu_share": self.load,
            "others_cpu_share": self.surroundings.others,
            "stolen_share": self.surroundings.stolen,
        });
        for part in [cell.place.clone(), object(more), object(fields)] {
            line.extend(part);
        }
        Value::from(line)
    }
}

fn plural(word: &str) -> String {
    match word.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{word}s"),
    }
}

/// Runs the blocks of a cell and reports it. `unable` are those that do not take part, with the
/// reasons. False when a contestant failed or has no result.
pub(crate) fn run(
    cell: &Cell,
    able: Vec<(String, Program)>,
    unable: &[(String, String)],
    arguments: &Arguments,
    report: &mut Report,
    mut begin: impl FnMut(&Program, &Path, Duration) -> io::Result<Standing>,
) -> io::Result<bool> {
    let mut entries = blocks::entries(able);
    let line = |sample: &Sample, name: &str, block: usize, dropped: Option<&str>| {
        let more = json!({ "block": block, "dropped": dropped });
        sample.json(cell, &format!("{}_slice", cell.family), name, more)
    };
    let (turn, turns) = standing::turns(arguments.slice, cell.turn);
    let samples = blocks::run_in_turns(
        (arguments.blocks, turns),
        &mut entries,
        report,
        |program, report| begin(program, report.folder(), turn),
        |standing: &mut Standing, _| {
            let Turn { done, spent, surroundings, fault } = standing.turn()?;
            Ok(Slice { sample: Sample::new(&done, spent, surroundings), fault })
        },
        line,
    )?;
    let (blocks, ms) = (arguments.blocks, turn.as_millis());
    println!("\n{}: {};", cell.family, cell.what);
    println!("medians of {blocks} x {turns} x 2 turns of {ms} ms; CPU-us per {}", cell.each);
    let to = |name: &str| format!("to {name} [95 %]");
    let reference = &entries[0].name;
    let heads = ["server", "system", "per s", "server CPU", "load CPU"].map(str::to_owned);
    let heads: Vec<_> = heads.into_iter().chain([to(reference), to(THREADS)]).collect();
    row("contestant", &heads, "(ratios: system)");
    for (at, entry) in entries.iter().enumerate() {
        if entry.failure.is_some() || samples.count(at) == 0 {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result(cell.family, &cell.place, &entry.name, why)?;
        } else {
            result(at, cell, &entries, &samples, report)?;
        }
    }
    report.skipped(cell.family, &cell.place, unable)?;
    let [server, system] = [samples.floor(|s| s.server), samples.floor(|s| s.system)];
    let percent = |floor: f64| match floor.is_finite() {
        true => format!("{:.1} %", floor * 100.0),
        false => "unknown".to_owned(),
    };
    let (server, system) = (percent(server), percent(system));
    println!("noise floor (the reference against itself): server {server}, system {system}");
    Ok(samples.verdict(&entries, arguments.quick))
}

/// Reports the row of one entry.
fn result(
    at: usize,
    cell: &Cell,
    entries: &[Entry<Program>],
    samples: &Samples<Sample>,
    report: &mut Report,
) -> io::Result<()> {
    let middle = |field: fn(&Sample) -> f64| samples.median(at, field);
    let medians = Sample {
        server: middle(|s| s.server),
        system: middle(|s| s.system),
        per_second: middle(|s| s.per_second),
        load: middle(|s| s.load),
        surroundings: Surroundings {
            others: middle(|s| s.surroundings.others),
            stolen: middle(|s| s.surroundings.stolen),
        },
    };
    let threads = entries.iter().position(|entry| entry.name == THREADS);
    let to_threads = |field| threads.and_then(|base| samples.ratio_to(base, at, field));
    let (system, threads) = (samples.ratio(at, |s| s.system), to_threads(|s| s.system));
    let figures = [
        format!("{:.2}", medians.server),
        format!("{:.2}", medians.system),
        format!("{:.0}", medians.per_second),
        format!("{:.0} %", middle(|s| s.server * s.per_second) / 1e4),
        format!("{:.0} %", medians.load * 100.0),
        interval(system),
        interval(threads),
    ];
    let entry = &entries[at];
    let differs = system.is_some_and(|ratio| ratio.differs(samples.floor(|s| s.system)));
    row(&entry.name, &figures, &notes(at, entry, differs, medians.load));
    let json = |ratio: Option<Ratio>| ratio.map(|ratio| ratio.json());
    let more = json!({
        "reference": entries[0].name, "slices": samples.count(at), "slices_dropped": entry.dropped,
        "disturbed": entry.disturbed,
        "load_is_limit": medians.load > LOAD_LIMIT,
        "server_ratio": json(samples.ratio(at, |s| s.server)), "system_ratio": json(system),
        "rate_ratio": json(samples.ratio(at, |s| s.per_second)),
        "server_ratio_to_bare_threads": json(to_threads(|s| s.server)),
        "system_ratio_to_bare_threads": json(threads),
    });
    report.json(&medians.json(cell, cell.family, &entry.name, more))
}

/// What a reader must know about a row.
fn notes(at: usize, entry: &Entry<Program>, differs: bool, load: f64) -> String {
    let mut notes = Vec::new();
    match at {
        0 => notes.push("reference".to_owned()),
        1 => notes.push("noise floor".to_owned()),
        _ if !differs => notes.push("no difference above the floor".to_owned()),
        _ => {}
    }
    if load > LOAD_LIMIT {
        notes.push("the load generator is at its limit: compare CPU, not rates".to_owned());
    }
    notes.extend(entry.remarks());
    notes.join("; ")
}

/// Above this share of one core the load generator decides the rate.
const LOAD_LIMIT: f64 = 0.90;
