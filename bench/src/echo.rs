//! The echo cell: what does one message cost on each contestant, beside the reference?
//!
//! Unit of measurement is a slice: a fresh server, fresh connections, a warm-up, then a few seconds
//! of closed-loop load. Slices are grouped in blocks; in each block every contestant runs twice, in
//! an order that is rotated from block to block and mirrored within the block (A B C, C B A), so
//! that a machine that slowly gets faster or slower treats all alike. The result is the median over
//! blocks of the ratio to the reference of the same block. The reference takes part twice: its
//! ratio to itself is the noise floor, and no difference below that is called one.

use crate::accounting::{Machine, Threads};
use crate::arguments::Arguments;
use crate::isolation::Isolation;
use crate::load::Load;
use crate::peers::{Contestant, Program};
use crate::report::{Report, progress, row};
use crate::server::{Conditions, Server};
use crate::statistics::{Ratio, median};
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
    let mut entries = entries(contestants);
    let mut blocks = Vec::new();
    for block in 0..arguments.blocks {
        let mut samples = vec![Vec::new(); entries.len()];
        for at in order(entries.len(), block) {
            let entry = &mut entries[at];
            if entry.failure.is_some() {
                continue;
            }
            progress(&format!("block {} of {}: {}", block + 1, arguments.blocks, entry.name));
            match slice(&entry.program, cell, arguments, isolation, report.folder()) {
                Ok(Slice { fault: None, sample, .. }) => {
                    samples[at].push(sample);
                    report.json(&sample.json(cell, &entry.name, block, None))?;
                }
                Ok(Slice { fault: Some(fault), sample }) => {
                    entry.dropped += 1;
                    report.json(&sample.json(cell, &entry.name, block, Some(fault)))?;
                }
                Err(error) => entry.failure = Some(error.to_string()),
            }
        }
        blocks.push(samples);
    }
    progress("");
    summarize(cell, arguments, &entries, &blocks, report)?;
    Ok(entries.iter().all(|entry| entry.failure.is_none()))
}

/// A point of the score sheet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) connections: usize,
    pub(crate) message_bytes: usize,
}

/// A contestant as it runs in this cell; the reference has two.
struct Entry {
    name: String,
    program: Program,
    dropped: usize,
    failure: Option<String>,
}

fn entries(contestants: &[Contestant]) -> Vec<Entry> {
    let entry = |name: String, program: &Program| Entry {
        name,
        program: program.clone(),
        dropped: 0,
        failure: None,
    };
    let mut entries = Vec::new();
    for contestant in contestants {
        let Ok(program) = &contestant.program else { continue };
        entries.push(entry(contestant.name.to_owned(), program));
        if entries.len() == 1 {
            entries.push(entry(format!("{} again", contestant.name), program));
        }
    }
    entries
}

/// Rotated by the block's number, then mirrored.
fn order(count: usize, block: usize) -> Vec<usize> {
    let forward = (0..count).map(|at| (at + block) % count);
    forward.clone().chain(forward.rev()).collect()
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
    /// CPUs that anyone else on the machine used.
    others: f64,
    stolen: f64,
}

impl Sample {
    fn json(&self, cell: Cell, name: &str, block: usize, dropped: Option<&str>) -> Value {
        json!({
            "v": 1, "t": "echo_slice", "contestant": name, "block": block, "dropped": dropped,
            "connections": cell.connections, "message_bytes": cell.message_bytes,
            "server_cpu_us_per_message": self.server, "system_cpu_us_per_message": self.system,
            "messages_per_second": self.per_second, "load_cpu_share": self.load,
            "others_cpu_share": self.others, "stolen_share": self.stolen,
        })
    }
}

struct Slice {
    sample: Sample,
    /// Why the sample must not be used.
    fault: Option<&'static str>,
}

