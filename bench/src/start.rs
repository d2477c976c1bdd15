//! The start cell: from the decision to start a server to the first byte it answers.
//!
//! Each repeat starts the program anew, directly and unpinned, as a person or a supervisor would;
//! waits for its port file, connects, sends one byte and receives it. Program files are in the page
//! cache after the first repeat, so this is a warm start. Polling for the port file adds up to
//! 0.1 ms.

use crate::arguments::Arguments;
use crate::peers::{Contestant, Program, Service};
use crate::report::{Report, row};
use crate::server::{Conditions, Server};
use crate::statistics::{maximum, median};
use serde_json::{Map, json};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs the cell for every contestant. False when one failed.
pub(crate) fn run(
    arguments: &Arguments,
    contestants: &[Contestant],
    report: &mut Report,
) -> io::Result<bool> {
    println!(
        "\nstart: from start to first answered byte, {} times; milliseconds",
        arguments.starts
    );
    row("contestant", &["median", "maximum"], "");
    let mut all = true;
    for contestant in contestants {
        let Some(Ok(program)) = contestant.program(Service::Echo) else { continue };
        let times: io::Result<Vec<f64>> =
            (0..arguments.starts).map(|_| once(program, report.folder())).collect();
        let times = match times {
            Ok(times) => times,
            Err(error) => {
                all = false;
                report.no_result("start", &Map::new(), &contestant.name, &error.to_string())?;
                continue;
            }
        };
        let (middle, worst) = (median(&times), maximum(&times));
        let verdict = if middle <= BAR_MS { "met" } else { "MISSED" };
        let note = format!("bar: median at most {BAR_MS} ms, {verdict}");
        row(&contestant.name, &[format!("{middle:.2}"), format!("{worst:.2}")], &note);
        report.json(&json!({
            "v": 1, "t": "start", "contestant": contestant.name, "repeats": times.len(),
            "median_us": (middle * 1e3) as u64, "maximum_us": (worst * 1e3) as u64,
            "bar_met": middle <= BAR_MS,
        }))?;
    }
    Ok(all)
}

fn once(program: &Program, folder: &Path) -> io::Result<f64> {
    let start = Instant::now();
    let server = Server::start(program, Conditions::Plain, folder)?;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(b"x")?;
    let mut answer = [0];
    stream.read_exact(&mut answer).map_err(|error| server.failure(&error.to_string()))?;
    let elapsed = start.elapsed();
    if answer != *b"x" {
        return Err(server.failure("answered another byte"));
    }
    Ok(elapsed.as_secs_f64() * 1e3)
}

/// The product's promise; for the others it is shown for comparison.
const BAR_MS: f64 = 20.0;
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
