//! Sockets that a service manager opened before it started this process, by name.
//!
//! The manager leaves them at the descriptors from 3 on and says so in variables, by the protocol
//! of `sd_listen_fds(3)`:
//!
//! | variable | meaning |
//! |---|---|
//! | `LISTEN_PID` | whom it is for; for anybody else all of it is ignored |
//! | `LISTEN_PIDFDID` | the same, by the inode of the process's pidfd, if it is set |
//! | `LISTEN_FDS` | how many sockets |
//! | `LISTEN_FDNAMES` | their names, with colons between them; without it each is `unknown` |
//!
//! They are read when one of these functions is called first, and the sockets are taken over:
//! closed on exec, and each given out once. A value that cannot be true is refused, with its name.
//!
//! What it deliberately does not do: remove the variables from the environment, which is not safe
//! while threads run. Children are not misled, since `LISTEN_PID` is not theirs.
//!
//! ```no_run
//! use switchboard::{Connection, Server, activation};
//! use std::io::Write;
//!
//! let mut server = Server::new();
//! for activated in activation::sockets()? {
//!     let name = activated.name;
//!     let hello = move |connection: &mut Connection| writeln!(connection, "this is {name}");
//!     server.bind_socket(activated.socket, hello)?;
//! }
//! server.serve_forever()?;
//! # switchboard::Result::Ok(())
//! ```

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use socket::process::hold_forks;
use socket::{Socket, Type, inherited_block};

use crate::error::{Error, Result, plain};

/// A socket that a service manager opened for this process.
#[derive(Debug)]
pub struct Activated {
    /// What the manager calls it; `unknown` if it gave no names. Several may have the same.
    pub name: String,
    /// The socket: it listens, or it is one for datagrams.
    pub socket: Socket,
}

/// Takes every socket that has not been taken yet, in the manager's order; none when no manager
/// started this process.
///
/// # Errors
/// `InvalidInput` for variables that are for this process and cannot be true: a number that is
/// none, more sockets than there are, names that do not match, a descriptor that is no socket or is
/// a connection. Every later call answers the same.
pub fn sockets() -> Result<Vec<Activated>> {
    take(|_| true)
}

/// Takes the first socket of this name that has not been taken yet.
///
/// # Errors
/// `NotFound` when there is none; otherwise as [`sockets`].
pub fn named(name: &str) -> Result<Socket> {
    let mut first = true;
    let mut found = take(|activated| activated.name == name && std::mem::take(&mut first))?;
    found.pop().map(|activated| activated.socket).ok_or_else(|| {
        let why = "no socket of that name was passed to this process";
        Error::io("take", io::Error::new(ErrorKind::NotFound, why))
            .at(format_args!("fd:{name}"))
            .try_this("LISTEN_FDNAMES names them")
    })
}

/// The socket at descriptor `number`: taken over if a service manager passed it, else on a copy of
/// whatever this process was started with, see [`Socket::inherited`].
///
/// # Errors
/// Those of [`Socket::inherited`]; otherwise as [`sockets`].
pub fn descriptor(number: u32) -> Result<Socket> {
    let is_it = |socket: &Socket| u32::try_from(socket.as_raw_fd()) == Ok(number);
    match take(|activated| is_it(&activated.socket))?.pop() {
        Some(activated) => Ok(activated.socket),
        None => Socket::inherited(number).map_err(|error| {
            Error::io("take", error)
                .at(format_args!("fd:{number}"))
                .try_this("it must be a socket that this process was started with")
        }),
    }
}

/// What is there to be taken, once it is known, or why nothing can be.
static LEFT: Mutex<Option<std::result::Result<Vec<Activated>, String>>> = Mutex::new(None);

fn take(wanted: impl FnMut(&mut Activated) -> bool) -> Result<Vec<Activated>> {
    // A forked child finds it open.
    let _forks = hold_forks();
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    match left.get_or_insert_with(|| Variables::of_environment().promised().and_then(take_over)) {
        Ok(left) => Ok(left.extract_if(.., wanted).collect()),
        Err(why) => {
            let why = io::Error::new(ErrorKind::InvalidInput, why.clone());
            Err(Error::io("socket activation", why))
        }
    }
}

/// The variables as they were found.
#[derive(Debug, Default)]
struct Variables {
    pid: Option<OsString>,
    pidfd_id: Option<OsString>,
    fds: Option<OsString>,
    names: Option<OsString>,
}

impl Variables {
    fn of_environment() -> Variables {
        Variables {
            pid: std::env::var_os("LISTEN_PID"),
            pidfd_id: std::env::var_os("LISTEN_PIDFDID"),
            fds: std::env::var_os("LISTEN_FDS"),
            names: std::env::var_os("LISTEN_FDNAMES"),
        }
    }

    /// The names of the promised sockets, one for each; none if nothing is promised to us.
    fn promised(&self) -> std::result::Result<Vec<String>, String> {
        let (Some(pid), Some(fds)) = (&self.pid, &self.fds) else { return Ok(Vec::new()) };
        if number("LISTEN_PID", pid)? != u64::from(std::process::id()) {
            return Ok(Vec::new());
        }
        if let (Some(id), Some(own)) = (&self.pidfd_id, own_pidfd_id())
            && number("LISTEN_PIDFDID", id)? != own
        {
            return Ok(Vec::new());
        }
        let count = number("LISTEN_FDS", fds)?;
        let names: Option<Vec<&[u8]>> =
            self.names.as_ref().map(|names| names.as_bytes().split(|byte| *byte == b':').collect());
        match names {
            None if count > MOST => Err(format!("LISTEN_FDS is {count}, {MOST} is the most")),
            None => Ok(vec!["unknown".to_owned(); count as usize]),
            Some(_) if count == 0 => Ok(Vec::new()),
            Some(names) if names.len() as u64 == count => names.into_iter().map(name).collect(),
            Some(names) => {
                let names = names.len();
                Err(format!("LISTEN_FDNAMES has {names} names for LISTEN_FDS={count} sockets"))
            }
        }
    }
}

