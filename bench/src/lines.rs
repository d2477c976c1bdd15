//! The lines cell: what does a line cost, read and answered one by one, when many are under way?
//!
//! Each of 64 connections sends 16 lines of 64 bytes at once, waits for all of them, and sends the
//! next. A line counts, not a batch. Servers differ in whether answers to lines that arrived
//! together leave together; the peers that have two forms take part with both. The reference does
//! nothing but find the ends of the lines.

use crate::arguments::Arguments;
use crate::cost::{self, Cell};
use crate::echo::{Traffic, standing};
use crate::isolation::Isolation;
use crate::load::Content;
use crate::peers::{self, Contestant, Lineup, Service};
use crate::report::{Report, object};
use crate::standing::TURN;
use serde_json::json;
use std::io;

/// Runs the cell and reports it. False when a contestant failed or has no result.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let lineup = peers::lineup(contestants, Service::Lines, CONNECTIONS);
    let Lineup { able, unable, .. } = lineup.with_reference()?;
    let cell = Cell {
        family: "lines",
        each: "line",
        what: format!(
            "connections: {CONNECTIONS}, {LINES} lines of {BYTES} bytes under way on each"
        ),
        place: object(
            json!({ "connections": CONNECTIONS, "message_bytes": BYTES, "under_way": LINES }),
        ),
        turn: TURN,
    };
    let content = Content::Lines { bytes: BYTES, count: LINES };
    let traffic = Traffic { connections: CONNECTIONS, content, each: LINES as u64 };
    cost::run(&cell, able, &unable, arguments, report, |program, folder, turn| {
        standing(program, traffic, (isolation, arguments), (folder, turn))
    })
}

const CONNECTIONS: usize = 64;
const LINES: usize = 16;
const BYTES: usize = 64;
