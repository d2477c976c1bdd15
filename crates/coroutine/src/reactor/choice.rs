//! Which reactor a worker gets: asked for, tried, and said.
//!
//! ```text
//!   Settings::driver ── Auto ──► SWITCHBOARD_DRIVER ── unset, auto ──► the quicker that works
//!          │ Epoll, Uring             │ epoll, uring
//!          └──────────────────────────┴──► that one; a ring that does not work: epoll, and why
//! ```
//! A ring that was asked for and cannot be had is no failure: every worker can be had on epoll, and
//! the difference is speed. But it is said, by [`Worker::driver`](crate::Worker::driver).
//!
//! What it deliberately does not do: change its mind later.

use std::env;
use std::fmt;
use std::io;
use std::str::FromStr;

/// How a worker waits in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Driver {
    /// What the environment variable `SWITCHBOARD_DRIVER` says, which is `epoll`, `uring` or
    /// `auto`; with `auto`, without it and with anything else in it, `io_uring(7)` where it works
    /// and `epoll(7)` elsewhere.
    #[default]
    Auto,
    /// `epoll(7)`: on every kernel.
    Epoll,
    /// `io_uring(7)`: Linux 6.1 or later, where nobody denies it.
    Uring,
}

/// The name of the environment variable that [`Driver::Auto`] asks.
pub(crate) const VARIABLE: &str = "SWITCHBOARD_DRIVER";

impl Driver {
    /// The choice without `Auto`'s first step: what is to be tried.
    pub(crate) fn asked(self) -> Driver {
        match self {
            Driver::Auto => {
                env::var(VARIABLE).ok().and_then(|name| name.parse().ok()).unwrap_or(Driver::Auto)
            }
            one => one,
        }
    }

    /// What a worker with this setting would run on, on this thread and now: it makes a ring, tests
    /// it, and closes it again.
    ///
    /// ```
    /// use coroutine::Driver;
    ///
    /// assert_eq!(Driver::Epoll.examine().to_string(), "epoll");
    /// println!("{}", Driver::Uring.examine()); // io_uring, or: epoll (io_uring: not permitted)
    /// ```
    #[must_use]
    pub fn examine(self) -> Driven {
        super::examine(self)
    }
}

impl FromStr for Driver {
    type Err = io::Error;

    /// # Errors
    /// `InvalidInput`, with the names there are.
    fn from_str(name: &str) -> io::Result<Driver> {
        match name {
            "auto" => Ok(Driver::Auto),
            "epoll" => Ok(Driver::Epoll),
            "uring" => Ok(Driver::Uring),
            _ => {
                let why = format!("\"{name}\" is not a driver (one of auto epoll uring)");
                Err(io::Error::new(io::ErrorKind::InvalidInput, why))
            }
        }
    }
}

/// What a worker runs on, and why. It prints as `io_uring`, `epoll`, or
/// `epoll (io_uring: Operation not permitted)`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Driven {
    /// Never [`Driver::Auto`].
    pub driver: Driver,
    /// Why there is no ring, if one was tried.
    pub refusal: Option<String>,
}

impl Driven {
    pub(super) fn by(driver: Driver) -> Driven {
        Driven { driver, refusal: None }
    }

    /// By epoll, because of this.
    pub(super) fn instead(error: &io::Error) -> Driven {
        Driven { driver: Driver::Epoll, refusal: Some(reason(error)) }
    }
}

impl fmt::Display for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.driver, &self.refusal) {
            (Driver::Uring, _) => f.write_str("io_uring"),
            (_, None) => f.write_str("epoll"),
            (_, Some(why)) => write!(f, "epoll (io_uring: {why})"),
        }
    }
}

/// Why there is no ring, in words for whoever runs a server.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "denied, by a seccomp filter or kernel.io_uring_disabled".to_owned()
        }
        Some(libc::ENOSYS) => "not in this kernel, or denied by a seccomp filter".to_owned(),
        Some(libc::EINVAL) => "this kernel's is older than Linux 6.1".to_owned(),
        Some(libc::ENOMEM) => "out of memory, or of what may be locked (RLIMIT_MEMLOCK)".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for (name, driver) in
            [("auto", Driver::Auto), ("epoll", Driver::Epoll), ("uring", Driver::Uring)]
        {
            assert_eq!(name.parse::<Driver>().unwrap(), driver);
        }
        let error = "kqueue".parse::<Driver>().unwrap_err();
        assert!(error.to_string().contains("\"kqueue\""), "{error}");
    }

    #[test]
    fn every_refusal_has_a_reason_in_words() {
        let print = |errno| Driven::instead(&io::Error::from_raw_os_error(errno)).to_string();
        assert!(print(libc::EPERM).contains("denied"));
        assert!(print(libc::ENOSYS).contains("not in this kernel"));
        assert!(print(libc::EINVAL).contains("6.1"));
        assert!(print(libc::ENOMEM).contains("RLIMIT_MEMLOCK"));
        assert_eq!(print(libc::EMFILE), "epoll (io_uring: Too many open files (os error 24))");
        assert_eq!(Driven::by(Driver::Epoll).to_string(), "epoll");
        assert_eq!(Driven::by(Driver::Uring).to_string(), "io_uring");
    }
}
