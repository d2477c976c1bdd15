//! The accept cell: what does a connection cost that comes, says one thing and goes?
//!
//! A slice is a fresh server, a warm-up, then a second of visits (`visits.rs`); `blocks.rs` says
//! how slices of several contestants take turns, `cost.rs` what is made of them. Threads and
//! processes that end take their exact CPU count along, so the server's CPU is read in clock ticks
//! here, which remember them: one slice of a second is exact to about 2 %.

use crate::arguments::Arguments;
use crate::cost::{self, Cell};
use crate::isolation::Isolation;
use crate::peers::{self, Contestant, Lineup, Service};
use crate::report::{Report, object};
use crate::standing::Standing;
use crate::visits::Visits;
use serde_json::json;
use std::io;
use std::time::Duration;

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
        turn: TURN,
    };
    cost::run(&cell, able.collect(), &unable, arguments, report, |program, folder, turn| {
        Standing::begin(program, (isolation, arguments), (folder, turn), |port| {
            let mut visits = Visits::begin(port, visitors, MESSAGE_BYTES)?;
            Ok(move |time| visits.run(time))
        })
    })
}

/// Longer, because servers with a thread or a child for each visit are counted in clock ticks.
const TURN: Duration = Duration::from_millis(100);
const MESSAGE_BYTES: usize = 64;
