//! The idle cell: do ten thousand connections that say nothing slow down 64 that do?
//!
//! On one server 64 connections exchange messages alone; then ten thousand more connect, say one
//! thing and fall silent; then they leave, and the 64 are alone again. What is compared is messages
//! per second, so the load generator must not be the limit: its share of a core is shown.

use crate::accounting::{Machine, process_cpu};
use crate::arguments::Arguments;
use crate::blocks::{Slice, Surroundings};
use crate::contrast::{self, Cell, Sample};
use crate::isolation::{Isolation, descriptors_for};
use crate::load::{Done, Load};
use crate::peers::{self, Contestant, Lineup, Program, Service};
use crate::report::{Report, object};
use crate::server::{Conditions, Server};
use serde_json::json;
use std::io;
use std::path::Path;

/// Runs the cell and reports it. False when a contestant failed or has no result.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let silent = arguments.silent;
    let place = object(json!({ "silent": silent, "connections": ACTIVE }));
    if let Err(why) = descriptors_for(silent + ACTIVE) {
        println!("\nidle: {silent} connections that say nothing");
        return report.skipped("idle", &place, &[("all".to_owned(), why)]).map(|()| true);
    }
    let Lineup { able, unable, .. } =
        peers::lineup(contestants, Service::Echo, silent + ACTIVE).with_reference()?;
    let cell = Cell {
        family: "idle",
        figure: "messages per second",
        what: format!("{ACTIVE} connections with {BYTES} bytes alone, and beside {silent} silent"),
        place,
        decimals: 0,
    };
    contrast::run(&cell, able, &unable, arguments, report, |program, report| {
        slice(program, silent, arguments, isolation, report.folder())
    })
}

fn slice(
    program: &Program,
    silent: usize,
    arguments: &Arguments,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Slice<Sample>> {
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(program, conditions, folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let mut active = Load::connect(server.port, ACTIVE, BYTES)?;
    let mut run = || -> io::Result<Done> {
        active.run(arguments.warm_up).map_err(said)?;
        active.run(arguments.slice).map_err(said)
    };
    let before = run()?;
    let mut crowd = Load::connect(server.port, silent, BYTES).map_err(said)?;
    crowd.round().map_err(said)?;
    let (machine, cpu) = (Machine::now()?, process_cpu(server.pid())?);
    let beside = run()?;
    let (machine_after, cpu_after) = (Machine::now()?, process_cpu(server.pid())?);
    drop(crowd);
    let after = run()?;
    let rate = |done: Done| done.messages as f64 / done.elapsed.as_secs_f64();
    // The warm-up is the server's work too, and the load's about as much as in the slice.
    let seconds = (arguments.warm_up + beside.elapsed).as_secs_f64();
    let load = beside.cpu.mul_f64(seconds / beside.elapsed.as_secs_f64());
    let own = cpu_after.saturating_sub(cpu) + load;
    let elapsed = arguments.warm_up + beside.elapsed;
    let surroundings = Surroundings::between(&machine, &machine_after, own, elapsed);
    let sample = Sample {
        alone: (rate(before) + rate(after)) / 2.0,
        beside: rate(beside),
        load: beside.cpu.as_secs_f64() / beside.elapsed.as_secs_f64(),
        surroundings,
    };
    let fault = match before.messages.min(beside.messages).min(after.messages) {
        0 => Some("no message came back in this slice"),
        _ => surroundings.fault(),
    };
    Ok(Slice { sample, fault })
}

const ACTIVE: usize = 64;
const BYTES: usize = 64;
