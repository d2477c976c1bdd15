//! The flood cell: does one connection that never stops sending keep 64 others waiting?
//!
//! 64 connections exchange messages of 64 bytes, and the time of each is taken: alone, beside a
//! connection that sends and receives 16 KiB in every turn of the load generator, and alone again.
//! What is compared is the 99th percentile, with those that never came back. It is the time in a
//! closed loop, in which every connection waits for the others: good for comparing a server with
//! itself, and no latency at a given rate. The load generator does not sleep here and is at its
//! limit; a part of the difference is its own turn getting longer, which is the same for all.

use crate::accounting::{Machine, process_cpu};
use crate::arguments::Arguments;
use crate::blocks::{Slice, Surroundings};
use crate::contrast::{self, Cell, Sample};
use crate::isolation::Isolation;
use crate::load::{Load, connect_from, failure, repeating};
use crate::peers::{self, Contestant, Lineup, Program, Service};
use crate::report::{Report, object};
use crate::server::{Conditions, Server};
use rustix::net::SocketFlags;
use serde_json::json;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// Runs the cell and reports it. False when a contestant failed or has no result.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    let lineup = peers::lineup(contestants, Service::Echo, ACTIVE + 1);
    let Lineup { able, unable, .. } = lineup.with_reference()?;
    let cell = Cell {
        family: "flood",
        figure: "microseconds, 99th percentile",
        what: format!("{ACTIVE} connections with {BYTES} bytes alone, and beside a flood"),
        place: object(json!({ "connections": ACTIVE, "message_bytes": BYTES })),
        decimals: 0,
    };
    contrast::run(&cell, able, &unable, arguments, report, |program, report| {
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
    let mut load = Load::connect(server.port, ACTIVE, BYTES)?;
    let mut watch = |duration, flood: Option<&mut Flood>| match flood {
        Some(flood) => load.watched(duration, || flood.turn()).map_err(said),
        None => load.watched(duration, || Ok(())).map_err(said),
    };
    watch(arguments.warm_up, None)?;
    let (machine, cpu) = (Machine::now()?, process_cpu(server.pid())?);
    let (before, quiet_before) = watch(arguments.slice / 2, None)?;
    let mut flood = Flood::begin(server.port)?;
    let (beginning, _) = watch(arguments.warm_up, Some(&mut flood))?;
    let (beside, loud) = watch(arguments.slice, Some(&mut flood))?;
    flood.end();
    let (ending, _) = watch(arguments.warm_up, None)?;
    let (after, quiet_after) = watch(arguments.slice / 2, None)?;
    let (machine_after, cpu_after) = (Machine::now()?, process_cpu(server.pid())?);

    let phases = [&before, &beginning, &beside, &ending, &after];
    let own = phases.iter().map(|done| done.cpu).sum::<Duration>() + cpu_after.saturating_sub(cpu);
    let elapsed = phases.iter().map(|done| done.elapsed).sum();
    let surroundings = Surroundings::between(&machine, &machine_after, own, elapsed);
    let percentile = |times: &hdrhistogram::Histogram<u64>| times.value_at_quantile(0.99) as f64;
    let sample = Sample {
        alone: (percentile(&quiet_before) + percentile(&quiet_after)) / 2.0 / 1e3,
        beside: percentile(&loud) / 1e3,
        load: beside.cpu.as_secs_f64() / beside.elapsed.as_secs_f64(),
        surroundings,
    };
    // Beside the flood nothing may come back at all: the times say so.
    let fault = match before.messages.min(after.messages) {
        0 => Some("no message came back in this slice"),
        _ => surroundings.fault(),
    };
    Ok(Slice { sample, fault })
}

/// A connection that sends as fast as the server takes it and compares what comes back.
struct Flood {
    stream: TcpStream,
    /// The bytes of a period, and the first of them again.
    pattern: Vec<u8>,
    buffer: Vec<u8>,
    sent: usize,
    received: usize,
}

impl Flood {
    fn begin(port: u16) -> io::Result<Flood> {
        // From an address of its own.
        let stream = connect_from(ACTIVE * 2, port, SocketFlags::CLOEXEC)?;
        stream.set_nonblocking(true)?;
        let (pattern, buffer) = (repeating(PERIOD, PIECE), vec![0; PIECE]);
        Ok(Flood { stream, pattern, buffer, sent: 0, received: 0 })
    }

    /// Sends once and receives once, whatever is possible.
    fn turn(&mut self) -> io::Result<()> {
        let possible = |outcome: io::Result<usize>| match outcome {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            other => other.map(Some),
        };
        let from = self.sent % PERIOD;
        let sent = possible(self.stream.write(&self.pattern[from..from + PIECE]))?;
        self.sent += sent.unwrap_or(0);
        let Some(count) = possible(self.stream.read(&mut self.buffer))? else { return Ok(()) };
        let from = self.received % PERIOD;
        if count == 0 || self.buffer[..count] != self.pattern[from..from + count] {
            return Err(failure(ErrorKind::InvalidData, "the flood came back changed, or ended"));
        }
        self.received += count;
        Ok(())
    }

    /// Leaves at once, with a reset: nobody has to finish what is under way.
    fn end(self) {
        drop(self.stream);
    }
}

const ACTIVE: usize = 64;
const BYTES: usize = 64;
/// Sent and received in a turn at most.
const PIECE: usize = 16 * 1024;
/// The flood repeats after so many bytes; a prime, so that no server's buffer is in step.
const PERIOD: usize = 65_521;
