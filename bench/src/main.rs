//! Benchmarks of the product beside its peers: who is measured is a row in `peers.rs` or at the
//! head of a cell's file, what is measured is a file for each family of cells (`start.rs`,
//! `pair.rs`, `instructions.rs`, `shortage.rs`, `echo.rs`, `accept.rs`, `memory.rs`, `udp.rs`,
//! `sendfile.rs`, `web.rs`, `upload.rs`, `chat.rs`, …), how it is kept fair is in `isolation.rs`,
//! `blocks.rs` and `statistics.rs`. The method in words is in README.md.
//!
//! This program is five: the harness with its load generator, the latter alone (`load`), a peer
//! (`peer`), the step between harness and peer (`launch`), and what callgrind counts (`pairs`).
//! Nothing here is a dependency of the product, and nothing here fails because a figure is bad:
//! timings inform, tests judge.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod accept;
mod accounting;
mod arguments;
mod beside;
mod binary;
mod blocks;
mod chat;
mod chat_load;
mod chat_ngircd;
mod contrast;
mod cost;
mod crowd;
mod datagram_echo;
mod datagrams;
mod echo;
mod environment;
mod fan_out;
mod figures;
mod flood;
mod idle;
mod instructions;
mod iperf;
mod isolation;
mod lines;
mod load;
mod load_apart;
mod memory;
mod pair;
mod peers;
mod record;
mod report;
mod senders;
mod sendfile;
mod server;
mod shortage;
mod standing;
mod start;
mod statistics;
mod tables;
mod udp;
mod upload;
mod visits;
mod web;
mod web_hyper;
mod web_load;
mod web_nginx;

use arguments::{Arguments, Family};
use isolation::Isolation;
use peers::{Contestant, PEERS, Setup};
use report::Report;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// 0: all went through. 1: a contestant failed, the machine was too busy for a figure, or the run
/// could not go on. 2: wrong usage.
fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let outcome = match words.first().and_then(|word| word.to_str()) {
        Some("launch") => Err(server::launch(&words[1..])),
        Some("peer") => peer(&words[1..]),
        Some("tables") => tables::run(&words[1..]),
        Some("pairs") => pairs(&words[1..]),
        Some("load") => load_apart::run_inside(&words[1..]),
        Some("beside") => beside::run_inside(&words[1..]),
        Some("-h" | "--help" | "help") => {
            help();
            Ok(true)
        }
        _ => match Arguments::parse(words) {
            Ok(arguments) => measure(&arguments),
            Err(wrong) => {
                eprintln!("switchboard-bench: {wrong} (--help lists commands and flags)");
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("switchboard-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What runs when this thread is on the load's CPU, in this order.
const CELLS: &[Cells] = &[
    Cells { family: Family::Instructions, run: instructions::run },
    Cells { family: Family::Shortage, run: shortage::run },
    Cells { family: Family::Echo, run: echo::run_all },
    Cells { family: Family::Lines, run: lines::run },
    Cells { family: Family::Accept, run: accept::run },
    Cells { family: Family::Idle, run: idle::run },
    Cells { family: Family::Flood, run: flood::run },
    Cells { family: Family::FanOut, run: fan_out::run },
    Cells { family: Family::Datagrams, run: datagram_echo::run },
    Cells { family: Family::Memory, run: memory::run_all },
    Cells { family: Family::Udp, run: |a, i, _, r| udp::run(a, i, r) },
    Cells { family: Family::Sendfile, run: |a, i, _, r| sendfile::run(a, i, r) },
    Cells { family: Family::Web, run: |a, i, _, r| web::run(a, i, r) },
    Cells { family: Family::Chat, run: |a, i, _, r| chat::run(a, i, r) },
];

/// A family, and what runs all of its cells; false when one has no result.
struct Cells {
    family: Family,
    run: fn(&Arguments, &Isolation, &[Contestant], &mut Report) -> io::Result<bool>,
}

/// True when every contestant that takes part came through every cell.
fn measure(arguments: &Arguments) -> io::Result<bool> {
    let setup = Setup {
        wanted: arguments.peers.clone(),
        unwanted: arguments.without.clone(),
        reference: arguments.reference.clone(),
        switchboard: arguments.switchboard.clone(),
        switchboard_arguments: arguments.switchboard_arguments.clone(),
    };
    // First, so that a wrong name is told at once.
    let contestants = peers::contestants(&setup)?;
    let isolation = Isolation::enter(arguments.host_network)?;
    let mut report = Report::open(arguments.json.as_deref())?;
    let record = environment::record(&isolation, &contestants);
    environment::print(&record);
    report.json(&record)?;
    let mut all = true;
    // Before this thread is confined to the load's CPU, which the servers it starts would inherit.
    if arguments.cells.contains(&Family::Start) {
        all &= start::run(arguments, &contestants, &mut report)?;
    }
    if arguments.cells.contains(&Family::Pair) {
        all &= pair::run(arguments, &mut report)?;
    }
    if arguments.cells.contains(&Family::Upload) {
        all &= upload::run(arguments, &mut report)?;
    }
    if arguments.cells.contains(&Family::Binary) {
        all &= binary::run(arguments, &mut report)?;
    }
    if let Some(cpu) = isolation.load_cpu {
        server::pin(cpu)?;
    }
    for cell in CELLS {
        if arguments.cells.contains(&cell.family) {
            all &= (cell.run)(arguments, &isolation, &contestants, &mut report)?;
        }
    }
    Ok(all)
}

fn peer(words: &[OsString]) -> io::Result<bool> {
    let [name, service, port_file] = words else {
        return Err(io::Error::other("peer NAME SERVICE PORT_FILE"));
    };
    let (name, service) = (name.to_string_lossy(), service.to_string_lossy());
    peers::run_inside(&name, &service, Path::new(port_file))?;
    Ok(true)
}

fn pairs(words: &[OsString]) -> io::Result<bool> {
    let [name, count] = words else {
        return Err(io::Error::other("pairs NAME COUNT"));
    };
    pair::run_inside(&name.to_string_lossy(), &count.to_string_lossy())?;
    Ok(true)
}

fn help() {
    println!("{}", arguments::HELP);
    for peer in PEERS {
        println!("  {:<22}  {}", peer.name, peer.summary);
    }
    println!("  {:<22}  the product, with each engine it lists", "switchboard-ENGINE");
}
