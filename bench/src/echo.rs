//! The echo cell: what does one message cost on each contestant, beside the reference?
//!
//! Servers stand, each with its connections, and have a short turn of closed-loop load each
//! (`standing.rs`); `blocks.rs` says in which order, `cost.rs` what is made of it.

use crate::arguments::Arguments;
use crate::cost::{self, Cell};
use crate::isolation::{Isolation, descriptors_for};
use crate::load::{Content, Done, Load};
use crate::load_apart::LoadApart;
use crate::peers::{self, Contestant, Lineup, Program, Service};
use crate::report::{Report, object};
use crate::standing::{Standing, TURN};
use serde_json::json;
use std::io;
use std::path::Path;
use std::time::Duration;

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
        // Twice around all of them, even of ten thousand.
        turn: if connections >= MANY { TURN * 4 } else { TURN },
    };
    let traffic = Traffic { connections, content: Content::Bytes(message_bytes), each: 1 };
    cost::run(&cell, able, &unable, arguments, report, |program, folder, turn| {
        standing(program, traffic, (isolation, arguments), (folder, turn))
    })
}

/// What goes to and fro.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) connections: usize,
    pub(crate) content: Content,
    /// How many a message counts for.
    pub(crate) each: u64,
}

/// A server with closed-loop load on it.
pub(crate) fn standing(
    program: &Program,
    traffic: Traffic,
    under: (&Isolation, &Arguments),
    of: (&Path, Duration),
) -> io::Result<Standing> {
    let Traffic { connections, content, .. } = traffic;
    if let (Content::Bytes(bytes), MANY..) = (content, connections) {
        return Standing::begin(program, under, of, |port| {
            let mut load = LoadApart::connect(port, connections, bytes)?;
            Ok(move |time| load.run(time))
        });
    }
    Standing::begin(program, under, of, |port| {
        let mut load = Load::connect_with(port, connections, content)?;
        Ok(move |time| {
            let done = load.run(time)?;
            Ok(Done { messages: done.messages * traffic.each, ..done })
        })
    })
}

/// With so many connections each load is a process of its own, and turns are longer.
const MANY: usize = 5000;