fn slice(
    program: &Program,
    cell: Cell,
    arguments: &Arguments,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Slice> {
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(program, conditions, folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let mut load = Load::connect(server.port, cell.connections, cell.message_bytes)?;
    load.run(arguments.warm_up).map_err(said)?;
    let (threads, machine) = (Threads::of(server.pid())?, Machine::now()?);
    let done = load.run(arguments.slice).map_err(said)?;
    let (threads_after, machine_after) = (Threads::of(server.pid())?, Machine::now()?);

    let spent_or_lost = threads_after.since(&threads);
    let spent = spent_or_lost.unwrap_or_default();
    let others = machine_after.busy_since(&machine).saturating_sub(spent + done.cpu);
    let others = others.as_secs_f64() / done.elapsed.as_secs_f64();
    let stolen = machine_after.stolen_since(&machine);
    let fault = if stolen > STEAL_LIMIT {
        Some("steal above 2 %")
    } else if spent_or_lost.is_none() {
        Some("a server thread ended and took its CPU count along")
    } else if others > OTHERS_LIMIT {
        Some("others used more than 10 % of a CPU")
    } else if done.messages == 0 {
        Some("no message came back in this slice")
    } else {
        None
    };
    let per_message = |cpu: Duration| cpu.as_secs_f64() * 1e6 / done.messages.max(1) as f64;
    let seconds = done.elapsed.as_secs_f64();
    let sample = Sample {
        server: per_message(spent),
        system: per_message(spent + done.cpu),
        per_second: done.messages as f64 / seconds,
        load: done.cpu.as_secs_f64() / seconds,
        others,
        stolen,
    };
    Ok(Slice { sample, fault })
}

/// Samples by block, then by entry.
type Blocks = [Vec<Vec<Sample>>];

fn summarize(
    cell: Cell,
    arguments: &Arguments,
    entries: &[Entry],
    blocks: &Blocks,
    report: &mut Report,
) -> io::Result<()> {
    let Cell { connections, message_bytes } = cell;
    let seconds = arguments.slice.as_secs_f64();
    let blocks_count = blocks.len();
    println!(
        "\necho: {connections} connections, {message_bytes} bytes, one message under way each;"
    );
    println!("medians of {blocks_count} blocks of 2 slices of {seconds} s; CPU-us per message");
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
    let floors = [
        ratio(blocks, 1, |s| s.server).map_or(f64::INFINITY, |ratio| ratio.floor()),
        ratio(blocks, 1, |s| s.system).map_or(f64::INFINITY, |ratio| ratio.floor()),
    ];
    for (at, entry) in entries.iter().enumerate() {
        let samples: Vec<&Sample> = blocks.iter().flat_map(|block| &block[at]).collect();
        if entry.failure.is_some() || samples.is_empty() {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result("echo", &entry.name, why)?;
            continue;
        }
        let middle = |field: fn(&Sample) -> f64| {
            median(&samples.iter().map(|sample| field(sample)).collect::<Vec<_>>())
        };
        let (load, others) = (middle(|s| s.load), middle(|s| s.others));
        let (server, system) = (ratio(blocks, at, |s| s.server), ratio(blocks, at, |s| s.system));
        let figures = [
            format!("{:.2}", middle(|s| s.server)),
            format!("{:.2}", middle(|s| s.system)),
            format!("{:.0}", middle(|s| s.per_second)),
            format!("{:.0} %", middle(|s| s.server * s.per_second) / 1e4),
            format!("{:.0} %", load * 100.0),
            show(server),
            show(system),
        ];
        let notes = notes(at, entry, server, floors[0], load);
        row(&entry.name, &figures, &notes);
        report.json(&json!({
            "v": 1, "t": "echo", "contestant": entry.name, "slices": samples.len(),
            "slices_dropped": entry.dropped,
            "connections": connections, "message_bytes": message_bytes,
            "server_cpu_us_per_message": middle(|s| s.server),
            "system_cpu_us_per_message": middle(|s| s.system),
            "messages_per_second": middle(|s| s.per_second),
            "load_cpu_share": load, "load_is_limit": load > LOAD_LIMIT,
            "others_cpu_share": others,
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
fn notes(at: usize, entry: &Entry, server: Option<Ratio>, floor: f64, load: f64) -> String {
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

/// Per block the mean of the entry's slices over the mean of the reference's; blocks where either
/// has none are left out.
fn ratio(blocks: &Blocks, at: usize, field: fn(&Sample) -> f64) -> Option<Ratio> {
    let mean = |samples: &[Sample]| -> Option<f64> {
        let sum: f64 = samples.iter().map(field).sum();
        (!samples.is_empty()).then(|| sum / samples.len() as f64)
    };
    let ratios: Vec<f64> =
        blocks.iter().filter_map(|block| Some(mean(&block[at])? / mean(&block[0])?)).collect();
    Ratio::of(&ratios)
}

fn show(ratio: Option<Ratio>) -> String {
    ratio.map_or("-".to_owned(), |r| format!("{:.3} [{:.3}, {:.3}]", r.median, r.low, r.high))
}

/// Above this share of one core the load generator decides the rate.
const LOAD_LIMIT: f64 = 0.90;
/// A slice from which the hypervisor took more is dropped.
const STEAL_LIMIT: f64 = 0.02;
/// A slice in which others used more of a CPU is dropped: they push the load or the server aside,
/// batches grow and the cost per message falls, by luck.
const OTHERS_LIMIT: f64 = 0.10;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(server: f64) -> Sample {
        Sample { server, system: server, per_second: 1.0, load: 0.5, others: 0.0, stolen: 0.0 }
    }

    #[test]
    fn a_block_is_mirrored_and_rotated() {
        assert_eq!(order(3, 0), [0, 1, 2, 2, 1, 0]);
        assert_eq!(order(3, 1), [1, 2, 0, 0, 2, 1]);
        assert_eq!(order(3, 3), order(3, 0));
    }

    #[test]
    fn ratios_pair_slices_of_one_block() {
        // The machine is three times slower in the second block; the ratio must not see it.
        let blocks = [
            vec![vec![sample(1.0), sample(3.0)], vec![sample(4.0)]],
            vec![vec![sample(6.0)], vec![sample(11.0), sample(13.0)]],
        ];
        let ratio = ratio(&blocks, 1, |s| s.server).unwrap();
        assert_eq!((ratio.median, ratio.low, ratio.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn a_block_without_the_reference_has_no_ratio() {
        let blocks = [vec![vec![], vec![sample(1.0)]]];
        assert!(ratio(&blocks, 1, |s| s.server).is_none());
    }
}
