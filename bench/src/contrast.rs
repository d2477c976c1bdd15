//! Cells that compare a contestant with itself: alone, and beside something that should not matter.
//!
//! A slice does both on one server, alone before and after, so that the ratio of a slice is paired
//! as closely as can be; what is reported is the median of these ratios. `blocks.rs` says how
//! contestants take turns all the same, so that none has the quiet minutes.

use crate::arguments::Arguments;
use crate::blocks::{self, Slice, Surroundings};
use crate::peers::Program;
use crate::report::{Report, interval, object, row};
use crate::statistics::Ratio;
use serde_json::{Map, Value, json};
use std::io;

/// One cell of the score sheet.
pub(crate) struct Cell {
    /// Its family, the `t` of its JSON lines.
    pub(crate) family: &'static str,
    /// What is measured alone and beside, for people and for programs.
    pub(crate) figure: &'static str,
    /// What is done, for people.
    pub(crate) what: String,
    /// Where in the family it lies, for programs.
    pub(crate) place: Map<String, Value>,
    /// Decimals worth showing.
    pub(crate) decimals: usize,
}

/// What one slice measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) alone: f64,
    pub(crate) beside: f64,
    /// Share of its core that the load generator used while it was beside, 0 to 1.
    pub(crate) load: f64,
    pub(crate) surroundings: Surroundings,
}

/// Runs the blocks of a cell and reports it. False when a contestant failed or has no result.
pub(crate) fn run(
    cell: &Cell,
    able: Vec<(String, Program)>,
    unable: &[(String, String)],
    arguments: &Arguments,
    report: &mut Report,
    slice: impl FnMut(&Program, &Report) -> io::Result<Slice<Sample>>,
) -> io::Result<bool> {
    let mut entries = blocks::entries(able);
    let line = |sample: &Sample, name: &str, block: usize, dropped: Option<&str>| {
        let more = json!({
            "block": block, "dropped": dropped, "alone": sample.alone, "beside": sample.beside,
            "load_cpu_share": sample.load,
            "others_cpu_share": sample.surroundings.others,
            "stolen_share": sample.surroundings.stolen,
        });
        json_line(cell, &format!("{}_slice", cell.family), name, more)
    };
    let samples = blocks::run(arguments.blocks, &mut entries, report, slice, line)?;
    println!("\n{}: {};", cell.family, cell.what);
    println!("medians of {} blocks of 2 slices; {}", arguments.blocks, cell.figure);
    row("contestant", &["alone", "beside", "load CPU", "", "", "beside/alone [95 %]"], "");
    for (at, entry) in entries.iter().enumerate() {
        if entry.failure.is_some() || samples.count(at) == 0 {
            let why = entry.failure.as_deref().unwrap_or("every slice was dropped");
            report.no_result(cell.family, &cell.place, &entry.name, why)?;
            continue;
        }
        let middle = |field: fn(&Sample) -> f64| samples.median(at, field);
        let (alone, beside) = (middle(|s| s.alone), middle(|s| s.beside));
        let ratio = Ratio::of(&samples.values(at, |s| s.beside / s.alone));
        let load = middle(|s| s.load);
        let plain = |figure: f64| format!("{figure:.*}", cell.decimals);
        let share = format!("{:.0} %", load * 100.0);
        let none = String::new;
        let figures = [plain(alone), plain(beside), share, none(), none(), interval(ratio)];
        row(&entry.name, &figures, &entry.remarks().unwrap_or_default());
        let more = json!({
            "figure": cell.figure, "alone": alone, "beside": beside, "load_cpu_share": load,
            "beside_to_alone": ratio.map(|ratio| ratio.json()),
            "slices": samples.count(at), "slices_dropped": entry.dropped,
            "disturbed": entry.disturbed,
        });
        report.json(&json_line(cell, cell.family, &entry.name, more))?;
    }
    report.skipped(cell.family, &cell.place, unable)?;
    Ok(samples.verdict(&entries, arguments.quick))
}

fn json_line(cell: &Cell, t: &str, name: &str, more: Value) -> Value {
    let mut line = object(json!({ "v": 1, "t": t, "contestant": name }));
    line.extend(cell.place.clone());
    line.extend(object(more));
    Value::from(line)
}
