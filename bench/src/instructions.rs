//! The instructions cell: what does a server execute for one echoed message?
//!
//! The figure is user-space instructions of the server's processes for one message of 64 bytes, 64
//! connections at once, counted by callgrind. Each contestant is run twice, with N messages and
//! with 2N, and is charged the difference divided by N: what it does before, between and after
//! costs nothing, and a machine that is busy changes little. Little, because how many messages a
//! server finds in one wait is a matter of timing, and a wait costs instructions too; the messages
//! are sent in rounds, one for each connection, so that it is mostly a round.
//!
//! The kernel's side is not in it, nor is time. Under callgrind the clock is a system call, which
//! in life it is not: who reads it lacks the few dozen instructions of the vDSO.

use crate::arguments::Arguments;
use crate::isolation::Isolation;
use crate::load::Load;
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

/// Runs the cell for every contestant. False when one failed; without valgrind it is skipped.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let rounds = arguments.rounds;
    println!(
        "\ninstructions: of the server, in user space, for one message of {MESSAGE_BYTES} bytes"
    );
    println!(
        "that comes back; {CONNECTIONS} connections, {rounds} messages of each and twice that"
    );
    let place = object(json!({ "connections": CONNECTIONS, "message_bytes": MESSAGE_BYTES }));
    if !valgrind_runs() {
        let missing = ("all".to_owned(), "not installed: valgrind".to_owned());
        return report.skipped("instructions", &place, &[missing]).map(|()| true);
    }
    let Lineup { able, mut unable, .. } = peers::lineup(contestants, Service::Echo, CONNECTIONS);
    let (able, others): (Vec<_>, Vec<_>) =
        able.into_iter().partition(|(name, _)| is_countable(name));
    let why = "callgrind knows no io_uring and no processes that come and go".to_owned();
    unable.extend(others.into_iter().map(|(name, _)| (name, why.clone())));
    row("contestant", &["instructions", "to first"], "");
    let (mut all, mut first) = (true, None);
    for (name, program) in able {
        progress(&format!("instructions of {name}"));
        let measured = each(&program.patient(), rounds, isolation, report.folder());
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

/// Instructions for each message.
fn each(program: &Program, rounds: usize, isolation: &Isolation, folder: &Path) -> io::Result<f64> {
    let once = total(program, rounds, isolation, folder)?;
    let twice = total(program, 2 * rounds, isolation, folder)?;
    Ok((twice as f64 - once as f64) / (rounds * CONNECTIONS) as f64)
}

/// Instructions of a server's whole life.
fn total(
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
    let mut load = Load::connect(server.port, CONNECTIONS, MESSAGE_BYTES).map_err(said)?;
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
const MESSAGE_BYTES: usize = 64;
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
