//! The contestants: one row each in [`PEERS`], one file each in `peers/`.
//!
//! A peer is an echo server in a process of its own. It listens on a free port of 127.0.0.1 and
//! writes that port, in decimal, to the file it is told, once it accepts connections. Nothing else
//! is asked of it, so that a peer in any language is a row. A peer that cannot run here (not built,
//! not installed) says why and is reported as skipped; it is never left out in silence.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

mod bare_threads;
mod python_threading;
mod switchboard_threads;

/// Every peer; the first is the reference that the others are compared with.
pub(crate) const PEERS: &[Peer] =
    &[bare_threads::PEER, switchboard_threads::PEER, python_threading::PEER];

/// One row: what is measured, and how to run it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) body: Body,
}

/// Where a peer's code lives.
pub(crate) enum Body {
    /// In this program, which starts itself again to run it. Returns only on failure.
    Inside(fn(TcpListener) -> io::Result<()>),
    /// In another program; `Err` says in a few words why it cannot run here.
    Outside(fn(&Setup) -> Result<Program, String>),
}

/// What the command line says about peers.
pub(crate) struct Setup {
    pub(crate) switchboard: PathBuf,
    pub(crate) switchboard_arguments: Vec<String>,
}

/// A peer ready to be started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// [`PORT_FILE`] among them stands for the file to write the port to.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) version: String,
}

/// A peer that takes part, or the reason why it does not.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) program: Result<Program, String>,
}

/// Looks each wanted peer up on this machine; an empty `wanted` means all. The reference always
/// takes part.
///
/// # Errors
///
/// `InvalidInput` when `wanted` names a peer that is not in the list.
pub(crate) fn contestants(wanted: &[String], setup: &Setup) -> io::Result<Vec<Contestant>> {
    if let Some(unknown) = wanted.iter().find(|w| !PEERS.iter().any(|p| p.name == **w)) {
        let known: Vec<_> = PEERS.iter().map(|p| p.name).collect();
        let message = format!("no peer is called {unknown} (there are {})", known.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let chosen = |index: usize, peer: &Peer| {
        index == 0 || wanted.is_empty() || wanted.iter().any(|w| w == peer.name)
    };
    let rows = PEERS.iter().enumerate().filter(|(index, peer)| chosen(*index, peer));
    rows.map(|(_, peer)| {
        let program = match peer.body {
            Body::Inside(_) => Ok(ourselves(peer.name)?),
            Body::Outside(prepare) => prepare(setup),
        };
        Ok(Contestant { name: peer.name, program })
    })
    .collect()
}

/// Runs a peer that lives in this program; called in the child.
pub(crate) fn run_inside(name: &str, port_file: &Path) -> io::Result<()> {
    let peer = PEERS.iter().find(|peer| peer.name == name);
    let Some(Peer { body: Body::Inside(serve), .. }) = peer else {
        return Err(io::Error::other(format!("{name} is not a peer inside this program")));
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let unfinished = port_file.with_extension("new");
    fs::write(&unfinished, format!("{}\n", listener.local_addr()?.port()))?;
    fs::rename(&unfinished, port_file)?;
    serve(listener)
}

/// The first line a command prints, for the record of versions.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

fn ourselves(name: &str) -> io::Result<Program> {
    Ok(Program {
        path: std::env::current_exe()?,
        arguments: ["peer", name, PORT_FILE].map(OsString::from).to_vec(),
        version: concat!("switchboard-bench ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// Stands for the port file in [`Program::arguments`].
pub(crate) const PORT_FILE: &str = "{port-file}";
