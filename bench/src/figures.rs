//! The product's bars and aims, each beside what a run measured: the table to read first.
//!
//! Of the product the better of its coroutine contestants counts, of a rival the better of its
//! rows, of the bare loops the best; ratios are paired by block. What is compared is the server's
//! CPU for each message, except where a bar is about a rate. A bar is met or missed by the median;
//! the interval beside it says how much that means.

use crate::record::{Place, Record};
use crate::statistics::Ratio;
use serde_json::Value;
use std::fmt::Write;

/// One promise.
struct Bar {
    family: &'static str,
    /// Which cells of the family it is about; empty: all.
    at: &'static [(&'static str, u64)],
    against: Against,
    better: Better,
    bar: f64,
    aim: f64,
}

enum Against {
    /// The server's CPU of the best of these rows.
    Cpu(&'static str, &'static [&'static str]),
    /// The same, turned around: messages for each CPU-second.
    PerCpuSecond(&'static str, &'static [&'static str]),
    /// Messages per second of the best of these rows.
    Rate(&'static str, &'static [&'static str]),
    /// Itself, alone.
    Itself,
    /// Nobody: KiB for each connection, in the state of this field; and what that is called.
    Memory(&'static str, &'static str),
}

#[derive(Clone, Copy, PartialEq)]
enum Better {
    Less,
    More,
}

const BARE: &[&str] = &["bare-epoll", "bare-uring", "bare-threads"];
const TOKIO: &[&str] = &["tokio", "tokio-buffered", "tokio-threads"];
const MAY: &[&str] = &["may", "may-buffered"];
const SMALL: &[(&str, u64)] = &[("message_bytes", 64)];
const LARGE: &[(&str, u64)] = &[("message_bytes", 16 << 10)];

const BARS: &[Bar] = &[
    echo(SMALL, Against::Cpu("best bare loop", BARE), 1.15, 1.03),
    echo(SMALL, Against::Cpu("tokio", TOKIO), 1.03, 0.95),
    echo(SMALL, Against::Cpu("may", MAY), 1.03, 0.95),
    echo(SMALL, Against::Cpu("monoio", &["monoio"]), 1.03, 0.95),
    echo(SMALL, Against::Cpu("compio", &["compio"]), 1.03, 0.95),
    echo(SMALL, Against::Cpu("Go", &["go"]), 1.03, 0.95),
    echo(LARGE, Against::Cpu("bare epoll loop", &["bare-epoll"]), 1.10, 1.00),
    more("lines", Against::PerCpuSecond("tokio's best", TOKIO), 1.3, 2.0),
    more("lines", Against::PerCpuSecond("may's best", MAY), 1.3, 2.0),
    more("accept", Against::Rate("tokio", TOKIO), 1.0, 1.3),
    more("accept", Against::Rate("Go", &["go"]), 1.0, 1.3),
    more("idle", Against::Itself, 0.95, 0.99),
    Bar {
        family: "flood",
        at: &[],
        against: Against::Itself,
        better: Better::Less,
        bar: 2.0,
        aim: 1.3,
    },
    more("fan-out", Against::PerCpuSecond("bare loop of sends", &["bare-epoll"]), 0.95, 1.2),
    more("datagrams", Against::PerCpuSecond("bare loop", &["bare-datagrams"]), 1.5, 3.0),
    // The bar is for a handler that waits on its stack, the aim for a connection that has none.
    memory("per_connection_after_a_message", "just after it", 5.0, 0.5),
    memory("per_connection_idle_for_seconds", "idle for seconds", 5.0, 0.5),
];

const fn memory(field: &'static str, state: &'static str, bar: f64, aim: f64) -> Bar {
    let against = Against::Memory(field, state);
    Bar { family: "memory", at: &[], against, better: Better::Less, bar, aim }
}

const fn echo(at: &'static [(&'static str, u64)], against: Against, bar: f64, aim: f64) -> Bar {
    Bar { family: "echo", at, against, better: Better::Less, bar, aim }
}

const fn more(family: &'static str, against: Against, bar: f64, aim: f64) -> Bar {
    Bar { family, at: &[], against, better: Better::More, bar, aim }
}

/// Adds the table to the text; nothing if the run had none of these cells.
pub(crate) fn render(record: &Record, text: &mut String) {
    let mut rows = String::new();
    for bar in BARS {
        for cell in record.cells(bar.family) {
            if bar.at.iter().all(|place| cell.at.contains(place)) {
                row(record, bar, &cell, &mut rows);
            }
        }
    }
    if !rows.is_empty() {
        text.push_str("\n### Bars and aims\n\n");
        text.push_str("| cell | measured | against | bar | aim | |\n|---|---|---|---|---|---|\n");
        text.push_str(&rows);
    }
}

fn row(record: &Record, bar: &Bar, cell: &Place, rows: &mut String) {
    let at: Vec<_> =
        cell.at.iter().map(|(key, value)| format!("{} {value}", key.replace('_', " "))).collect();
    let what = format!("{}: {}", cell.family, at.join(", "));
    let (sign, unit) = match (bar.better, &bar.against) {
        (_, Against::Memory(..)) => ("≤", " KiB"),
        (Better::Less, _) => ("≤", "×"),
        (Better::More, _) => ("≥", "×"),
    };
    let (measured, against) = match measured(record, bar, cell) {
        None => (None, "not measured".to_owned()),
        Some((ratio, against)) => (Some(ratio), against),
    };
    let meets = |limit: f64, value: f64| match bar.better {
        Better::Less => value <= limit,
        Better::More => value >= limit,
    };
    let verdict = match measured.map(|ratio| ratio.median) {
        None => "open",
        Some(value) if meets(bar.aim, value) => "aim met",
        Some(value) if meets(bar.bar, value) => "bar met",
        Some(_) => "**missed**",
    };
    let shown = measured
        .map_or("–".to_owned(), |r| format!("{:.2} [{:.2}, {:.2}]", r.median, r.low, r.high));
    let (bar, aim) = (bar.bar, bar.aim);
    writeln!(
        rows,
        "| {what} | {shown} | {against} | {sign} {bar}{unit} | {sign} {aim}{unit} | {verdict} |"
    )
    .expect("a String takes everything");
}

/// The figure and whom it is against; `None` when the run lacks one of the two.
fn measured(record: &Record, bar: &Bar, cell: &Place) -> Option<(Ratio, String)> {
    let product: Vec<&str> = record
        .rows(cell)
        .filter(|row| !row.contains_key("failure") && !row.contains_key("skipped"))
        .filter_map(|row| row.get("contestant")?.as_str())
        .filter(|name| name.starts_with(PRODUCT))
        .collect();
    let paired = |ends: Ends, rivals: &[&str], turned: bool, who: &str| {
        let field = field(record, cell, ends)?;
        let ours = best(record, cell, &field, &product, ends)?;
        let theirs = best(record, cell, &field, rivals, ends)?;
        let ratio = match turned {
            true => record.ratio(cell, &field, theirs, ours),
            false => record.ratio(cell, &field, ours, theirs),
        };
        let named = if who == theirs { who.to_owned() } else { format!("{who} ({theirs})") };
        Some((ratio?, named))
    };
    match &bar.against {
        Against::Cpu(who, rivals) => paired(Ends::Cpu, rivals, false, who),
        Against::PerCpuSecond(who, rivals) => paired(Ends::Cpu, rivals, true, who),
        Against::Rate(who, rivals) => paired(Ends::Rate, rivals, false, who),
        Against::Itself => {
            let ratios = product.iter().filter_map(|name| {
                let row = record
                    .rows(cell)
                    .find(|row| row.get("contestant").is_some_and(|known| known == name))?;
                Some((to_ratio(row.get("beside_to_alone")?)?, format!("itself alone ({name})")))
            });
            ratios.min_by(|(a, _), (b, _)| match bar.better {
                Better::Less => a.median.total_cmp(&b.median),
                Better::More => b.median.total_cmp(&a.median),
            })
        }
        Against::Memory(field, state) => {
            let each = product.iter().filter_map(|name| {
                let row = record
                    .rows(cell)
                    .find(|row| row.get("contestant").is_some_and(|known| known == name))?;
                let part = row.get(*field)?;
                let bytes = |key| part.get(key).and_then(Value::as_f64);
                let kib = (bytes("rss_bytes")? + bytes("page_table_bytes")?) / 1024.0;
                Some((Ratio { median: kib, low: kib, high: kib }, format!("{state} ({name})")))
            });
            each.min_by(|(a, _), (b, _)| a.median.total_cmp(&b.median))
        }
    }
}

/// Which field of a slice is compared.
#[derive(Clone, Copy)]
enum Ends {
    Cpu,
    Rate,
}

/// Its full name, which says what is counted.
fn field(record: &Record, cell: &Place, ends: Ends) -> Option<String> {
    let is = |key: &&String| match ends {
        Ends::Cpu => key.starts_with("server_cpu_us_per_"),
        Ends::Rate => key.ends_with("s_per_second"),
    };
    record.rows(cell).find_map(|row| row.keys().find(is)).cloned()
}

fn best<'a>(
    record: &Record,
    cell: &Place,
    field: &str,
    names: &[&'a str],
    ends: Ends,
) -> Option<&'a str> {
    let known = names.iter().filter_map(|name| Some((*name, record.middle(cell, name, field)?)));
    let best = known.min_by(|(_, a), (_, b)| match ends {
        Ends::Cpu => a.total_cmp(b),
        Ends::Rate => b.total_cmp(a),
    });
    best.map(|(name, _)| name)
}

fn to_ratio(value: &Value) -> Option<Ratio> {
    let part = |key| value.get(key).and_then(Value::as_f64);
    Some(Ratio { median: part("median")?, low: part("low")?, high: part("high")? })
}

/// What the contestants of the product are called that its bars are about.
const PRODUCT: &str = "switchboard-coroutines";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    fn echo_lines(product: f64) -> Record {
        let mut lines = String::new();
        for (name, value) in
            [("bare-epoll", 4.0), ("bare-uring", 5.0), ("switchboard-coroutines", product)]
        {
            let place = r#""connections":64,"message_bytes":64"#;
            let field = format!(r#""server_cpu_us_per_message":{value}"#);
            let contestant = format!(r#""contestant":"{name}",{place},{field}"#);
            writeln!(lines, r#"{{"t":"echo_slice",{contestant},"block":0,"dropped":null}}"#)
                .unwrap();
            writeln!(lines, r#"{{"t":"echo",{contestant}}}"#).unwrap();
        }
        record(&lines)
    }

    #[test]
    fn a_bar_is_against_the_best_rival_that_took_part() {
        for (product, said) in [(4.0, "aim met"), (4.4, "bar met"), (5.0, "**missed**")] {
            let mut text = String::new();
            render(&echo_lines(product), &mut text);
            let bare = text.lines().find(|line| line.contains("best bare loop")).unwrap();
            assert!(bare.contains("bare-epoll") && bare.contains(said), "{bare}");
            // Five rivals took no part.
            assert_eq!(text.matches("| open |").count(), 5, "{text}");
        }
    }

    #[test]
    fn a_run_without_such_cells_has_no_table() {
        let mut text = String::new();
        render(&record(r#"{"t":"start","contestant":"a"}"#), &mut text);
        assert!(text.is_empty());
    }
}
