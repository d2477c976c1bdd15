//! The fan-out cell: what does it cost to send one message to each of a thousand connections?
//!
//! One speaker, a thousand members; a delivery counts. The reference is a bare loop of `send`
//! calls. With one message under way nothing can be collected, and a server can at best equal the
//! loop; with sixteen, which arrive together, a member's messages can leave in one piece.
//! `crowd.rs` speaks and listens.

use crate::arguments::Arguments;
use crate::cost::{self, Cell};
use crate::crowd::Crowd;
use crate::echo::measured;
use crate::isolation::Isolation;
use crate::peers::{self, Contestant, FAN_OUT_BYTES, Lineup, Service};
use crate::report::{Report, object};
use crate::server::{Conditions, Server};
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
        };
        all &= cost::run(&cell, able, &unable, arguments, report, |program, report| {
            let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
            let server = Server::start(program, conditions, report.folder())?;
            let said = |error: io::Error| server.failure(&format!("failed ({error})"));
            let mut crowd = Crowd::gather(server.port, members, under_way).map_err(said)?;
            crowd.run(arguments.warm_up).map_err(said)?;
            measured(&server, || crowd.run(arguments.slice).map_err(said))
        })?;
    }
    Ok(all)
}

/// Messages that are on their way to somebody at once.
const UNDER_WAY: [usize; 2] = [1, 16];
