//! The datagrams cell: what does a datagram cost that is answered, with many senders?
//!
//! 64 senders on one thread, each with its own socket and address, two datagrams of 64 bytes under
//! way on each. The reference is one `recvfrom` and one `sendto` per datagram. `senders.rs` sends
//! and compares. (How datagrams are best moved without a server is the udp cell's question.)

use crate::arguments::Arguments;
use crate::cost::{self, Cell};
use crate::isolation::Isolation;
use crate::peers::{self, Contestant, Lineup, Service};
use crate::report::{Report, object};
use crate::senders::{DATAGRAM_BYTES, Senders, UNDER_WAY};
use crate::standing::{Standing, TURN};
use serde_json::json;
use std::io;

/// Runs the cell and reports it. False when a contestant failed or has no result.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    // A datagram is a request of its own: who takes one at a time takes part too.
    let Lineup { able, unable, .. } =
        peers::lineup(contestants, Service::Datagrams, 1).with_reference()?;
    let able = able.into_iter().map(|(name, program)| (name, program.allowing(SENDERS)));
    let cell = Cell {
        family: "datagrams",
        each: "datagram",
        what: format!("senders: {SENDERS}, {DATAGRAM_BYTES} bytes, {UNDER_WAY} under way on each"),
        place: object(json!({
            "senders": SENDERS, "message_bytes": DATAGRAM_BYTES, "under_way": UNDER_WAY,
        })),
        turn: TURN,
    };
    cost::run(&cell, able.collect(), &unable, arguments, report, |program, folder, turn| {
        Standing::begin(program, (isolation, arguments), (folder, turn), |port| {
            let mut senders = Senders::begin(port, SENDERS)?;
            Ok(move |time| senders.run(time))
        })
    })
}

const SENDERS: usize = 64;
