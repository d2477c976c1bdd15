//! What went wrong: every error of this crate, and how to ask it.
//!
//! Methods of [`Socket`](crate::Socket) answer `std::io::Error` as the kernel gave it. Where the
//! kernel has none, or one is not enough, there is a typed error, and a conversion into `io::Error`
//! that keeps it, as [`io::Error::get_ref`]. The questions below find what they ask for, however
//! deep it is:
//!
//! | what it is | where it comes from | `kind()` | ask |
//! |---|---|---|---|
//! | an errno of the kernel | any call | std's for that errno | [`errno`] |
//! | an `EAI_` code of the resolver | [`ResolveError`] | by code, see there | [`gai_code`] |
//! | a code of the older name calls | [`ResolveError`] | by code, see there | [`h_errno`] |
//! | a time limit that passed | any call that waits | `TimedOut`, no errno | [`is_timeout`] |
//! | a wait that was not allowed | a non-blocking socket | `WouldBlock` | [`is_would_block`] |
//! | a wrong argument | before any call | `InvalidInput`, no errno | [`is_invalid_argument`] |
//! | text that is no address | [`ParseAddressError`] | `InvalidInput` | [`is_invalid_argument`] |
//! | no address took the connection | [`ConnectError`] | the most telling one's | [`errno`] … |
//! | an address could not be bound | [`BindError`] | that of the cause | [`errno`] … |
//!
//! ```
//! use socket::{ConnectOptions, Family, Socket, Type, create_connection, errors};
//!
//! let nobody_listens = Socket::new(Family::INET, Type::STREAM, Default::default())?;
//! nobody_listens.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into())?;
//! let address = nobody_listens.getsockname()?;
//!
//! let error = create_connection(&address, &ConnectOptions::default()).unwrap_err();
//! assert!(error.to_string().starts_with(&format!("connect {address}: ")));
//!
//! let error = std::io::Error::from(error);
//! assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
//! assert_eq!(errors::errno(&error), Some(111)); // ECONNREFUSED
//! assert!(!errors::is_timeout(&error));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use crate::address::ParseAddressError;
use crate::names::{Reason, ResolveError};
use crate::sockaddr::SockAddr;

/// The kernel's number for what happened, if the kernel said it: `ECONNREFUSED` is 111.
#[must_use]
pub fn errno(error: &io::Error) -> Option<i32> {
    find(error, |cause| cause.downcast_ref::<io::Error>()?.raw_os_error())
}

/// The resolver's code, if it is the resolver that said no: `EAI_NONAME` is -2.
#[must_use]
#[doc(alias = "gaierror")]
pub fn gai_code(error: &io::Error) -> Option<i32> {
    find(error, |cause| match cause.downcast_ref::<ResolveError>()?.reason() {
        Reason::Gai(code) => Some(code.0),
        _ => None,
    })
}

/// The code of the older name calls, `h_errno`, if it is they who said no: `HOST_NOT_FOUND` is 1.
#[must_use]
#[doc(alias = "herror")]
pub fn h_errno(error: &io::Error) -> Option<i32> {
    find(error, |cause| match cause.downcast_ref::<ResolveError>()?.reason() {
        Reason::Host(code) => Some(code.0),
        _ => None,
    })
}

/// Whether time ran out: the caller's limit, or the kernel's patience with a peer (`ETIMEDOUT`).
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    error.kind() == ErrorKind::TimedOut
}

/// Whether the call would have had to wait, which a non-blocking socket does not. A connect under
/// way is one of these.
#[must_use]
pub fn is_would_block(error: &io::Error) -> bool {
    crate::seam::is_pending(error)
}

/// Whether the caller's arguments were refused before anything was done.
#[must_use]
pub fn is_invalid_argument(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidInput && errno(error).is_none()
}

/// The first answer that `look` gives for the error or one of its causes, outermost first.
fn find<'e, T>(
    error: &'e (dyn Error + 'static),
    look: impl Fn(&'e (dyn Error + 'static)) -> Option<T>,
) -> Option<T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = look(cause) {
            return Some(found);
        }
        // An `io::Error` names as its source only what is behind the error that it holds.
        let held = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as _).or_else(|| cause.source());
    }
    None
}

