//! How the program ends: one line on stderr, and a code that a script can tell apart.
//!
//! The codes are curl's where curl has one, else the number of the errno or of the signal. A code
//! belongs to what went wrong, not to the command that met it.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

/// The code of each way to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Success = 0,
    /// It ran, but the answer is no.
    No = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// A name has no address.
    Resolve = 6,
    /// Nobody answers there.
    Connect = 7,
    /// The system does not permit it.
    Permission = 13,
    /// A body ended before it was whole.
    CutShort = 18,
    /// An HTTP server answered with a status of 400 or more.
    HttpStatus = 22,
    /// What was received cannot be written.
    Output = 23,
    /// Time ran out.
    TimedOut = 28,
    /// The peer closed without a word.
    Empty = 52,
    /// The connection broke.
    Receive = 56,
    /// The address is taken.
    InUse = 98,
    /// Ended by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The code of an operation's error, where the kind of error decides; else `other`.
    pub(crate) fn of(kind: ErrorKind, other: Exit) -> Exit {
        match kind {
            ErrorKind::PermissionDenied => Exit::Permission,
            ErrorKind::TimedOut => Exit::TimedOut,
            ErrorKind::AddrInUse => Exit::InUse,
            ErrorKind::InvalidInput => Exit::Usage,
            _ => other,
        }
    }

    /// The code of a signal that ended the program.
    pub(crate) fn of_signal(signal: Option<i32>) -> Exit {
        match signal {
            Some(SIGTERM) => Exit::Terminated,
            _ => Exit::Interrupted,
        }
    }
}

/// The number of SIGTERM on every Unix. `signal(7)`.
const SIGTERM: i32 = 15;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why the program ends before its work is done.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code to end with.
    pub(crate) exit: Exit,
    /// What to say; nothing where silence is right.
    pub(crate) message: Option<String>,
}

impl Failure {
    /// Ends with this code and this line: what failed, on which address, why, what to do.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: Some(message.into()) }
    }

    /// Ends without a word.
    pub(crate) fn quiet(exit: Exit) -> Failure {
        Failure { exit, message: None }
    }

    /// For a name without an address, in the words of whoever looked for it.
    pub(crate) fn unresolved(why: impl std::fmt::Display) -> Failure {
        let remedy = "is it spelt right? a numeric address needs no name server";
        Failure::new(Exit::Resolve, format!("{why} ({remedy})"))
    }

    /// For a file, by its name, that cannot be written.
    pub(crate) fn write(name: impl std::fmt::Display, error: &io::Error) -> Failure {
        let remedy = match error.kind() {
            ErrorKind::NotFound => " (is there such a folder?)",
            ErrorKind::PermissionDenied => " (try a folder of your own)",
            ErrorKind::ReadOnlyFilesystem => " (try another folder)",
            ErrorKind::IsADirectory => " (name a file in it)",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                " (make room, or write somewhere else)"
            }
            _ => "",
        };
        let exit = match error.kind() {
            ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::Output,
        };
        Failure::new(exit, format!("write {name}: {}{remedy}", switchboard::plain(error)))
    }

    /// For a file, by its name, that cannot be read.
    pub(crate) fn read(name: impl std::fmt::Display, error: &io::Error) -> Failure {
        let (exit, remedy) = match error.kind() {
            ErrorKind::NotFound => (Exit::No, " (is the name right?)"),
            ErrorKind::PermissionDenied => (Exit::Permission, " (its owner may, or root)"),
            ErrorKind::IsADirectory => (Exit::No, " (name a file in it)"),
            _ => (Exit::No, ""),
        };
        let why = match error.kind() {
            ErrorKind::IsADirectory => "it is a folder".into(),
            _ => switchboard::plain(error),
        };
        Failure::new(exit, format!("read {name}: {why}{remedy}"))
    }

    /// For output that cannot be written. A closed pipe is no failure: whoever read it has had
    /// enough.
    pub(crate) fn output(error: &io::Error) -> Failure {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::quiet(Exit::Success),
            _ => Failure { exit: Exit::Output, ..Failure::write("stdout", error) },
        }
    }
}

impl From<switchboard::Error> for Failure {
    fn from(error: switchboard::Error) -> Failure {
        match error.is_resolve() {
            true => Failure::unresolved(error),
            false => Failure::new(Exit::of(error.kind(), Exit::No), error.to_string()),
        }
    }
}

/// What every command answers.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;
