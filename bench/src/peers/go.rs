//! Go's net: a goroutine for each connection. Built from `peers/echo.go` when there is a Go to
//! build it with; it has as many processors as the CPUs it is confined to.

use super::{Body, HOLDS_ANY, PORT_FILE, Peer, Program, Service, first_line, nothing};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const PEER: Peer = Peer {
    name: "go",
    summary: "Go net, a goroutine per connection",
    holds: HOLDS_ANY,
    library: None,
    needs: nothing,
    bodies: &[
        (Service::Echo, Body::Outside(prepare)),
        (Service::Lines, Body::Outside(prepare)),
        (Service::Datagrams, Body::Outside(prepare)),
    ],
};

fn prepare(service: Service) -> Result<Program, String> {
    let version =
        first_line(Command::new("go").arg("version")).ok_or("not installed: go, to build it")?;
    let arguments = [service.name(), PORT_FILE].map(OsString::from).to_vec();
    Ok(Program { path: built()?, arguments, environment: Vec::new(), version, guards: None })
}

/// The program, beside this one; built if it is missing or older than its source.
fn built() -> Result<PathBuf, String> {
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = path.with_file_name("switchboard-bench-go");
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if modified(&path) > modified(Path::new(SOURCE)) {
        return Ok(path);
    }
    let output = Command::new("go").args(["build", "-o"]).arg(&path).arg(SOURCE).output();
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(path),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("go build failed: {}", said.lines().last().unwrap_or("it said nothing")))
        }
    }
}

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/echo.go");