/// One address that did not take the connection, and why.
#[derive(Debug)]
pub struct FailedAttempt {
    /// Where to.
    pub address: SockAddr,
    /// Why not. An address that was not tried before the time was over has `TimedOut` too.
    pub error: io::Error,
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.error)
    }
}

/// Why there is no connection: each address with its cause, or why there was none to try.
#[derive(Debug)]
pub struct ConnectError {
    attempts: Vec<FailedAttempt>,
    /// What stands for all of them.
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// Nothing was tried.
    Before(io::Error),
    /// The attempt at this index.
    Attempt(usize),
    /// The time for all of them was over.
    TimedOut,
}

impl ConnectError {
    /// Nothing was tried, since there was nothing to try.
    pub(crate) fn before(error: io::Error) -> ConnectError {
        ConnectError { attempts: Vec::new(), cause: Cause::Before(error) }
    }

    /// Every address was tried. There is at least one.
    pub(crate) fn all_failed(attempts: Vec<FailedAttempt>) -> ConnectError {
        let telling = attempts.iter().rposition(|attempt| !is_unreachable(&attempt.error));
        let cause = Cause::Attempt(telling.unwrap_or(attempts.len().saturating_sub(1)));
        ConnectError { attempts, cause }
    }

    /// The time was over first.
    pub(crate) fn timed_out(attempts: Vec<FailedAttempt>) -> ConnectError {
        ConnectError { attempts, cause: Cause::TimedOut }
    }

    /// Each address that was to be tried, in the order in which they failed.
    #[must_use]
    pub fn attempts(&self) -> &[FailedAttempt] {
        &self.attempts
    }

    /// What it comes down to: `TimedOut` when the time was over; else the kind of the last attempt
    /// that reached a host, since "refused" by one address says more than "unreachable" of the
    /// other family; else of the last.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.cause().map_or(ErrorKind::TimedOut, io::Error::kind)
    }

    /// The error behind [`kind`](ConnectError::kind); `None` when only time ran out.
    fn cause(&self) -> Option<&io::Error> {
        match &self.cause {
            Cause::Before(error) => Some(error),
            Cause::Attempt(index) => self.attempts.get(*index).map(|attempt| &attempt.error),
            Cause::TimedOut => None,
        }
    }
}

/// Whether this machine has no way to the address: the error says nothing of the host.
fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::ENETUNREACH | libc::EHOSTUNREACH)
    ) || error.kind() == ErrorKind::InvalidInput
}

/// `connect 127.0.0.1:1: Connection refused (os error 111)`, with every address if there are more.
impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, &self.attempts[..]) {
            (Cause::Before(error), _) => write!(f, "connect: {error}"),
            (_, []) => f.write_str("connect: the time was over before anything could be tried"),
            (_, [first, rest @ ..]) => {
                write!(f, "connect {first}")?;
                rest.iter().try_for_each(|attempt| write!(f, "; {attempt}"))
            }
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().map(|error| error as _)
    }
}

/// Keeps the whole error inside, and its kind outside.
impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// An address that could not be listened on, and why.
#[derive(Debug)]
pub struct BindError {
    address: SockAddr,
    cause: io::Error,
}

impl BindError {
    pub(crate) fn new(address: SockAddr, cause: io::Error) -> BindError {
        BindError { address, cause }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &SockAddr {
        &self.address
    }

    /// Why not, without the address.
    #[must_use]
    pub fn into_cause(self) -> io::Error {
        self.cause
    }
}

/// `bind 127.0.0.1:80: Permission denied (os error 13)`.
impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind {}: {}", self.address, self.cause)
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// Keeps the whole error inside, and its kind outside.
impl From<BindError> for io::Error {
    fn from(error: BindError) -> io::Error {
        io::Error::new(error.cause.kind(), error)
    }
}

impl From<ParseAddressError> for io::Error {
    fn from(error: ParseAddressError) -> io::Error {
        io::Error::new(ErrorKind::InvalidInput, error)
    }
}
