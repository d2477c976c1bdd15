//! What went wrong: operation, address, cause, and what to do about it, in one line.
//!
//! `bind tcp://127.0.0.1:80: permission denied (ports below 1024 need CAP_NET_BIND_SERVICE; try
//! tcp://127.0.0.1:8080)`. A caller asks questions ([`Error::is_timeout`] and its siblings) instead
//! of matching causes. A fault of a peer is no error: it is an [`Event`](crate::Event).

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};

use socket::{ParseAddressError, ResolveError};

/// The result of what a server does.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// An operation of a server that failed.
pub struct Error {
    operation: &'static str,
    address: Option<String>,
    cause: Cause,
    remedy: Option<Cow<'static, str>>,
}

#[derive(Debug)]
enum Cause {
    Io(io::Error),
    Parse(ParseAddressError),
    Resolve(ResolveError),
}

impl Error {
    pub(crate) fn io(operation: &'static str, cause: io::Error) -> Error {
        Error { operation, address: None, cause: Cause::Io(cause), remedy: None }
    }

    /// Of something that `workers` need before they serve: says what the system is short of.
    pub(crate) fn start(operation: &'static str, cause: io::Error, workers: usize) -> Error {
        use rustix::io::Errno;
        use rustix::process::{Resource, getrlimit};
        let fewer = if workers > 1 { ", or try fewer workers" } else { "" };
        let remedy = match Errno::from_io_error(&cause) {
            Some(Errno::MFILE) => {
                let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
                Some(format!("{files} is the limit of this process: raise it by ulimit -n{fewer}"))
            }
            Some(Errno::NFILE) => Some(format!("raise the system's fs.file-max{fewer}")),
            Some(Errno::AGAIN) => {
                Some(format!("raise the limit of threads by ulimit -u, or pids.max{fewer}"))
            }
            Some(Errno::NOMEM) if workers > 1 => Some("try fewer workers".to_owned()),
            _ => None,
        };
        let error = Error::io(operation, cause);
        match remedy {
            Some(remedy) => error.try_this(remedy),
            None => error,
        }
    }

    pub(crate) fn parse(operation: &'static str, cause: ParseAddressError) -> Error {
        Error { operation, address: None, cause: Cause::Parse(cause), remedy: None }
    }

    pub(crate) fn resolve(operation: &'static str, cause: ResolveError) -> Error {
        Error { operation, address: None, cause: Cause::Resolve(cause), remedy: None }
    }

    /// The same error with the address it happened at.
    pub(crate) fn at(mut self, address: impl fmt::Display) -> Error {
        self.address = Some(address.to_string());
        self
    }

    /// The same error with what to do about it.
    pub(crate) fn try_this(mut self, remedy: impl Into<Cow<'static, str>>) -> Error {
        self.remedy = Some(remedy.into());
        self
    }

    /// The kind of the cause; `InvalidInput` for an address that cannot be read, `NotFound` for a
    /// name nobody knows.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.cause {
            Cause::Io(error) => error.kind(),
            Cause::Parse(_) => ErrorKind::InvalidInput,
            Cause::Resolve(_) => ErrorKind::NotFound,
        }
    }

    /// The `errno` of the cause, where the system gave one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.cause {
            Cause::Io(error) => error.raw_os_error(),
            _ => None,
        }
    }

    /// Whether time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::TimedOut
    }

    /// Whether the peer is gone: closed, reset, or never there.
    #[must_use]
    pub fn is_disconnect(&self) -> bool {
        is_disconnect(self.kind())
    }

    /// Whether the system is short of descriptors, memory or threads.
    #[must_use]
    pub fn is_resource_limit(&self) -> bool {
        match &self.cause {
            Cause::Io(error) => is_resource_limit(error),
            _ => false,
        }
    }

    /// Whether a name could not be turned into an address.
    #[must_use]
    pub fn is_resolve(&self) -> bool {
        matches!(self.cause, Cause::Resolve(_))
    }
}

/// Whether an error of this kind says that the peer is gone.
pub(crate) fn is_disconnect(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof
    )
}

/// Whether the system is short of something: `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, `EAGAIN` of a
/// thread or a process that could not be made.
pub(crate) fn is_resource_limit(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| short.iter().any(|errno| errno.raw_os_error() == code))
        || error.kind() == ErrorKind::OutOfMemory
}

/// The text of an I/O error as part of a sentence: `connection refused`, without a number.
#[must_use]
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    match (letters.next(), error.raw_os_error()) {
        (Some(first), Some(_)) => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        if let Some(address) = &self.address {
            write!(f, " {address}")?;
        }
        match &self.cause {
            Cause::Io(error) => write!(f, ": {}", plain(error))?,
            Cause::Parse(error) => write!(f, ": {error}")?,
            Cause::Resolve(error) => write!(f, ": {error}")?,
        }
        match &self.remedy {
            Some(remedy) => write!(f, " ({remedy})"),
            None => Ok(()),
        }
    }
}

/// The same sentence as `Display`, because it is what Rust prints when `main` returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match &self.cause {
            Cause::Io(error) => error,
            Cause::Parse(error) => error,
            Cause::Resolve(error) => error,
        })
    }
}
