//! The product, as a user starts it: the released program, `--engine threads`, every guard on.

use super::{Body, PORT_FILE, Peer, Program, Setup, first_line};
use std::ffi::OsString;
use std::process::Command;

pub(super) const PEER: Peer = Peer {
    name: "switchboard-threads",
    summary: "switchboard serve echo --engine threads, default guards",
    body: Body::Outside(|setup| prepare(setup, "threads")),
};

fn prepare(setup: &Setup, engine: &str) -> Result<Program, String> {
    let path = &setup.switchboard;
    if !path.is_file() {
        let path = path.display();
        return Err(format!("not built: {path} (cargo build --release, or --switchboard PATH)"));
    }
    let fixed =
        ["serve", "echo", "tcp://127.0.0.1:0", "--engine", engine, "-q", "--port-file", PORT_FILE];
    let mut arguments: Vec<OsString> = fixed.map(OsString::from).to_vec();
    arguments.extend(setup.switchboard_arguments.iter().map(OsString::from));
    let version = first_line(Command::new(path).arg("version"));
    let version = version.unwrap_or_else(|| "version unknown".to_owned());
    Ok(Program { path: path.clone(), arguments, version })
}
