//! The instructions cells: what does a server execute for one echoed message, and what for a line?
//!
//! The figure is user-space instructions of the server's processes for one message of 64 bytes, 64
//! connections at once, counted by callgrind; or for one of 16 lines of 64 bytes that each of them
//! sends at once, as in the lines cell. Each contestant is run twice, with N messages and
//! with 2N, and is charged the difference divided by N: what it does before, between and after
//! costs nothing, and a machine that is busy changes little. Little, because how many messages a
//! server finds in one wait is a matter of timing, and a wait costs instructions too; the messages
//! are sent in rounds, one for each connection, so that it is mostly a round.
//!
//! The kernel's side is not in it, nor is time. Under callgrind the clock is a system call, which
//! in life it is not: who reads it lacks the few dozen instructions of the vDSO.

use crate::arguments::Arguments;
use crate::isolation::Isolation;
use crate::load::{Content, Load};
use crate::peers::{self, Contestant, Lineup, Program, Service};
use crate::report::{Report, object, progress, row};
use crate::server::{Conditions, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs both cells for every contestant. False when one failed; without valgrind they are skipped.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let mut all = true;
    for cell in &CELLS {
        all &= run_cell(cell, arguments, isolation, contestants, report)?;
    }
    Ok(all)
}

/// What is counted.
struct Cell {
    service: Service,
    what: &'static str,
    content: Content,
    /// How many a message counts for.
    each: usize,
}

const CELLS: [Cell; 2] = [
    Cell {
        service: Service::Echo,
        what: "one message of 64 bytes that comes back",
        content: Content::Bytes(BYTES),
        each: 1,
    },
    Cell {
        service: Service::Lines,
        what: "one of 16 lines of 64 bytes, answered one by one",
        content: Content::Lines { bytes: BYTES, count: LINES },
        each: LINES,
    },
];

fn run_cell(
    cell: &Cell,
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let rounds = arguments.rounds;
    println!("\ninstructions: of the server, in user space, for {}", cell.what);
    println!("{CONNECTIONS} connections, {rounds} times on each and twice that");
    let place = object(json!({
        "service": cell.service.name(), "connections": CONNECTIONS, "message_bytes": BYTES,
    }));
    if !valgrind_runs() {
        let missing = ("all".to_owned(), "not installed: valgrind".to_owned());
        return report.skipped("instructions", &place, &[missing]).map(|()| true);
    }
    let Lineup { able, mut unable, .. } = peers::lineup(contestants, cell.service, CONNECTIONS);
    let (able, others): (Vec<_>, Vec<_>) =
        able.into_iter().partition(|(name, _)| is_countable(name));
    let why = "callgrind knows no io_uring and no processes that come and go".to_owned();
    unable.extend(others.into_iter().map(|(name, _)| (name, why.clone())));
    row("contestant", &["instructions", "to first"], "");
    let (mut all, mut first) = (true, None);
    for (name, program) in able {
        progress(&format!("instructions of {name}"));
        let measured = each(cell, &program.patient(), rounds, isolation, report.folder());
        progress("");
        let each = match measured {
            Ok(each) => each,
            Err(error) => {
                all = false;
                report.no_result("instructions", &place, &name, &error.to_string())?;
                continue;
            }
        };
        let ratio = each / *first.get_or_insert(each);
        row(&name, &[format!("{each:.0}"), format!("{ratio:.2}")], "");
        let mut line = object(json!({ "v": 1, "t": "instructions", "contestant": name }));
        line.extend(place.clone());
        line.extend(object(json!({
            "rounds": rounds, "instructions_per_message": each, "ratio_to_first": ratio,
        })));
        report.json(&line.into())?;
    }
    report.skipped("instructions", &place, &unable)?;
    Ok(all)
}

/// Whether callgrind can count it: one process, on epoll or on threads.
fn is_countable(name: &str) -> bool {
    let cannot = ["uring", "monoio", "compio", "processes"];
    !cannot.iter().any(|part| name.contains(part))
}

fn valgrind_runs() -> bool {
    let mut command = Command::new("valgrind");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Instructions for each message, or each line of one.
fn each(
    cell: &Cell,
    program: &Program,
    rounds: usize,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<f64> {
    let once = total(cell, program, rounds, isolation, folder)?;
    let twice = total(cell, program, 2 * rounds, isolation, folder)?;
    Ok((twice as f64 - once as f64) / (rounds * CONNECTIONS * cell.each) as f64)
}

/// Instructions of a server's whole life.
fn total(
    cell: &Cell,
    program: &Program,
    rounds: usize,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<u64> {
    let folder = folder.join("callgrind-of-a-server");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder)?;
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(&under_callgrind(program, &folder), conditions, &folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let mut load = Load::connect_with(server.port, CONNECTIONS, cell.content).map_err(said)?;
    for _ in 0..rounds {
        load.round().map_err(said)?;
    }
    drop(load);
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a child's number is a process's"), Signal::TERM)?;
    // Forked children write files of their own. The parent's is the last.
    let last = counts(&folder, server.pid());
    let deadline = Instant::now() + END_LIMIT;
    while fs::read_to_string(&last).ok().and_then(|counts| parse(&counts)).is_none() {
        if Instant::now() > deadline {
            return Err(server.failure("did not end when asked"));
        }
        thread::sleep(END_POLL);
    }
    let files =
        fs::read_dir(&folder)?.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    Ok(files.filter_map(|counts| parse(&counts)).sum())
}

fn under_callgrind(program: &Program, folder: &Path) -> Program {
    let mut words = ["-q", "--tool=callgrind"].map(OsString::from).to_vec();
    words.push(format!("--callgrind-out-file={}", folder.join("counts.%p").display()).into());
    words.push(program.path.clone().into());
    words.extend(program.arguments.iter().cloned());
    let mut program = program.clone();
    (program.path, program.arguments) = ("valgrind".into(), words);
    program
}

/// The file that callgrind writes for a process.
fn counts(folder: &Path, process: u32) -> PathBuf {
    folder.join(format!("counts.{process}"))
}

/// The total in a file of callgrind's.
fn parse(counts: &str) -> Option<u64> {
    counts.lines().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

const CONNECTIONS: usize = 64;
/// Of a message, or of a line.
const BYTES: usize = 64;
const LINES: usize = 16;
const END_LIMIT: Duration = Duration::from_secs(20);
const END_POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_among_the_other_lines() {
        let counts = "# callgrind format\nevents: Ir\nfn=(1) main\n5 120\ntotals: 4711\n";
        assert_eq!(parse(counts), Some(4711));
        assert_eq!(parse("events: Ir\n"), None);
    }
}
