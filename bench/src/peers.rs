//! The contestants: one row each in [`PEERS`], one file each in `peers/`; and the engines of the
//! product, which it lists itself.
//!
//! A peer is an echo server in a process of its own. It listens on a free port of 127.0.0.1 and
//! writes that port, in decimal, to the file it is told, once it accepts connections. Nothing else
//! is asked of it, so that a peer in any language is a row. A peer that cannot run here (not built,
//! not installed) says why and is reported as skipped; it is never left out in silence.

use crate::load::CONNECTIONS_PER_SOURCE;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

mod bare_epoll;
mod bare_threads;
mod python_threading;
mod switchboard;

/// Every peer but the product.
pub(crate) const PEERS: &[Peer] = &[bare_epoll::PEER, bare_threads::PEER, python_threading::PEER];

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
    body: Body,
}

/// Where a peer's code lives.
enum Body {
    /// In this program, which starts itself again to run it. Returns only on failure.
    Inside(fn(TcpListener) -> io::Result<()>),
    /// In another program; `Err` says in a few words why it cannot run here.
    Outside(fn(&Setup) -> Result<Program, String>),
}

/// What the command line says about peers.
pub(crate) struct Setup {
    /// Empty: all.
    pub(crate) wanted: Vec<String>,
    pub(crate) reference: String,
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
    /// Of the product: how many connections it allows unless told otherwise. `None`: a peer, which
    /// has no guards to set.
    guards: Option<usize>,
}

impl Program {
    /// Some other program than a peer, as it is.
    pub(crate) fn other(path: PathBuf, arguments: Vec<OsString>, version: String) -> Program {
        Program { path, arguments, version, guards: None }
    }

    /// The program with more arguments.
    pub(crate) fn with_arguments(mut self, more: &[&str]) -> Program {
        self.arguments.extend(more.iter().map(OsString::from));
        self
    }

    /// The program, told to allow this many connections, 16 of them from one address; as it is,
    /// when it does so by itself.
    pub(crate) fn allowing(mut self, connections: usize) -> Program {
        // From one address it allows a quarter.
        let needed = connections.max(4 * CONNECTIONS_PER_SOURCE);
        if self.guards.is_some_and(|limit| limit > 1 && limit < needed) {
            self.guards = Some(needed);
            self.arguments.extend(["--max-connections".into(), needed.to_string().into()]);
        }
        self
    }

    /// The program, told to bear connections that say nothing for as long as a cell may take. The
    /// deadlines stay on: what they cost is part of the figure.
    pub(crate) fn patient(mut self) -> Program {
        if self.guards.is_some() {
            self.arguments.extend(["--first-byte", "1h", "--idle", "1h"].map(OsString::from));
        }
        self
    }
}

/// A peer that takes part, or the reason why it does not.
pub(crate) struct Contestant {
    pub(crate) name: String,
    /// How many connections it is asked to hold at most.
    pub(crate) holds: usize,
    pub(crate) program: Result<Program, String>,
}

