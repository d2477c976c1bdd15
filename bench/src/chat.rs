//! The chat cell: how many deliveries a second of the server's CPU makes, beside ngircd.
//!
//! A room of a thousand, one speaker, one line under way: each line is a thousand deliveries less
//! one. Servers stand with their rooms and take turns (`standing.rs`); `beside.rs` says what is
//! compared.

use crate::arguments::Arguments;
use crate::beside::{self, Cell};
use crate::chat_load::{Manner, Room};
use crate::chat_ngircd;
use crate::isolation::Isolation;
use crate::report::{Report, object};
use crate::standing::{Standing, TURN};
use serde_json::json;
use std::io;

/// Runs the cell. False when a contestant failed or has no result.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    report: &mut Report,
) -> io::Result<bool> {
    let members = if arguments.quick { 100 } else { 1000 };
    let ours = beside::product(arguments, &["chat".as_ref()]);
    let ours = ours.map(|program| {
        let more = ["--max-connections", "2000", "--max-per-ip", "2000"];
        program.with_arguments(&more)
    });
    let contestants =
        vec![(chat_ngircd::ROW.name, chat_ngircd::ROW.program(&[])), ("switchboard chat", ours)];
    let cell = Cell {
        family: "chat",
        each: "delivery",
        what: format!("a room of {members}, one speaker, one line at a time"),
        place: object(json!({ "members": members })),
        bar: 1.0,
        turn: TURN,
    };
    beside::run(&cell, contestants, arguments, report, |program, folder, turn| {
        let foreign = program.arguments.first().is_some_and(|word| word == "beside");
        let manner = if foreign { Manner::Irc } else { Manner::Lines };
        Standing::begin(program, (isolation, arguments), (folder, turn), |port| {
            let mut room = Room::enter(port, members, manner)?;
            Ok(move |time| room.run(time))
        })
    })
}
