//! The accept cell: what does a connection cost that comes, says one thing and goes?
//!
//! A slice is a fresh server, a warm-up, then a second of visits (`visits.rs`); `blocks.rs` says
//! how slices of several contestants take turns, `cost.rs` what is made of them. Threads and
//! processes that end take their exact CPU count along, so the server's CPU is read in clock ticks
//! here, which remember them: one slice of a second is exact to about 2 %.

use crate::accounting::{Machine, process_cpu};
use crate::arguments::Arguments;
use crate::blocks::{Slice, Surroundings};
use crate::cost::{self, Cell, Sample};
use crate::isolation::Isolation;
use crate::peers::{self, Contestant, Lineup, Program, Service};
use crate::report::{Report, object};
use crate::server::{Conditions, Server};
use crate::visits::Visits;
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
    let visitors = arguments.visitors;
    // Who holds only one connection takes the visitors one after the other.
    let Lineup { able, unable, .. } =
        peers::lineup(contestants, Service::Echo, 1).with_reference()?;
    let able = able.into_iter().map(|(name, program)| (name, program.allowing(visitors)));
    let cell = Cell {
        family: "accept",
        each: "visit",
        what: format!("connect, {MESSAGE_BYTES} bytes there and back, close; {visitors} at once"),
        place: object(json!({ "visitors": visitors, "message_bytes": MESSAGE_BYTES })),
    };
    cost::run(&cell, able.collect(), &unable, arguments, report, |program, report| {
        slice(program, arguments, isolation, report.folder())
    })
}

fn slice(
    program: &Program,
    arguments: &Arguments,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Slice<Sample>> {
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(program, conditions, folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let mut visits = Visits::begin(server.port, arguments.visitors, MESSAGE_BYTES)?;
    visits.run(arguments.warm_up).map_err(said)?;
    let (before, machine) = (process_cpu(server.pid())?, Machine::now()?);
    let done = visits.run(arguments.slice).map_err(said)?;
    let (machine_after, after) = (Machine::now()?, process_cpu(server.pid())?);

    // A child that nobody waits for takes its ticks along. They show up as those of others, and
    // the slice is dropped.
    let spent = after.saturating_sub(before);
    let own = spent + done.cpu;
    let surroundings = Surroundings::between(&machine, &machine_after, own, done.elapsed);
    let fault = match done.messages {
        0 => Some("no visit ended in this slice"),
        _ => surroundings.fault(),
    };
    Ok(Slice { sample: Sample::new(&done, spent, surroundings), fault })
}

const MESSAGE_BYTES: usize = 64;
