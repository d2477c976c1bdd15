//! A program that is ready to be started as a contestant, and what a cell may ask of it.

use super::Service;
use crate::load::CONNECTIONS_PER_SOURCE;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// A peer ready to be started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// [`PORT_FILE`] among them stands for the file to write the port to.
    pub(crate) arguments: Vec<OsString>,
    /// Variables for it, and their values.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    pub(crate) version: String,
    /// Of the product: how many connections it allows unless told otherwise. `None`: a peer, which
    /// has no guards to set.
    pub(super) guards: Option<usize>,
}

impl Program {
    /// This program, as the peer with that name; `library` is what it stands on, if anything.
    pub(super) fn ourselves(
        name: &str,
        service: Service,
        library: Option<&str>,
    ) -> io::Result<Program> {
        let ours = concat!("switchboard-bench ", env!("CARGO_PKG_VERSION"));
        let version = match library {
            Some(library) => format!("{library} {}", locked(library).unwrap_or("unknown")),
            None => ours.to_owned(),
        };
        Ok(Program {
            path: std::env::current_exe()?,
            arguments: ["peer", name, service.name(), PORT_FILE].map(OsString::from).to_vec(),
            environment: Vec::new(),
            version,
            guards: None,
        })
    }

    /// Some other program than a peer, as it is.
    pub(crate) fn other(path: PathBuf, arguments: Vec<OsString>, version: String) -> Program {
        Program { path, arguments, environment: Vec::new(), version, guards: None }
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

/// The version of a library that this program was built with.
pub(crate) fn locked(library: &str) -> Option<&'static str> {
    let begin = format!("name = \"{library}\"\nversion = \"");
    let packages = LOCK.split("[[package]]\n");
    // Of two versions the later one is ours: peers lag behind.
    let package = packages.filter_map(|package| package.strip_prefix(&begin)).last()?;
    package.split_once('"').map(|(version, _)| version)
}

const LOCK: &str = include_str!("../../Cargo.lock");

/// Stands for the port file in [`Program::arguments`].
pub(crate) const PORT_FILE: &str = "{port-file}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_library_is_the_one_in_the_lock_file() {
        assert!(locked("tokio").unwrap().starts_with("1."));
        assert_eq!(locked("toki"), None);
    }

    #[test]
    fn guards_are_raised_only_where_the_cell_needs_more() {
        let program = |guards| Program {
            path: PathBuf::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            version: String::new(),
            guards,
        };
        let told = |guards, connections| program(guards).allowing(connections).arguments;
        assert_eq!(told(Some(64), 1000), ["--max-connections", "1000"]);
        assert_eq!(told(Some(8), 2), ["--max-connections", "64"]);
        for (guards, connections) in [(Some(1024), 1000), (Some(1), 16), (None, 10_000)] {
            assert!(told(guards, connections).is_empty(), "{guards:?} {connections}");
        }
    }
}
