//! The fan-out cell: what does it cost to send one message to each of a thousand connections?
//!
//! One speaker, a thousand members; a delivery counts. The reference is a bare loop of `send`
//! calls. With one message under way nothing can be collected, and a server can at best equal the
//! loop; with sixteen, which arrive together, a member's messages can leave in one piece.
//! `crowd.rs` speaks and listens.

use crate::arguments::Arguments;
use crate::cost::{self, Cell};
use crate::crowd::Crowd;
use crate::isolation::Isolation;
use crate::peers::{self, Contestant, FAN_OUT_BYTES, Lineup, Service};
use crate::report::{Report, object};
use crate::standing::{Standing, TURN};
use serde_json::json;
use std::io;

/// Runs both cells. False when a contestant failed or has no result.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let (members, mut all) = (arguments.members, true);
    for under_way in UNDER_WAY {
        let lineup = peers::lineup(contestants, Service::FanOut, members + 1);
        let Lineup { able, unable, .. } = lineup.with_reference()?;
        let cell = Cell {
            family: "fan-out",
            each: "delivery",
            what: format!(
                "{FAN_OUT_BYTES} bytes from one to each of {members}, {under_way} under way"
            ),
            place: object(json!({
                "members": members, "message_bytes": FAN_OUT_BYTES, "under_way": under_way,
            })),
            turn: TURN,
        };
        all &= cost::run(&cell, able, &unable, arguments, report, |program, folder, turn| {
            Standing::begin(program, (isolation, arguments), (folder, turn), |port| {
                let mut crowd = Crowd::gather(port, members, under_way)?;
                Ok(move |time| crowd.run(time))
            })
        })?;
    }
    Ok(all)
}

/// Messages that are on their way to somebody at once.
const UNDER_WAY: [usize; 2] = [1, 16];
