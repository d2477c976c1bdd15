//! The memory cell: what does a connection cost that says nothing?
//!
//! A fresh server is read when it listens, when it holds all connections and none has said
//! anything, when each has had one message of 64 bytes back, and when all have been idle for some
//! seconds after that, the same for every contestant; the differences, divided by the connections,
//! are the figures. A connection counts as held when the server has a descriptor for
//! it, not when the kernel has it in a queue, and every one must answer.
//!
//! Of the server's processes it takes what they touched (Rss), the same with shared pages divided
//! among those who share them (Pss), and their page tables (VmPTE), which no Rss contains. One
//! process shares next to nothing, and both are the same; of forked ones Pss is the honest figure.
//! The kernel's side is the growth of Slab and KernelStack of the whole machine: it contains the
//! clients' sockets, which are the same for all, and whatever else went on. It is noisy, and freed
//! memory that the kernel keeps for later makes it too small; it is shown, and not compared.

use crate::accounting::family;
use crate::arguments::Arguments;
use crate::isolation::{Isolation, descriptors_for};
use crate::load::Load;
use crate::peers::{self, Contestant, Lineup, Program, Service};
use crate::report::{Report, object, progress, row};
use crate::server::{Conditions, Server};
use crate::statistics::median;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Runs every cell that is asked for. False when a contestant failed.
pub(crate) fn run_all(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let mut all = true;
    for &connections in &arguments.idle {
        all &= run(connections, arguments, isolation, contestants, report)?;
    }
    Ok(all)
}

/// Runs one cell for every contestant.
fn run(
    connections: usize,
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    println!(
        "\nmemory: bytes for each of {connections} connections that are idle: in silence, and"
    );
    println!("after {MESSAGE_BYTES} bytes each, at once and {IDLE:?} later; page tables included;");
    println!("kernel: of both ends, noisy");
    let heads = ["Rss", "Rss after", "Pss after", "Rss idle", "Pss idle", "kernel"];
    row("contestant", &heads, "");
    let place = object(json!({ "connections": connections, "message_bytes": MESSAGE_BYTES }));
    if let Err(why) = descriptors_for(connections) {
        return report.skipped("memory", &place, &[("all".to_owned(), why)]).map(|()| true);
    }
    let Lineup { able, unable, .. } = peers::lineup(contestants, Service::Echo, connections);
    let mut all = true;
    for (name, program) in able {
        let program = program.patient();
        let mut outcomes = Vec::new();
        for measure in 1..=arguments.measures {
            progress(&format!("memory of {name}, {connections}: {measure}"));
            match measured(&program, connections, isolation, report.folder()) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    all = false;
                    progress("");
                    report.no_result("memory", &place, &name, &error.to_string())?;
                    break;
                }
            }
        }
        progress("");
        if outcomes.len() == arguments.measures {
            summarize(&name, connections, &outcomes, report)?;
        }
    }
    report.skipped("memory", &place, &unable)?;
    Ok(all)
}

/// What one server came to, in bytes for each connection.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    silent: Use,
    after: Use,
    idle: Use,
}

/// Bytes in use; of several processes the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Use {
    rss: f64,
    pss: f64,
    page_tables: f64,
    kernel: f64,
}

