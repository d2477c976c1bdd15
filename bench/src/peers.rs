//! The contestants: one row each in [`PEERS`], one file each in `peers/`; and the engines of the
//! product, which it lists itself. Who takes part in a cell is in `peers/lineup.rs`.
//!
//! A peer is a server in a process of its own. It listens on a free port of 127.0.0.1 and writes
//! that port, in decimal, to the file it is told, once it accepts connections. Nothing else is
//! asked of it, so that a peer in any language is a row. What it serves is one of a few services
//! ([`Service`]); a peer takes part in the cells of those it has. A peer that cannot run here (not
//! installed, or the kernel lacks what it needs) says why and is reported as skipped; it is never
//! left out in silence.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

mod bare_datagrams;
mod bare_epoll;
mod bare_threads;
mod bare_uring;
mod compio;
mod go;
mod lineup;
mod may;
mod monoio;
mod program;
mod python_asyncio;
mod python_threading;
mod switchboard;
mod tokio;

pub(crate) use lineup::{Contestant, Lineup, contestants, lineup};
pub(crate) use program::{PORT_FILE, Program, locked};

/// Every peer but the product.
pub(crate) const PEERS: &[Peer] = &[
    bare_epoll::PEER,
    bare_uring::PEER,
    bare_threads::PEER,
    bare_datagrams::PEER,
    tokio::PEER,
    tokio::BUFFERED,
    tokio::THREADS,
    may::PEER,
    may::BUFFERED,
    monoio::PEER,
    compio::PEER,
    go::PEER,
    python_asyncio::PEER,
    python_asyncio::UVLOOP,
    python_threading::PEER,
];

/// The reference unless told otherwise: what the others are compared with.
pub(crate) const REFERENCE: &str = bare_epoll::PEER.name;

/// The second yardstick: what a thread for each connection costs at least.
pub(crate) const THREADS: &str = bare_threads::PEER.name;

/// One row: what is measured, and how to run it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// How many connections it is asked to hold at most.
    holds: usize,
    /// The library it stands on, for the record of versions.
    library: Option<&'static str>,
    /// Answers in a few words why it cannot run on this machine.
    needs: fn() -> Result<(), String>,
    /// What it serves, and how.
    bodies: &'static [(Service, Body)],
}

/// What a server does for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Whatever comes in over TCP goes out again.
    Echo,
    /// Each line that comes in over TCP is answered with the same line.
    Lines,
    /// The first byte of a connection says what it is, and is answered with itself. What a
    /// [`SPEAKER`] says, in messages of [`FAN_OUT_BYTES`], goes to every [`MEMBER`].
    FanOut,
    /// Each datagram is answered with the same datagram.
    Datagrams,
}

impl Service {
    /// Its name on the command line of a peer.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Echo => "echo",
            Service::Lines => "lines",
            Service::FanOut => "fan-out",
            Service::Datagrams => "datagrams",
        }
    }

    const ALL: &[Service] = &[Service::Echo, Service::Lines, Service::FanOut, Service::Datagrams];
}

/// Where a peer's code lives.
#[derive(Clone, Copy)]
enum Body {
    /// In this program, which starts itself again to run it. Returns only on failure.
    Inside(fn(TcpListener) -> io::Result<()>),
    /// The same for datagrams.
    Datagrams(fn(UdpSocket) -> io::Result<()>),
    /// In another program; `Err` says in a few words why it cannot run here.
    Outside(fn(Service) -> Result<Program, String>),
}

/// What the command line says about peers.
pub(crate) struct Setup {
    /// Empty: all.
    pub(crate) wanted: Vec<String>,
    pub(crate) unwanted: Vec<String>,
    pub(crate) reference: String,
    pub(crate) switchboard: PathBuf,
    pub(crate) switchboard_arguments: Vec<String>,
}

/// Runs a peer that lives in this program; called in the child.
pub(crate) fn run_inside(name: &str, service: &str, port_file: &Path) -> io::Result<()> {
    let unknown = || io::Error::other(format!("{name} does not serve {service} in this program"));
    let service = Service::ALL.iter().copied().find(|known| known.name() == service);
    let service = service.ok_or_else(unknown)?;
    if let Some(engine) = switchboard::engine_named(name) {
        return switchboard::run_inside(engine, service, port_file);
    }
    let peer = PEERS.iter().find(|peer| peer.name == name).ok_or_else(unknown)?;
    match peer.bodies.iter().find(|(known, _)| *known == service) {
        Some((_, Body::Inside(serve))) => {
            let listener = listener()?;
            announce(port_file, listener.local_addr()?.port())?;
            serve(listener)
        }
        Some((_, Body::Datagrams(serve))) => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            announce(port_file, socket.local_addr()?.port())?;
            serve(socket)
        }
        _ => Err(unknown()),
    }
}

/// A listener on a free port whose connections have TCP_NODELAY, which Linux hands down.
pub(crate) fn listener() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // std's queue of 128 is shorter than the product's and than Python's here.
    rustix::net::listen(&listener, QUEUE)?;
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    Ok(listener)
}

/// Writes the port to the file, whole or not at all.
pub(crate) fn announce(port_file: &Path, port: u16) -> io::Result<()> {
    let unfinished = port_file.with_extension("new");
    fs::write(&unfinished, format!("{port}\n"))?;
    fs::rename(&unfinished, port_file)
}

/// The first line a command prints, for the record of versions.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// For a peer that runs wherever this program does.
fn nothing() -> Result<(), String> {
    Ok(())
}

/// First byte of a connection that is sent whatever is said.
pub(crate) const MEMBER: u8 = b'm';
/// First byte of a connection that says it.
pub(crate) const SPEAKER: u8 = b's';
/// Bytes of a message in the fan-out service.
pub(crate) const FAN_OUT_BYTES: usize = 64;

/// Any number of connections, as far as descriptors go.
const HOLDS_ANY: usize = usize::MAX;
/// Of servers with a thread for each connection a thousand are asked.
const A_THREAD_EACH: usize = 1000;
/// The buffer of every peer.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a peer rests after an accept that failed, most likely for want of descriptors: the
/// listener stays readable, so it must not spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const QUEUE: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Content, Load};
    use std::thread;

    /// A peer's own thread with the service, and its port; `None` if it cannot run here.
    fn start(peer: &Peer, wanted: Service) -> Option<u16> {
        let (_, body) = peer.bodies.iter().find(|(service, _)| *service == wanted)?;
        let Body::Inside(serve) = *body else { return None };
        (peer.needs)().ok()?;
        let listener = listener().unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || serve(listener));
        Some(port)
    }

    #[test]
    fn peers_inside_echo_messages_larger_than_their_buffers() {
        for peer in PEERS {
            let Some(port) = start(peer, Service::Echo) else { continue };
            // A message stays whole only if what the client does not take at once is kept.
            let mut load = Load::connect(port, 3, 8 << 20).unwrap();
            load.round().unwrap();
            assert!(load.run(Duration::from_millis(50)).is_ok(), "{}", peer.name);
        }
    }

    #[test]
    fn peers_inside_answer_lines_wherever_they_are_cut() {
        for peer in PEERS {
            let Some(port) = start(peer, Service::Lines) else { continue };
            // More than a buffer at once, so that some lines arrive in two pieces.
            let content = Content::Lines { bytes: 100, count: 1000 };
            let mut load = Load::connect_with(port, 3, content).unwrap();
            load.round().unwrap();
            assert!(load.run(Duration::from_millis(50)).is_ok(), "{}", peer.name);
        }
    }
}
