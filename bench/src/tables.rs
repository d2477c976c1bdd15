//! The tables of a document, made from the JSON lines of a run: `tables --from FILE --into
//! DOCUMENT`. They replace what stands between two marks in the document; nothing else of it is
//! touched. Without a document they are printed.

use crate::figures;
use crate::record::{Place, Record};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// What is shown of each family, in this order.
const TABLES: &[Table] = &[
    Table { family: "echo", title: "Echo", columns: COST },
    Table { family: "lines", title: "Lines, read and answered one by one", columns: COST },
    Table { family: "accept", title: "Connect, one echo, close", columns: COST },
    Table { family: "fan-out", title: "One message to many", columns: COST },
    Table { family: "datagrams", title: "Datagrams answered", columns: COST },
    Table { family: "idle", title: "Beside silent connections", columns: CONTRAST },
    Table { family: "flood", title: "Beside one that floods", columns: CONTRAST },
    Table { family: "memory", title: "Memory of an idle connection", columns: MEMORY },
];

struct Table {
    family: &'static str,
    title: &'static str,
    columns: &'static [Column],
}

struct Column {
    head: &'static str,
    show: Show,
}

/// What a column takes from a row.
enum Show {
    /// A field by the beginning of its name, with so many decimals.
    Begins(&'static str, usize),
    /// A field by the end of its name.
    Ends(&'static str, usize),
    /// A share of a core.
    Percent(&'static str),
    /// A ratio with its interval.
    Ratio(&'static str),
    /// Rss, or Pss, and page tables of a part of the row, in bytes.
    Bytes(&'static str, &'static str),
}

const COST: &[Column] = &[
    Column { head: "server, CPU-µs", show: Show::Begins("server_cpu_us_per_", 2) },
    Column { head: "both, CPU-µs", show: Show::Begins("system_cpu_us_per_", 2) },
    Column { head: "per second", show: Show::Ends("s_per_second", 0) },
    Column { head: "load's CPU", show: Show::Percent("load_cpu_share") },
    Column { head: "server, ratio [95 %]", show: Show::Ratio("server_ratio") },
    Column { head: "both, ratio [95 %]", show: Show::Ratio("system_ratio") },
];

const CONTRAST: &[Column] = &[
    Column { head: "alone", show: Show::Begins("alone", 0) },
    Column { head: "beside", show: Show::Begins("beside", 0) },
    Column { head: "load's CPU", show: Show::Percent("load_cpu_share") },
    Column { head: "beside to alone [95 %]", show: Show::Ratio("beside_to_alone") },
];

const MEMORY: &[Column] = &[
    Column { head: "silent, Rss", show: Show::Bytes("per_connection_silent", "rss_bytes") },
    Column {
        head: "after a message, Rss",
        show: Show::Bytes("per_connection_after_a_message", "rss_bytes"),
    },
    Column {
        head: "after a message, Pss",
        show: Show::Bytes("per_connection_after_a_message", "pss_bytes"),
    },
    Column {
        head: "idle for seconds, Rss",
        show: Show::Bytes("per_connection_idle_for_seconds", "rss_bytes"),
    },
];

/// `tables --from FILE [--into DOCUMENT]`, the words after `tables`.
pub(crate) fn run(words: &[OsString]) -> io::Result<bool> {
    let (from, into) = match words {
        [flag, from] if flag == "--from" => (from, None),
        [first, from, second, into] if first == "--from" && second == "--into" => {
            (from, Some(Path::new(into)))
        }
        _ => return Err(io::Error::other("tables --from FILE [--into DOCUMENT]")),
    };
    let text = render(&Record::read(Path::new(from))?);
    let Some(document) = into else {
        print!("{text}");
        return Ok(true);
    };
    let old = fs::read_to_string(document)?;
    let new = replaced(&old, &text).ok_or_else(|| {
        io::Error::other(format!("{} has no lines {BEGIN} and {END}", document.display()))
    })?;
    fs::write(document, new)?;
    Ok(true)
}

/// The document with `text` between the marks; `None` when a mark is missing.
fn replaced(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}{END}{after}"))
}

fn render(record: &Record) -> String {
    let mut text = String::new();
    if let Some(environment) = record.environment() {
        let word = |key: &str| match environment.get(key) {
            Some(Value::String(word)) => word.clone(),
            Some(other) => other.to_string(),
            None => "unknown".to_owned(),
        };
        line(&mut text, "");
        let (cpu, cpus, kernel) = (word("cpu"), word("cpus"), word("kernel"));
        line(&mut text, &format!("{cpu}, {cpus} CPUs; Linux {kernel}; {};", word("rustc")));
        let (network, control) = (word("network"), word("congestion_control"));
        line(&mut text, &format!("network: {network}, {control}."));
        versions(&mut text, environment);
    }
    figures::render(record, &mut text);
    for table in TABLES {
        for cell in record.cells(table.family) {
            render_cell(record, table, &cell, &mut text);
        }
    }
    text.push('\n');
    text
}

fn versions(text: &mut String, environment: &Map<String, Value>) {
    let contestants = environment.get("contestants").and_then(Value::as_array);
    let mut known: Vec<String> = Vec::new();
    for contestant in contestants.into_iter().flatten() {
        let word = |key: &str| contestant[key].as_str();
        let name = word("name").unwrap_or_default();
        known.push(match (word("version"), word("skipped")) {
            (Some(version), _) => format!("{name} ({version})"),
            (None, why) => format!("{name} (skipped: {})", why.unwrap_or("unknown")),
        });
    }
    line(text, &format!("Contestants: {}.", known.join(", ")));
}

fn render_cell(record: &Record, table: &Table, cell: &Place, text: &mut String) {
    let at: Vec<_> =
        cell.at.iter().map(|(key, value)| format!("{} {value}", key.replace('_', " "))).collect();
    line(text, &format!("\n### {}: {}\n", table.title, at.join(", ")));
    let unit = record.rows(cell).find_map(|row| row.get("figure")?.as_str());
    unit.into_iter().for_each(|unit| line(text, &format!("Figures are {unit}.\n")));
    let heads: Vec<_> = table.columns.iter().map(|column| column.head).collect();
    line(text, &format!("| | {} | |", heads.join(" | ")));
    line(text, &format!("|---|{}---|", "---|".repeat(heads.len())));
    let mut absent: Vec<String> = Vec::new();
    for row in record.rows(cell) {
        let name = row.get("contestant").and_then(Value::as_str).unwrap_or_default();
        let missing = ["failure", "skipped"].iter().find_map(|key| row.get(*key)?.as_str());
        if let Some(why) = missing {
            absent.push(format!("{name} ({why})"));
            continue;
        }
        let figures: Vec<_> = table.columns.iter().map(|column| column.show.of(row)).collect();
        let name = match name.starts_with("switchboard") {
            true => format!("**{name}**"),
            false => name.to_owned(),
        };
        line(text, &format!("| {name} | {} | {} |", figures.join(" | "), notes(row)));
    }
    if !absent.is_empty() {
        line(text, &format!("\nWithout figures: {}.", absent.join(", ")));
    }
}

/// What a reader must know about a row.
fn notes(row: &Map<String, Value>) -> String {
    let is = |key: &str| row.get(key).is_some_and(|value| *value == true);
    let mut notes = Vec::new();
    if is("load_is_limit") {
        notes.push("load at its limit");
    }
    if is("disturbed") {
        notes.push("disturbed");
    }
    notes.join("; ")
}

impl Show {
    fn of(&self, row: &Map<String, Value>) -> String {
        let found = |is: &dyn Fn(&str) -> bool| {
            row.iter().find(|(key, value)| is(key) && value.is_number()).map(|(_, value)| value)
        };
        let number = |value: Option<&Value>| value.and_then(Value::as_f64);
        let shown = match self {
            Show::Begins(name, decimals) => {
                number(found(&|key| key.starts_with(name))).map(|n| format!("{n:.decimals$}"))
            }
            Show::Ends(name, decimals) => {
                number(found(&|key| key.ends_with(name))).map(|n| format!("{n:.decimals$}"))
            }
            Show::Percent(name) => number(row.get(*name)).map(|n| format!("{:.0} %", n * 100.0)),
            Show::Ratio(name) => row.get(*name).and_then(|ratio| {
                let [median, low, high] =
                    ["median", "low", "high"].map(|key| ratio.get(key).and_then(Value::as_f64));
                Some(format!("{:.3} [{:.3}, {:.3}]", median?, low?, high?))
            }),
            Show::Bytes(part, kind) => row.get(*part).and_then(|part| {
                let bytes = |key: &str| part.get(key).and_then(Value::as_f64);
                Some(format!("{:.0}", bytes(kind)? + bytes("page_table_bytes")?))
            }),
        };
        shown.unwrap_or_else(|| "–".to_owned())
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes everything");
}

const BEGIN: &str = "<!-- tables: begin -->";
const END: &str = "<!-- tables: end -->";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = replaced(&document, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert_eq!(replaced(&new, "new\n").unwrap(), new);
        assert!(replaced("no marks", "new").is_none());
    }

    #[test]
    fn a_row_has_its_figures_and_one_without_its_reason() {
        let text = render(&record(concat!(
            r#"{"t":"echo","connections":64,"contestant":"a","server_cpu_us_per_message":1.234,"#,
            r#""messages_per_second":1000.4,"load_is_limit":true,"#,
            r#""server_ratio":{"median":1.0,"low":0.9,"high":1.1}}"#,
            "\n",
            r#"{"t":"echo","connections":64,"contestant":"b","skipped":"not installed"}"#,
            "\n",
            r#"{"t":"memory","connections":9,"contestant":"c","per_connection_after_a_message":"#,
            r#"{"rss_bytes":100.0,"pss_bytes":60.0,"page_table_bytes":8.0}}"#,
        )));
        let row = "| a | 1.23 | – | 1000 | – | 1.000 [0.900, 1.100] | – | load at its limit |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("Without figures: b (not installed)."), "{text}");
        assert!(text.contains("| c | – | 108 | 68 | – |  |"), "{text}");
    }
}
