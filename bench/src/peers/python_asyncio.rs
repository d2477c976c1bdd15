//! Python's asyncio with a Protocol, its fast form; on its own loop and on uvloop's.

use super::python_threading::script;
use super::{Body, HOLDS_ANY, Peer, Program, Service, first_line, nothing};
use std::process::Command;

pub(super) const PEER: Peer = Peer {
    name: "python-asyncio",
    summary: "Python 3 asyncio, a Protocol per connection",
    holds: HOLDS_ANY,
    library: None,
    needs: nothing,
    bodies: &[(Service::Echo, Body::Outside(|_| script(SCRIPT, &["asyncio"])))],
};

pub(super) const UVLOOP: Peer = Peer {
    name: "python-uvloop",
    summary: "the same on uvloop",
    holds: HOLDS_ANY,
    library: None,
    needs: nothing,
    bodies: &[(Service::Echo, Body::Outside(|_| uvloop()))],
};

fn uvloop() -> Result<Program, String> {
    let mut program = script(SCRIPT, &["uvloop"])?;
    let asked = "import uvloop; print('uvloop', uvloop.__version__)";
    let version = first_line(Command::new(&program.path).args(["-c", asked]));
    let version = version.ok_or("not installed: uvloop")?;
    program.version = format!("{}, {version}", program.version);
    Ok(program)
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python_asyncio.py");