/// Looks each wanted peer up on this machine. The reference comes first and always takes part.
///
/// # Errors
///
/// `InvalidInput` when a name is not in the list.
pub(crate) fn contestants(setup: &Setup) -> io::Result<Vec<Contestant>> {
    let mut all = Vec::new();
    for peer in PEERS {
        let program = match peer.body {
            Body::Inside(_) => Ok(ourselves(peer.name)?),
            Body::Outside(prepare) => prepare(setup),
        };
        all.push(Contestant { name: peer.name.to_owned(), holds: peer.holds, program });
    }
    all.extend(switchboard::engines(setup));
    if let Some(name) = std::iter::once(&setup.reference)
        .chain(&setup.wanted)
        .find(|name| !all.iter().any(|contestant| is_called(contestant, name)))
    {
        let known: Vec<_> = all.iter().map(|contestant| contestant.name.as_str()).collect();
        let message = format!("no peer is called {name} (there are {})", known.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let at = all.iter().position(|contestant| is_called(contestant, &setup.reference));
    all[..=at.expect("every name was found above")].rotate_right(1);
    let mut index = 0;
    all.retain(|contestant| {
        index += 1;
        let wanted = &setup.wanted;
        index == 1 || wanted.is_empty() || wanted.iter().any(|name| is_called(contestant, name))
    });
    Ok(all)
}

/// Whether a name on the command line means this one. The product's alone means all its engines;
/// while nobody knows those, because it is not built, any engine's means the product.
fn is_called(contestant: &Contestant, name: &str) -> bool {
    let engine_of = |name: &str, product: &str| {
        product == switchboard::PREFIX
            && name.strip_prefix(product).is_some_and(|engine| engine.starts_with('-'))
    };
    let known = &contestant.name;
    known == name || engine_of(known, name) || engine_of(name, known)
}

/// Who takes part in a cell, in the order of the contestants.
pub(crate) struct Lineup {
    reference: String,
    pub(crate) able: Vec<(String, Program)>,
    /// With the reason.
    pub(crate) unable: Vec<(String, String)>,
}

impl Lineup {
    /// The same, for a cell that compares with the reference.
    ///
    /// # Errors
    ///
    /// When the reference cannot take part.
    pub(crate) fn with_reference(self) -> io::Result<Lineup> {
        match self.unable.iter().find(|(name, _)| *name == self.reference) {
            None => Ok(self),
            Some((name, why)) => {
                Err(io::Error::other(format!("the reference {name} cannot take part: {why}")))
            }
        }
    }
}

/// Who takes part with so many connections at once, ready for them.
pub(crate) fn lineup(contestants: &[Contestant], connections: usize) -> Lineup {
    let (mut able, mut unable) = (Vec::new(), Vec::new());
    for Contestant { name, holds, program } in contestants {
        match program {
            _ if *holds < connections => {
                let many =
                    if *holds == 1 { "one connection".to_owned() } else { format!("{holds}") };
                unable.push((name.clone(), format!("it is asked to hold {many} at most")));
            }
            Ok(program) => able.push((name.clone(), program.clone().allowing(connections))),
            Err(why) => unable.push((name.clone(), why.clone())),
        }
    }
    Lineup { reference: contestants[0].name.clone(), able, unable }
}

/// Runs a peer that lives in this program; called in the child.
pub(crate) fn run_inside(name: &str, port_file: &Path) -> io::Result<()> {
    let peer = PEERS.iter().find(|peer| peer.name == name);
    let Some(Peer { body: Body::Inside(serve), .. }) = peer else {
        return Err(io::Error::other(format!("{name} is not a peer inside this program")));
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // std's queue of 128 is shorter than the product's and than Python's here.
    rustix::net::listen(&listener, QUEUE)?;
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
        guards: None,
    })
}

/// Stands for the port file in [`Program::arguments`].
pub(crate) const PORT_FILE: &str = "{port-file}";
/// Any number of connections, as far as descriptors go.
const HOLDS_ANY: usize = usize::MAX;
/// Of servers with a thread for each connection a thousand are asked.
const A_THREAD_EACH: usize = 1000;
const QUEUE: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Load;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn peers_inside_echo_messages_larger_than_their_buffers() {
        for peer in PEERS {
            let Body::Inside(serve) = peer.body else { continue };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            thread::spawn(move || serve(listener));
            // A message stays whole only if what the client does not take at once is kept.
            let mut load = Load::connect(port, 3, 8 << 20).unwrap();
            load.round().unwrap();
            assert!(load.run(Duration::from_millis(50)).is_ok(), "{}", peer.name);
        }
    }

    #[test]
    fn the_product_stands_for_its_engines_and_for_what_it_may_have() {
        let called = |contestant: &str, name| {
            let program = Ok(program(None));
            is_called(&Contestant { name: contestant.to_owned(), holds: 1, program }, name)
        };
        assert!(called("switchboard-serial", "switchboard"));
        assert!(called("switchboard", "switchboard-serial"));
        assert!(called("bare-epoll", "bare-epoll"));
        assert!(!called("switchboard-serial", "switchboard-threads"));
        assert!(!called("bare-epoll", "bare"));
    }

    fn program(guards: Option<usize>) -> Program {
        Program { path: PathBuf::new(), arguments: Vec::new(), version: String::new(), guards }
    }

    #[test]
    fn guards_are_raised_only_where_the_cell_needs_more() {
        let told = |guards, connections| program(guards).allowing(connections).arguments;
        assert_eq!(told(Some(64), 1000), ["--max-connections", "1000"]);
        assert_eq!(told(Some(8), 2), ["--max-connections", "64"]);
        for (guards, connections) in [(Some(1024), 1000), (Some(1), 16), (None, 10_000)] {
            assert!(told(guards, connections).is_empty(), "{guards:?} {connections}");
        }
    }

    #[test]
    fn who_cannot_hold_the_connections_is_left_out_with_the_reason() {
        let contestant =
            |name: &str, holds, program| Contestant { name: name.to_owned(), holds, program };
        let contestants = [
            contestant("any", HOLDS_ANY, Ok(program(None))),
            contestant("one", 1, Ok(program(Some(1)))),
            contestant("missing", HOLDS_ANY, Err("not installed".to_owned())),
        ];
        let names = |list: Lineup| list.able.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(lineup(&contestants, 1)), ["any", "one"]);
        assert_eq!(names(lineup(&contestants, 2)), ["any"]);
        let unable = lineup(&contestants, 2).with_reference().unwrap().unable;
        assert!(unable[0].1.contains("one connection") && unable[1].1 == "not installed");
        assert!(lineup(&contestants[1..], 2).with_reference().is_err());
    }
}
