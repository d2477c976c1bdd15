//! The pair cell: what do our `send` and `recv` add to the two system calls?
//!
//! The figure is user-space instructions of one `send` and one `recv` of 64 bytes on a Unix stream
//! socketpair, counted by callgrind. Each row runs N and 2N pairs and is charged the difference,
//! divided by N; so what a program does before and after costs nothing, and the count is exact
//! enough to gate on, on any machine that is busy as it may be. The kernel's side is not in it, nor
//! is time: an instruction here is a fraction of a nanosecond beside a microsecond of kernel.
//!
//! Under callgrind the clock is a system call, which in life it is not: the row with a time limit
//! lacks the few dozen instructions of the vDSO.

use crate::arguments::Arguments;
use crate::report::{Report, progress, row};
use serde_json::{Map, json};
use socket::{Family, Protocol, Socket, Type};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Every row; the first is the reference.
const ROWS: &[Row] = &[
    Row { name: "libc", body: Body::Compiled, judged: false },
    Row { name: "std", body: Body::Inside(std_pair), judged: false },
    Row { name: "socket", body: Body::Inside(socket_pair), judged: true },
    Row { name: "socket, 10 s limit", body: Body::Inside(limited_socket_pair), judged: false },
];

/// One way to send and receive.
struct Row {
    name: &'static str,
    body: Body,
    /// Whether the bar is meant for it.
    judged: bool,
}

enum Body {
    /// `peers/pair.c`.
    Compiled,
    /// In this program, which starts itself again under callgrind to run it.
    Inside(fn(u64) -> io::Result<()>),
}

/// Runs the cell. False when a row failed; without the tools it is skipped.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> io::Result<bool> {
    let count = arguments.pairs;
    println!("\npair: user-space instructions of a send and a recv of {MESSAGE_BYTES} bytes on a");
    println!("Unix stream socketpair; callgrind, {count} pairs and twice that, the difference");
    if let Some(missing) = missing() {
        println!("  skipped: {missing}");
        report.json(&json!({ "v": 1, "t": "pair", "skipped": missing }))?;
        return Ok(true);
    }
    row("way", &["instructions", "more"], "");
    let (mut all, mut reference) = (true, None);
    for Row { name, body, judged } in ROWS {
        progress(name);
        let measured = program(name, body, report.folder())
            .and_then(|words| instructions(&words, count, report.folder()));
        progress("");
        let measured = match measured {
            Ok(measured) => measured,
            Err(error) => {
                all = false;
                report.no_result("pair", &Map::new(), name, &error.to_string())?;
                continue;
            }
        };
        if matches!(body, Body::Compiled) {
            reference = Some(measured);
        }
        let more = reference.map(|reference| measured - reference);
        let met = more.filter(|_| *judged).map(|more| more <= BAR);
        let note = match met {
            Some(met) => {
                format!("bar: at most {BAR} more, {}", if met { "met" } else { "MISSED" })
            }
            None => String::new(),
        };
        let shown = more.map_or("-".to_owned(), |more| format!("{more:+.1}"));
        row(name, &[format!("{measured:.1}"), shown], &note);
        report.json(&json!({
            "v": 1, "t": "pair", "contestant": name, "pairs": count,
            "instructions_per_pair": measured, "more_than_libc": more, "bar_met": met,
        }))?;
    }
    Ok(all)
}

/// Runs a row that lives in this program; called in the child.
pub(crate) fn run_inside(name: &str, count: &str) -> io::Result<()> {
    let row = ROWS.iter().find(|row| row.name == name);
    match (row, count.parse()) {
        (Some(Row { body: Body::Inside(pairs), .. }), Ok(count)) => pairs(count),
        _ => Err(io::Error::other(format!("{name} {count} is no row of pairs and a count"))),
    }
}

fn socket_pair(count: u64) -> io::Result<()> {
    let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Protocol::default())?;
    pairs(count, |bytes| left.send(bytes), |buffer| right.recv(buffer))
}

