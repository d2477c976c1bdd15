//! The echo cell: what does one message cost on each contestant, beside the reference?
//!
//! A slice is a fresh server, fresh connections, a warm-up, then a second of closed-loop load;
//! `blocks.rs` says how slices of several contestants take turns, `cost.rs` what is made of them.

use crate::accounting::{Machine, Threads};
use crate::arguments::Arguments;
use crate::blocks::{Slice, Surroundings};
use crate::cost::{self, Cell, Sample};
use crate::isolation::Isolation;
use crate::load::Load;
use crate::peers::{self, Contestant, Lineup, Program};
use crate::report::{Report, object};
use crate::server::{Conditions, Server};
use serde_json::json;
use std::io;
use std::path::Path;

/// Runs one cell and reports it. False when a contestant failed or has no result.
pub(crate) fn run(
    connections: usize,
    message_bytes: usize,
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let Lineup { able, unable, .. } = peers::lineup(contestants, connections).with_reference()?;
    let cell = Cell {
        family: "echo",
        each: "message",
        what: format!("connections: {connections}, {message_bytes} bytes, one under way on each"),
        place: object(json!({ "connections": connections, "message_bytes": message_bytes })),
    };
    cost::run(&cell, able, &unable, arguments, report, |program, report| {
        slice(program, connections, message_bytes, arguments, isolation, report.folder())
    })
}

fn slice(
    program: &Program,
    connections: usize,
    message_bytes: usize,
    arguments: &Arguments,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Slice<Sample>> {
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(program, conditions, folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let mut load = Load::connect(server.port, connections, message_bytes)?;
    load.run(arguments.warm_up).map_err(said)?;
    let (threads, machine) = (Threads::of(server.pid())?, Machine::now()?);
    let done = load.run(arguments.slice).map_err(said)?;
    // First the machine, then what takes a while to read.
    let (machine_after, threads_after) = (Machine::now()?, Threads::of(server.pid())?);

    let spent_or_lost = threads_after.since(&threads);
    let spent = spent_or_lost.unwrap_or_default();
    let own = spent + done.cpu;
    let surroundings = Surroundings::between(&machine, &machine_after, own, done.elapsed);
    let fault = if spent_or_lost.is_none() {
        Some("a server thread ended and took its CPU count along")
    } else if done.messages == 0 {
        Some("no message came back in this slice")
    } else {
        surroundings.fault()
    };
    Ok(Slice { sample: Sample::new(&done, spent, surroundings), fault })
}
