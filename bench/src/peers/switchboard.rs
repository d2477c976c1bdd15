//! The product, as a user starts it: the released program, every guard on, once for each of its
//! engines.
//!
//! Which engines there are, and how many connections each allows, the program itself is asked
//! (`engines --json`): a new engine takes part in every cell with nothing to do here. Services that
//! the program does not have are small handlers on the same server, in `switchboard/inside.rs`.

mod drivers;
mod inside;

use super::{Contestant, HOLDS_ANY, PORT_FILE, Program, Service, Setup, first_line};
use serde_json::Value;
use std::ffi::OsString;
use std::io;
use std::process::Command;

pub(super) use inside::{engine_named, run_inside};

/// What every contestant of the product is called, before its engine.
pub(super) const PREFIX: &str = "switchboard";

/// A contestant for each engine; one that says why, when the program does not tell.
pub(super) fn engines(setup: &Setup) -> io::Result<Vec<Contestant>> {
    let engines = match told(setup) {
        Err(why) => {
            let programs = vec![(Service::Echo, Err(why))];
            return Ok(vec![Contestant { name: PREFIX.to_owned(), holds: HOLDS_ANY, programs }]);
        }
        Ok((engines, version)) => engines.into_iter().map(move |it| (it, version.clone())),
    };
    let mut contestants = Vec::new();
    for ((engine, limit), version) in engines {
        let drivers = match engine.as_str() {
            DRIVEN => drivers::drivers(&setup.switchboard),
            _ => Vec::new(),
        };
        let plain = program(setup, &engine, limit, &version);
        if drivers.is_empty() {
            contestants.push(contestant(&format!("{PREFIX}-{engine}"), limit, Ok(plain.clone()))?);
        }
        for (driver, able) in drivers {
            let name = format!("{PREFIX}-{engine}-{driver}");
            let environment = vec![(drivers::VARIABLE, driver)];
            let program = Program { environment, ..plain.clone() };
            contestants.push(contestant(&name, limit, able.map(|()| program))?);
        }
    }
    Ok(contestants)
}

/// A contestant with all its services, or with the reason why it has none of them.
fn contestant(
    name: &str,
    limit: usize,
    program: Result<Program, String>,
) -> io::Result<Contestant> {
    let speaking = |protocol: &str| {
        let mut program = program.clone()?;
        program.arguments.insert(2, format!("{protocol}://127.0.0.1:0").into());
        Ok(program)
    };
    let mut programs =
        vec![(Service::Echo, speaking("tcp")), (Service::Datagrams, speaking("udp"))];
    for service in inside::services(name) {
        let ours = Program::ourselves(name, *service, None)?;
        let with = |program: Program| Program { environment: program.environment, ..ours };
        programs.push((*service, program.clone().map(with)));
    }
    Ok(Contestant { name: name.to_owned(), holds: holds(limit), programs })
}

/// The program's engines with their limits of connections, and its version.
fn told(setup: &Setup) -> Result<(Vec<(String, usize)>, String), String> {
    let path = &setup.switchboard;
    if !path.is_file() {
        let path = path.display();
        return Err(format!("not built: {path} (cargo build --release, or --switchboard PATH)"));
    }
    let output = Command::new(path).args(["engines", "--json"]).output();
    let output = output.ok().filter(|output| output.status.success());
    let output = output.ok_or("it does not answer to: engines --json")?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let engines: Vec<_> = lines.lines().filter_map(engine).collect();
    if engines.is_empty() {
        return Err("it lists no engines".to_owned());
    }
    let version = first_line(Command::new(path).arg("version"));
    Ok((engines, version.unwrap_or_else(|| "version unknown".to_owned())))
}

/// The name of an engine and its limit of connections, from its line.
fn engine(line: &str) -> Option<(String, usize)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let limit = usize::try_from(line["limit_connections"].as_u64()?).ok()?;
    Some((line["name"].as_str()?.to_owned(), limit))
}

/// How many connections an engine is asked to hold: one whose own limit is one has one at a time;
/// one whose own limit is in the thousands is made for any number; for the others a connection is
/// a thread or a process, of which a thousand is a lot.
fn holds(limit: usize) -> usize {
    match limit {
        1 => 1,
        MANY.. => HOLDS_ANY,
        few => few.max(A_THOUSAND),
    }
}

/// The program serving echo, but for the address.
fn program(setup: &Setup, engine: &str, limit: usize, version: &str) -> Program {
    let fixed = ["serve", "echo", "--engine", engine, "-q", "--port-file", PORT_FILE];
    let mut arguments: Vec<OsString> = fixed.map(OsString::from).to_vec();
    arguments.extend(setup.switchboard_arguments.iter().map(OsString::from));
    Program {
        path: setup.switchboard.clone(),
        arguments,
        environment: Vec::new(),
        version: version.to_owned(),
        guards: Some(limit),
    }
}

/// The engine that has drivers.
const DRIVEN: &str = "coroutines";
const MANY: usize = 4096;
const A_THOUSAND: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_engines_json_is_read() {
        let line = r#"{"v":1,"t":"engine","name":"new","summary":"a b","limit_connections":64}"#;
        assert_eq!(engine(line), Some(("new".to_owned(), 64)));
        assert_eq!(engine("ENGINE   CONNECTIONS  WHAT"), None);
    }

    #[test]
    fn what_an_engine_is_asked_to_hold_follows_from_its_own_limit() {
        assert_eq!((holds(1), holds(64), holds(1024)), (1, 1000, 1024));
        assert_eq!(holds(10_000), HOLDS_ANY);
    }
}
