//! Python's socketserver.ThreadingTCPServer, the model whose vocabulary the product speaks.
//!
//! The interpreter is asked for its own path first: a version manager's wrapper script would
//! otherwise be part of the time to start.

use super::{A_THREAD_EACH, Body, PORT_FILE, Peer, Program, Service, first_line, nothing};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

pub(super) const PEER: Peer = Peer {
    name: "python-threading",
    summary: "Python 3 socketserver.ThreadingTCPServer",
    holds: A_THREAD_EACH,
    library: None,
    needs: nothing,
    bodies: &[(Service::Echo, Body::Outside(|_| script(SCRIPT, &[])))],
};

/// The interpreter with a script, which gets the port file after `words`.
pub(super) fn script(script: &str, words: &[&str]) -> Result<Program, String> {
    let path =
        first_line(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]))
            .map(PathBuf::from)
            .ok_or("not installed: python3")?;
    let version = first_line(Command::new(&path).arg("--version"));
    let version = version.unwrap_or_else(|| "version unknown".to_owned());
    let arguments = [script].iter().chain(words).chain(&[PORT_FILE]).map(OsString::from).collect();
    Ok(Program { path, arguments, environment: Vec::new(), version, guards: None })
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python_threading.py");
