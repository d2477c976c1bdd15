//! The udp cell: how many datagrams does a CPU-second carry, one by one, in batches, segmented?
//!
//! The figure counts the CPU of both sides: on loopback the sender does most of the receiver's work
//! in the kernel. Ratios are of datagrams per CPU-second to the first row, so more is better.
//! `datagrams.rs` sends and receives; `blocks.rs` says how the ways take turns.

use crate::arguments::Arguments;
use crate::blocks::{self, Entry, Samples, Slice, Surroundings};
use crate::datagrams::{self, BATCH, DATAGRAM_BYTES, Way};
use crate::isolation::Isolation;
use crate::report::{Report, interval, row};
use crate::statistics::Ratio;
use serde_json::{Map, Value, json};
use std::io;
use std::time::Duration;

/// Every row; the first is the reference.
const ROWS: &[Row] = &[
    Row { name: "one by one", way: Way::OneByOne, aim: None },
    Row { name: "std", way: Way::Std, aim: None },
    Row { name: "batches", way: Way::Batches, aim: Some(2.0) },
    Row { name: "GSO and GRO", way: Way::Segments, aim: Some(8.0) },
];

/// One way to send and receive.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    way: Way,
    /// How many times the reference it should be.
    aim: Option<f64>,
}

/// Runs the cell. False when a way failed.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    report: &mut Report,
) -> io::Result<bool> {
    let mut entries = blocks::entries(ROWS.iter().map(|row| (row.name, *row)));
    let samples = blocks::run(
        arguments.blocks,
        &mut entries,
        report,
        |row, _| slice(row.way, arguments, isolation),
        Sample::json,
    )?;
    summarize(arguments, &entries, &samples, report)?;
    Ok(samples.verdict(&entries, arguments.quick))
}

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// CPU-microseconds of the sender per datagram received.
    sender: f64,
    receiver: f64,
    per_second: f64,
    /// Share of what was sent that did not arrive.
    lost: f64,
    surroundings: Surroundings,
}

impl Sample {
    fn both(&self) -> f64 {
        self.sender + self.receiver
    }

    fn json(&self, name: &str, block: usize, dropped: Option<&str>) -> Value {
        json!({
            "v": 1, "t": "udp_slice", "contestant": name, "block": block, "dropped": dropped,
            "datagram_bytes": DATAGRAM_BYTES,
            "sender_cpu_us_per_datagram": self.sender,
            "receiver_cpu_us_per_datagram": self.receiver,
            "datagrams_per_cpu_second": 1e6 / self.both(),
            "datagrams_per_second": self.per_second, "lost_share": self.lost,
            "others_cpu_share": self.surroundings.others,
            "stolen_share": self.surroundings.stolen,
        })
    }
}

fn slice(way: Way, arguments: &Arguments, isolation: &Isolation) -> io::Result<Slice<Sample>> {
    let done = datagrams::run(way, arguments.warm_up, arguments.slice, isolation)?;
    let own = done.sender_cpu + done.receiver_cpu;
    let surroundings = Surroundings::since(&done.before, own, done.elapsed)?;
    let received = done.received.max(1) as f64;
    let per_datagram = |cpu: Duration| cpu.as_secs_f64() * 1e6 / received;
    let sample = Sample {
        sender: per_datagram(done.sender_cpu),
        receiver: per_datagram(done.receiver_cpu),
        per_second: done.received as f64 / done.elapsed.as_secs_f64(),
        lost: 1.0 - done.received as f64 / done.sent as f64,
        surroundings,
    };
    let fault = match done.received {
        0 => Some("no datagram arrived in this slice"),
        _ => surroundings.fault(),
    };
    Ok(Slice { sample, fault })
}

fn summarize(
    arguments: &Arguments,
    entries: &[Entry<Row>],
    samples: &Samples<Sample>,
    report: &mut Report,
) -> io::Result<()> {
    let (blocks, seconds) = (arguments.blocks, arguments.slice.as_secs_f64());
    println!("\nudp: {DATAGRAM_BYTES} bytes each, {BATCH} in a batch, over loopback;");
    println!("medians of {blocks} blocks of 2 slices of {seconds} s; CPU-us per datagram received");
    let heads =
        ["sender", "receiver", "per CPU-s", "per s", "lost", "ratio [95 %]", "sender", "receiver"];
    row("way", &heads, "");
    let floor = samples.floor(|s| 1.0 / s.both());
    for (at, entry) in entries.iter().enumerate() {
        if entry.failure.is_some() || samples.count(at) == 0 {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result("udp", &Map::new(), &entry.name, why)?;
            continue;
        }
        let middle = |field: fn(&Sample) -> f64| samples.median(at, field);
        let ratio = samples.ratio(at, |s| 1.0 / s.both());
        let sender = samples.ratio(at, |s| 1.0 / s.sender);
        let receiver = samples.ratio(at, |s| 1.0 / s.receiver);
        let per_cpu_second = middle(|s| 1e6 / s.both());
        let figures = [
            format!("{:.3}", middle(|s| s.sender)),
            format!("{:.3}", middle(|s| s.receiver)),
            format!("{per_cpu_second:.0}"),
            format!("{:.0}", middle(|s| s.per_second)),
            format!("{:.2} %", middle(|s| s.lost) * 100.0),
            interval(ratio),
            interval(sender),
            interval(receiver),
        ];
        let met = entry.contestant.aim.zip(ratio).map(|(aim, ratio)| ratio.median >= aim);
        row(&entry.name, &figures, &notes(at, entry, ratio, floor, met));
        report.json(&json!({
            "v": 1, "t": "udp", "contestant": entry.name, "slices": samples.count(at),
            "slices_dropped": entry.dropped, "disturbed": entry.disturbed,
            "datagram_bytes": DATAGRAM_BYTES, "batch": BATCH,
            "sender_cpu_us_per_datagram": middle(|s| s.sender),
            "receiver_cpu_us_per_datagram": middle(|s| s.receiver),
            "datagrams_per_cpu_second": per_cpu_second,
            "datagrams_per_second": middle(|s| s.per_second), "lost_share": middle(|s| s.lost),
            "ratio": ratio.map(|r| r.json()), "sender_ratio": sender.map(|r| r.json()),
            "receiver_ratio": receiver.map(|r| r.json()), "aim_met": met,
        }))?;
    }
    println!("noise floor (the reference against itself): {:.1} %", floor * 100.0);
    Ok(())
}

/// What a reader must know about a row.
fn notes(
    at: usize,
    entry: &Entry<Row>,
    ratio: Option<Ratio>,
    floor: f64,
    met: Option<bool>,
) -> String {
    let mut notes = Vec::new();
    match at {
        0 => notes.push("reference".to_owned()),
        1 => notes.push("noise floor".to_owned()),
        _ if !ratio.is_some_and(|ratio| ratio.differs(floor)) => {
            notes.push("no difference above the floor".to_owned());
        }
        _ => {}
    }
    if let Some((aim, met)) = entry.contestant.aim.zip(met) {
        notes.push(format!("aim: {aim} times, {}", if met { "met" } else { "MISSED" }));
    }
    notes.extend(entry.remarks());
    notes.join("; ")
}
