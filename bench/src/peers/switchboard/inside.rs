//! Services that the product's program does not have, written on its server as a user would write
//! them: guards on, the engine by its name.
//!
//! They run in this program, so what is measured is the crate this program was built with, not the
//! one of `--switchboard`.

use super::drivers::without_driver;
use crate::peers::{FAN_OUT_BYTES, MEMBER, SPEAKER, Service, announce};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use switchboard::{Connection, Engine, Guards, Server, Writer};

/// The engine of a contestant's name; `None` if that is not ours or unknown here.
pub(in crate::peers) fn engine_named(name: &str) -> Option<Engine> {
    let name = without_driver(name.strip_prefix(super::PREFIX)?.strip_prefix('-')?);
    Engine::ALL.iter().copied().find(|engine| engine.name() == name)
}

/// What a contestant has besides the program's own services.
pub(super) fn services(name: &str) -> &'static [Service] {
    match engine_named(name) {
        // One connection at a time: no room for a speaker and a member.
        Some(Engine::Serial) => &[Service::Lines],
        // Handlers that cannot meet in one memory.
        Some(Engine::Processes) => &[Service::Lines],
        Some(_) => &[Service::Lines, Service::FanOut],
        None => &[],
    }
}

/// Serves; returns only on failure.
pub(in crate::peers) fn run_inside(
    engine: Engine,
    service: Service,
    port_file: &Path,
) -> io::Result<()> {
    let limit = engine.limit_connections();
    // As `--max-connections` of the program.
    let limit = if limit > 1 { limit.max(CONNECTIONS) } else { limit };
    let guards = Guards { limit_connections: Some(limit), ..Guards::default() };
    let mut server = Server::new().with_engine(engine).with_guards(guards);
    let bound = match service {
        Service::Lines => server.bind("tcp://127.0.0.1:0", lines).map(drop),
        Service::FanOut => {
            let members: Members = Arc::default();
            server.bind("tcp://127.0.0.1:0", move |connection: &mut Connection| {
                fan_out(connection, &members)
            })
        }
        .map(drop),
        other => return Err(io::Error::other(format!("the program serves {}", other.name()))),
    };
    bound.map_err(io::Error::other)?;
    let address = server.sockets().next().expect("one was bound").getsockname()?;
    announce(port_file, address.port().expect("bound to tcp"))?;
    server.serve_forever().map_err(io::Error::other)
}

/// Reads a line, answers a line. That answers go out together while input is at hand is the
/// connection's own doing.
fn lines(connection: &mut Connection) -> io::Result<()> {
    while connection.next_request()? {
        connection.answer_line(|line, out| out.write_all(line))?;
    }
    Ok(())
}

type Members = Arc<Mutex<Vec<Writer>>>;

fn fan_out(connection: &mut Connection, members: &Members) -> io::Result<()> {
    let mut role = [0];
    connection.read_exact(&mut role)?;
    match role[0] {
        MEMBER => {
            members.lock().unwrap_or_else(PoisonError::into_inner).push(connection.writer()?);
            connection.reply(&role)?;
            connection.next_request().map(drop)
        }
        SPEAKER => {
            connection.reply(&role)?;
            let mut message = [0; FAN_OUT_BYTES];
            while connection.next_request()? {
                connection.read_exact(&mut message)?;
                let message = Arc::from(message);
                let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
                members.retain(|member| member.post(&message));
            }
            Ok(())
        }
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// As many as a cell may ask for.
const CONNECTIONS: usize = 1100;