fn measured(
    program: &Program,
    connections: usize,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Outcome> {
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(program, conditions, folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let before = settled(server.pid())?;
    let sockets = sockets(server.pid())?.len();
    let mut load = Load::connect(server.port, connections, MESSAGE_BYTES).map_err(said)?;
    let deadline = Instant::now() + HOLD_LIMIT;
    loop {
        let held = self::sockets(server.pid())?.len().saturating_sub(sockets);
        if held >= connections {
            break;
        }
        if Instant::now() > deadline {
            return Err(server.failure(&format!("holds {held} connections of {connections}")));
        }
        thread::sleep(PAUSE);
    }
    let silent = settled(server.pid())?;
    load.round().map_err(said)?;
    let after = settled(server.pid())?;
    thread::sleep(IDLE);
    let idle = settled(server.pid())?;
    let each = |now: Use| Use {
        rss: (now.rss - before.rss) / connections as f64,
        pss: (now.pss - before.pss) / connections as f64,
        page_tables: (now.page_tables - before.page_tables) / connections as f64,
        kernel: (now.kernel - before.kernel) / connections as f64,
    };
    let outcome = Outcome { silent: each(silent), after: each(after), idle: each(idle) };
    // Nobody was dropped meanwhile.
    load.round().map_err(said)?;
    Ok(outcome)
}

fn summarize(
    name: &str,
    connections: usize,
    outcomes: &[Outcome],
    report: &mut Report,
) -> io::Result<()> {
    let middle = |field: fn(&Use) -> f64, of: fn(&Outcome) -> &Use| -> f64 {
        median(&outcomes.iter().map(|outcome| field(of(outcome))).collect::<Vec<_>>())
    };
    let medians = |of: fn(&Outcome) -> &Use| Use {
        rss: middle(|u| u.rss, of),
        pss: middle(|u| u.pss, of),
        page_tables: middle(|u| u.page_tables, of),
        kernel: middle(|u| u.kernel, of),
    };
    let (silent, after) = (medians(|o| &o.silent), medians(|o| &o.after));
    let idle = medians(|o| &o.idle);
    let figures = [
        silent.rss + silent.page_tables,
        after.rss + after.page_tables,
        after.pss + after.page_tables,
        idle.rss + idle.page_tables,
        idle.pss + idle.page_tables,
        idle.kernel,
    ];
    let answered = format!("all {connections} answered twice");
    row(name, &figures.map(|bytes| format!("{bytes:.0}")), &answered);
    let json = |used: &Use| -> Value {
        json!({
            "rss_bytes": used.rss, "pss_bytes": used.pss, "page_table_bytes": used.page_tables,
            "machine_kernel_bytes": used.kernel,
        })
    };
    let each = outcomes.iter().map(|o| json!([json(&o.silent), json(&o.after), json(&o.idle)]));
    let each: Vec<_> = each.collect();
    report.json(&json!({
        "v": 1, "t": "memory", "contestant": name, "connections": connections,
        "message_bytes": MESSAGE_BYTES, "measures": outcomes.len(),
        "per_connection_silent": json(&silent), "per_connection_after_a_message": json(&after),
        "per_connection_idle_for_seconds": json(&idle), "idle_seconds": IDLE.as_secs(),
        "each_measure": each,
    }))
}

/// What is in use once two readings agree in what belongs to the server, or after a while.
fn settled(pid: u32) -> io::Result<Use> {
    let deadline = Instant::now() + SETTLE_LIMIT;
    let mut last = used(pid)?;
    loop {
        thread::sleep(PAUSE);
        let now = used(pid)?;
        if (now.rss, now.page_tables) == (last.rss, last.page_tables) || Instant::now() > deadline {
            return Ok(now);
        }
        last = now;
    }
}

fn used(pid: u32) -> io::Result<Use> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let kernel = bytes(&meminfo, "Slab:")? + bytes(&meminfo, "KernelStack:")?;
    let mut sum = Use { kernel, ..Use::default() };
    for process in family(pid)? {
        // None, when a child ended in between.
        let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { continue };
        let Ok(maps) = fs::read_to_string(format!("/proc/{process}/smaps_rollup")) else {
            continue;
        };
        sum.rss += bytes(&maps, "Rss:")?;
        sum.pss += bytes(&maps, "Pss:")?;
        sum.page_tables += bytes(&status, "VmPTE:")?;
    }
    Ok(sum)
}

/// The field of a file whose lines are like `Name:   12 kB`.
fn bytes(text: &str, name: &str) -> io::Result<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.split_ascii_whitespace().next()?.parse::<f64>().ok());
    number.map(|kib| kib * 1024.0).ok_or_else(|| io::Error::other(format!("no {name} in proc")))
}

/// The distinct sockets that the server's processes hold.
fn sockets(pid: u32) -> io::Result<HashSet<String>> {
    let mut sockets = HashSet::new();
    for process in family(pid)? {
        // None, when a child ended in between.
        let Ok(entries) = fs::read_dir(format!("/proc/{process}/fd")) else { continue };
        for entry in entries.flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let target = target.to_string_lossy();
            if target.starts_with("socket:") {
                sockets.insert(target.into_owned());
            }
        }
    }
    Ok(sockets)
}

const MESSAGE_BYTES: usize = 64;
const HOLD_LIMIT: Duration = Duration::from_secs(30);
/// For servers that give back memory when they have nothing to do: every one known does within two
/// or three seconds, or not at all.
const IDLE: Duration = Duration::from_secs(5);
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "Pss_Anon:  3 kB\nPss:        12 kB\n";
        assert_eq!(bytes(text, "Pss:").unwrap(), 12.0 * 1024.0);
        assert!(bytes(text, "Rss:").is_err());
    }

    #[test]
    fn a_socket_counts_once_however_many_descriptors_it_has() {
        let count = || sockets(std::process::id()).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let again = socket.try_clone().unwrap();
        let links: HashSet<_> = [&socket, &again]
            .map(|s| {
                let number = std::os::fd::AsRawFd::as_raw_fd(s);
                fs::read_link(format!("/proc/self/fd/{number}")).unwrap()
            })
            .into_iter()
            .collect();
        assert_eq!(links.len(), 1);
        assert!(links.iter().all(|link| count().contains(&*link.to_string_lossy())));
    }

    #[test]
    fn memory_that_is_touched_is_seen() {
        let before = used(std::process::id()).unwrap();
        // Much more than the tests beside this one may free meanwhile.
        let touched = vec![1_u8; 256 << 20];
        let after = used(std::process::id()).unwrap();
        assert!(after.rss - before.rss >= (128 << 20) as f64, "{}", touched[0]);
    }
}
