//! The echo cell: what does one message cost on each contestant, beside the reference?
//!
//! A slice is a fresh server, fresh connections, a warm-up, then a second of closed-loop load;
//! `blocks.rs` says how slices of several contestants take turns, `cost.rs` what is made of them.

use crate::accounting::{Machine, Threads, process_cpu};
use crate::arguments::Arguments;
use crate::blocks::{Slice, Surroundings};
use crate::cost::{self, Cell, Sample};
use crate::isolation::{Isolation, descriptors_for};
use crate::load::{Content, Done, Load};
use crate::peers::{self, Contestant, Lineup, Program, Service};
use crate::report::{Report, object};
use crate::server::{Conditions, Server};
use serde_json::json;
use std::io;
use std::path::Path;

/// Runs every cell that is asked for. False when a contestant failed or has no result.
pub(crate) fn run_all(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let mut all = true;
    for &(connections, bytes) in &arguments.echoes {
        all &= run(connections, bytes, arguments, isolation, contestants, report)?;
    }
    Ok(all)
}

/// Runs one cell and reports it.
fn run(
    connections: usize,
    message_bytes: usize,
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let place = object(json!({ "connections": connections, "message_bytes": message_bytes }));
    if let Err(why) = descriptors_for(connections) {
        println!("\necho: {connections} connections");
        return report.skipped("echo", &place, &[("all".to_owned(), why)]).map(|()| true);
    }
    let lineup = peers::lineup(contestants, Service::Echo, connections);
    let Lineup { able, unable, .. } = lineup.with_reference()?;
    let cell = Cell {
        family: "echo",
        each: "message",
        what: format!("connections: {connections}, {message_bytes} bytes, one under way on each"),
        place,
    };
    let traffic = Traffic { connections, content: Content::Bytes(message_bytes), each: 1 };
    cost::run(&cell, able, &unable, arguments, report, |program, report| {
        slice(program, traffic, arguments, isolation, report.folder())
    })
}

/// What goes to and fro in a slice.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) connections: usize,
    pub(crate) content: Content,
    /// How many a message counts for.
    pub(crate) each: u64,
}

/// One slice of closed-loop load on a fresh server.
pub(crate) fn slice(
    program: &Program,
    traffic: Traffic,
    arguments: &Arguments,
    isolation: &Isolation,
    folder: &Path,
) -> io::Result<Slice<Sample>> {
    let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
    let server = Server::start(program, conditions, folder)?;
    let said = |error: io::Error| server.failure(&format!("failed ({error})"));
    let mut load = Load::connect_with(server.port, traffic.connections, traffic.content)?;
    let (mut warm_up, mut slice) = (arguments.warm_up, arguments.slice);
    if traffic.connections > MANY {
        // So that none is left to be accepted in the slice, and that a turn around all of them is
        // short beside it.
        load.round().map_err(said)?;
        (warm_up, slice) = (warm_up * 3, slice * 2);
    }
    load.run(warm_up).map_err(said)?;
    measured(&server, || {
        let done = load.run(slice).map_err(said)?;
        Ok(Done { messages: done.messages * traffic.each, ..done })
    })
}

/// What `work` costs a server. Its threads are counted to the nanosecond if they are few and all of
/// them live on; of other servers the clock ticks are counted, which are read at once and remember
/// threads that ended.
pub(crate) fn measured(
    server: &Server,
    work: impl FnOnce() -> io::Result<Done>,
) -> io::Result<Slice<Sample>> {
    let threads = Threads::of(server.pid())?;
    let (ticks, machine) = (process_cpu(server.pid())?, Machine::now()?);
    let done = work()?;
    // First the machine, then what takes a while to read.
    let (machine_after, ticks_after) = (Machine::now()?, process_cpu(server.pid())?);
    let threads_after = Threads::of(server.pid())?;
    let spent = match threads_after.since(&threads) {
        Some(spent) if !threads.are_many() => spent,
        _ => ticks_after.saturating_sub(ticks),
    };
    let own = spent + done.cpu;
    let surroundings = Surroundings::between(&machine, &machine_after, own, done.elapsed);
    let fault = match done.messages {
        0 => Some("no message came back in this slice"),
        _ => surroundings.fault(),
    };
    Ok(Slice { sample: Sample::new(&done, spent, surroundings), fault })
}

/// With more connections than these, all have had an answer before the warm-up, and slices are
/// longer.
const MANY: usize = 1000;
