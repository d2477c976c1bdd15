//! What a service manager is told: `READY=1` and its siblings, by the protocol of `sd_notify(3)`.
//!
//! | when | what |
//! |---|---|
//! | connections are accepted | `READY=1`, and where, as `STATUS=` |
//! | before and after the reload hook | `RELOADING=1` with `MONOTONIC_USEC=`, then `READY=1` |
//! | twice in every `WATCHDOG_USEC` | `WATCHDOG=1` |
//! | the drain begins | `STOPPING=1`, and how many are open, as `STATUS=` |
//!
//! Without the variable `NOTIFY_SOCKET` it does nothing. It never ends the server and never waits
//! for long: a manager that cannot be told is an event, once. It deliberately leaves the variables
//! where they are: changing the environment is not safe while threads run.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use socket::{Deadline, Family, SockAddr, Socket, Type, UnixAddr};

/// How long the manager may take to take a message.
const PATIENCE: Duration = Duration::from_secs(1);

/// The manager, if there is one.
#[derive(Debug)]
pub(crate) struct Notify {
    manager: io::Result<Option<Manager>>,
    watchdog: Option<Duration>,
    ready: AtomicBool,
    failed: AtomicBool,
}

#[derive(Debug)]
struct Manager {
    socket: Socket,
    address: SockAddr,
}

impl Notify {
    /// Nobody to tell.
    pub(crate) fn none() -> Notify {
        let (ready, failed) = Default::default();
        Notify { manager: Ok(None), watchdog: None, ready, failed }
    }

    /// Whom the environment names.
    pub(crate) fn of_environment() -> Notify {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Notify::none() };
        let watchdog = watchdog(
            std::env::var_os("WATCHDOG_USEC").as_deref(),
            std::env::var_os("WATCHDOG_PID").as_deref(),
        );
        let manager = watchdog.and_then(|watchdog| Ok((manager(&path)?, watchdog)));
        match manager {
            Ok((manager, watchdog)) => {
                Notify { manager: Ok(Some(manager)), watchdog, ..Notify::none() }
            }
            Err(error) => Notify { manager: Err(error), ..Notify::none() },
        }
    }

    /// How often the manager wants to hear that all is well: half of the time it allows.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Whether nobody has asked this before: the first accept loop tells that all is ready.
    pub(crate) fn is_first(&self) -> bool {
        !self.ready.swap(true, SeqCst)
    }

    /// Sends a message, lines of `NAME=value`. Only the first failure is answered.
    pub(crate) fn send(&self, message: &str) -> io::Result<()> {
        let sent = match &self.manager {
            Ok(None) => return Ok(()),
            Ok(Some(Manager { socket, address })) => {
                let deadline = Deadline::After(PATIENCE);
                socket.send_to_by(message.as_bytes(), address, deadline).map(drop)
            }
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match sent {
            Err(error) if !self.failed.swap(true, SeqCst) => Err(error),
            _ => Ok(()),
        }
    }
}

/// The message that a reload begins, with the moment it does.
pub(crate) fn reloading() -> String {
    let now = clock_gettime(ClockId::Monotonic);
    let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    format!("RELOADING=1\nMONOTONIC_USEC={microseconds}")
}

fn manager(path: &OsStr) -> io::Result<Manager> {
    let address = match path.as_bytes() {
        [b'/', ..] => UnixAddr::Path(path.into()),
        [b'@', name @ ..] if !name.is_empty() => UnixAddr::Abstract(name.to_vec()),
        _ => return Err(refused("NOTIFY_SOCKET", path, "an absolute path or @NAME")),
    };
    let socket = Socket::new(Family::UNIX, Type::DGRAM, Default::default())?;
    Ok(Manager { socket, address: SockAddr::Unix(address) })
}

/// Half of the time that the manager allows, if it asks this process.
fn watchdog(usec: Option<&OsStr>, pid: Option<&OsStr>) -> io::Result<Option<Duration>> {
    let number = |name, text: &OsStr| {
        let number = text.to_str().and_then(|text| text.parse::<u64>().ok());
        number.filter(|number| *number > 0).ok_or_else(|| refused(name, text, "a number from 1 up"))
    };
    let Some(usec) = usec else { return Ok(None) };
    if let Some(pid) = pid
        && number("WATCHDOG_PID", pid)? != u64::from(std::process::id())
    {
        return Ok(None);
    }
    // Not so often that it is all there is to do.
    let half = Duration::from_micros(number("WATCHDOG_USEC", usec)? / 2);
    Ok(Some(half.max(Duration::from_millis(1))))
}

fn refused(name: &str, value: &OsStr, what: &str) -> io::Error {
    let value = value.as_bytes().escape_ascii();
    io::Error::new(ErrorKind::InvalidInput, format!("{name} is \"{value}\", not {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_told_twice_in_its_time_if_it_asks_this_process() {
        let own = std::process::id().to_string();
        let asked = |usec: &str, pid: Option<&str>| {
            watchdog(Some(OsStr::new(usec)), pid.map(OsStr::new)).map_err(|error| error.to_string())
        };
        let half = Some(Duration::from_millis(10));
        assert_eq!(asked("20000", None), Ok(half));
        assert_eq!(asked("20000", Some(&own)), Ok(half));
        assert_eq!(asked("20000", Some("1")), Ok(None));
        assert_eq!(asked("1", None), Ok(Some(Duration::from_millis(1))));
        for usec in ["", "0", "-1", "ten", "18446744073709551616"] {
            let refused = format!("WATCHDOG_USEC is \"{usec}\", not a number from 1 up");
            assert_eq!(asked(usec, None), Err(refused));
        }
        assert!(asked("20000", Some("me")).is_err());
        assert_eq!(watchdog(None, None).unwrap(), None);
    }

    #[test]
    fn a_manager_is_a_path_or_an_abstract_name() {
        let address = |text: &str| Ok::<_, io::Error>(manager(OsStr::new(text))?.address);
        assert_eq!(address("/run/x").unwrap().to_string(), "/run/x");
        assert_eq!(address("@x").unwrap().to_string(), "@x");
        for text in ["", "@", "run/x", "vsock:2:1234"] {
            let error = address(text).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("NOTIFY_SOCKET is \"{text}\", not an absolute path or @NAME")
            );
        }
    }
}