/// More sockets than any manager passes, and few enough to be counted.
const MOST: u64 = 65_536;

/// The longest name in bytes. `systemd.socket(5)`, `FileDescriptorName=`.
const NAME_MAX: usize = 255;

fn name(bytes: &[u8]) -> std::result::Result<String, String> {
    let fits = bytes.len() <= NAME_MAX && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match std::str::from_utf8(bytes) {
        Ok(name) if fits => Ok(name.to_owned()),
        _ => Err(format!("LISTEN_FDNAMES has \"{}\", which is not a name", bytes.escape_ascii())),
    }
}

/// Plain digits; `parse` alone would also take a sign.
fn number(variable: &str, text: &OsStr) -> std::result::Result<u64, String> {
    let plain = text.as_bytes().iter().all(u8::is_ascii_digit);
    let number = text.to_str().filter(|_| plain).and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        format!("{variable} is \"{}\", which is not a number", text.as_bytes().escape_ascii())
    })
}

/// The inode of this process's pidfd, which no other process ever has; `None` before Linux 6.9,
/// where all pidfds share one. `pidfd_open(2)`.
fn own_pidfd_id() -> Option<u64> {
    use rustix::{fs, process};
    const PID_FS_MAGIC: i128 = 0x5049_4446;
    let pidfd = process::pidfd_open(process::getpid(), process::PidfdFlags::empty()).ok()?;
    let own = fs::fstatfs(&pidfd).is_ok_and(|found| i128::from(found.f_type) == PID_FS_MAGIC);
    own.then(|| fs::fstat(&pidfd).ok()).flatten().map(|found| found.st_ino)
}

/// Takes the promised sockets over, all of them or none.
fn take_over(names: Vec<String>) -> std::result::Result<Vec<Activated>, String> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let count = u32::try_from(names.len()).expect("there is a most");
    let fds = inherited_block(count).map_err(|error| format!("LISTEN_FDS={count}: {error}"))?;
    let sockets = names.into_iter().zip(fds).map(|(name, fd)| {
        let number = fd.as_raw_fd();
        let told = |error: io::Error| format!("descriptor {number} ({name}): {}", plain(&error));
        let socket = Socket::from_fd(fd).map_err(told)?;
        let ready = match socket.kind().map_err(told)? {
            Type::DGRAM => true,
            _ => socket.so_acceptconn().map_err(told)?,
        };
        match ready {
            true => Ok(Activated { name, socket }),
            false => Err(format!("descriptor {number} ({name}): it is not a listener")),
        }
    });
    sockets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promised(pid: &str, fds: &str, names: Option<&str>) -> std::result::Result<String, String> {
        let text = |text: &str| Some(OsString::from(text));
        let variables = Variables {
            pid: text(pid),
            fds: text(fds),
            names: names.and_then(text),
            pidfd_id: None,
        };
        variables.promised().map(|names| names.join(","))
    }

    #[test]
    fn what_is_for_somebody_else_is_ignored() {
        assert_eq!(promised("1", "nonsense", Some("too:many:names")), Ok(String::new()));
        let own = std::process::id().to_string();
        let unset = |pid: Option<&str>, fds: Option<&str>| {
            let (pid, fds) = (pid.map(OsString::from), fds.map(OsString::from));
            Variables { pid, fds, ..Variables::default() }.promised()
        };
        assert_eq!(unset(None, Some("1")), Ok(vec![]));
        assert_eq!(unset(Some(&own), None), Ok(vec![]));
        let Some(id) = own_pidfd_id() else { return };
        let by_id = |id: u64| {
            let text = |text: &str| Some(OsString::from(text));
            let pidfd_id = text(&id.to_string());
            Variables { pid: text(&own), fds: text("1"), pidfd_id, names: None }.promised()
        };
        assert_eq!(by_id(id), Ok(vec!["unknown".to_owned()]));
        assert_eq!(by_id(id + 1), Ok(vec![]));
    }

    #[test]
    fn names_are_one_for_each() {
        let own = std::process::id().to_string();
        let of = |fds, names| promised(&own, fds, names);
        assert_eq!(of("0", None), Ok(String::new()));
        assert_eq!(of("0", Some("")), Ok(String::new()));
        assert_eq!(of("2", None), Ok("unknown,unknown".into()));
        assert_eq!(of("3", Some("web::web")), Ok("web,,web".into()));
        let refused = "LISTEN_FDNAMES has 1 names for LISTEN_FDS=2 sockets";
        assert_eq!(of("2", Some("web")), Err(refused.into()));
        let long = "x".repeat(256);
        let refused = format!("LISTEN_FDNAMES has \"{long}\", which is not a name");
        assert_eq!(of("1", Some(&long)), Err(refused));
        assert!(of("1", Some("a\tb")).is_err());
    }

    #[test]
    fn hostile_numbers_are_refused_by_name() {
        let own = std::process::id().to_string();
        for value in ["", "x", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616"] {
            let refused = |name: &str| format!("{name} is \"{value}\", which is not a number");
            assert_eq!(promised(&own, value, None), Err(refused("LISTEN_FDS")), "{value}");
            if !value.is_empty() {
                assert_eq!(promised(value, "1", None), Err(refused("LISTEN_PID")), "{value}");
            }
        }
        let refused = "LISTEN_FDS is 4294967296, 65536 is the most";
        assert_eq!(promised(&own, "4294967296", None), Err(refused.into()));
    }
}