fn limited_socket_pair(count: u64) -> io::Result<()> {
    let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Protocol::default())?;
    left.set_timeout(Some(LIMIT))?;
    right.set_timeout(Some(LIMIT))?;
    pairs(count, |bytes| left.send(bytes), |buffer| right.recv(buffer))
}

fn std_pair(count: u64) -> io::Result<()> {
    let (left, right) = UnixStream::pair()?;
    pairs(count, |bytes| (&left).write(bytes), |buffer| (&right).read(buffer))
}

/// The same loop as in `pair.c`.
#[inline(always)]
fn pairs(
    count: u64,
    send: impl Fn(&[u8]) -> io::Result<usize>,
    receive: impl Fn(&mut [u8]) -> io::Result<usize>,
) -> io::Result<()> {
    let (out, mut back) = ([b'x'; MESSAGE_BYTES], [0; MESSAGE_BYTES]);
    for _ in 0..count {
        if send(&out)? != MESSAGE_BYTES || receive(&mut back)? != MESSAGE_BYTES {
            return Err(io::Error::other("a message was cut"));
        }
    }
    if out == back { Ok(()) } else { Err(io::Error::other("other bytes came than were sent")) }
}

/// What is needed and not there.
fn missing() -> Option<&'static str> {
    let runs = |name: &str| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match (runs("valgrind"), runs("cc")) {
        (false, _) => Some("not installed: valgrind"),
        (_, false) => Some("not installed: cc"),
        _ => None,
    }
}

/// The words that start a row, but for its count.
fn program(name: &str, body: &Body, folder: &Path) -> io::Result<Vec<PathBuf>> {
    match body {
        Body::Inside(_) => Ok(vec![std::env::current_exe()?, "pairs".into(), name.into()]),
        Body::Compiled => {
            let target = folder.join("pair");
            let mut cc = Command::new("cc");
            let status = cc.args(["-O2", "-Wall", "-o"]).arg(&target).arg(SOURCE).status()?;
            if !status.success() {
                return Err(io::Error::other(format!("cc of {SOURCE} gave {status}")));
            }
            Ok(vec![target])
        }
    }
}

/// Instructions of one pair.
fn instructions(words: &[PathBuf], count: u64, folder: &Path) -> io::Result<f64> {
    let (once, twice) = (total(words, count, folder)?, total(words, 2 * count, folder)?);
    Ok((twice as f64 - once as f64) / count as f64)
}

/// Instructions of a whole run.
fn total(words: &[PathBuf], count: u64, folder: &Path) -> io::Result<u64> {
    let counts = folder.join("callgrind");
    drop(fs::remove_file(&counts));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=callgrind"]);
    valgrind.arg(format!("--callgrind-out-file={}", counts.display()));
    let output = valgrind.args(words).arg(count.to_string()).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("(it said nothing)");
        return Err(io::Error::other(format!("valgrind gave {}: {last}", output.status)));
    }
    parse(&fs::read_to_string(&counts)?)
        .ok_or_else(|| io::Error::other("callgrind's file has no total"))
}

/// The total in a file of callgrind's.
fn parse(counts: &str) -> Option<u64> {
    counts.lines().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pair.c");
const MESSAGE_BYTES: usize = 64;
const LIMIT: Duration = Duration::from_secs(10);
/// The product's promise: at most so many instructions more than the reference.
const BAR: f64 = 40.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_inside_this_program_runs_by_its_name() {
        for Row { name, body, .. } in ROWS {
            let runs = run_inside(name, "3").is_ok();
            assert_eq!(runs, matches!(body, Body::Inside(_)), "{name}");
        }
        assert!(run_inside("socket", "many").is_err());
    }

    #[test]
    fn the_total_is_found_among_the_other_lines() {
        let counts = "# callgrind format\nevents: Ir\nfn=(1) main\n5 120\ntotals: 4711\n";
        assert_eq!(parse(counts), Some(4711));
        assert_eq!(parse("events: Ir\n"), None);
    }
}
