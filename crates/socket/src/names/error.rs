//! Why a name could not be turned into a number, or a number into a name.
//!
//! C has three ways to say it: the `EAI_` codes of `getaddrinfo` and `getnameinfo`, `h_errno` of
//! the older `gethostby…`, and plain absence from a file. Here they are one error with its code.

use std::fmt;
use std::io;

use crate::kinds::kinds;
use crate::sys::resolver::{self, Failure};

kinds! {
    /// A code of `getaddrinfo(3)` and `getnameinfo(3)`. Its text is libc's.
    GaiCode {
        /// Flags that do not go together, or that libc does not know.
        BADFLAGS = EAI_BADFLAGS,
        /// No such host or service, or neither was given.
        NONAME = EAI_NONAME,
        /// The name service did not answer for now: try again later.
        AGAIN = EAI_AGAIN,
        /// The name service failed for good.
        FAIL = EAI_FAIL,
        /// The name exists, without an address of this family.
        NODATA = EAI_NODATA,
        /// A family that libc cannot resolve for.
        FAMILY = EAI_FAMILY,
        /// A socket type that libc cannot resolve for.
        SOCKTYPE = EAI_SOCKTYPE,
        /// No such service for this socket type, or a port above 65535.
        SERVICE = EAI_SERVICE,
        /// A numeric host of another family than was asked for.
        ADDRFAMILY = EAI_ADDRFAMILY (-9),
        /// Out of memory.
        MEMORY = EAI_MEMORY,
        /// A system call failed: see the error's source.
        SYSTEM = EAI_SYSTEM,
        /// An answer longer than its room.
        OVERFLOW = EAI_OVERFLOW,
        /// A name beyond ASCII that has no form in the DNS.
        IDN_ENCODE = EAI_IDN_ENCODE (-105),
    }
}

kinds! {
    /// A code of the older calls, `h_errno`. `gethostbyname(3)`.
    HostCode {
        /// No such host.
        HOST_NOT_FOUND = HOST_NOT_FOUND (1),
        /// The name service did not answer for now: try again later.
        TRY_AGAIN = TRY_AGAIN (2),
        /// The name service failed for good.
        NO_RECOVERY = NO_RECOVERY (3),
        /// The name exists, without an address.
        NO_DATA = NO_DATA (4),
    }
}

/// The kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// From `getaddrinfo` or `getnameinfo`; Python's `gaierror`.
    Gai(GaiCode),
    /// From `gethostbyname_ex` or `gethostbyaddr`; Python's `herror`.
    Host(HostCode),
    /// No such line in `services(5)`.
    NoService,
    /// No such line in `services(5)` for a port.
    NoPort,
    /// No such line in `protocols(5)`.
    NoProtocol,
    /// A place that is not on any network.
    NoNetwork,
}

/// A name that could not be resolved, with the resolver's own code.
#[derive(Debug)]
pub struct ResolveError {
    name: String,
    reason: Reason,
    cause: Option<io::Error>,
}

impl ResolveError {
    pub(super) fn new(name: &str, reason: Reason) -> ResolveError {
        ResolveError { name: name.to_owned(), reason, cause: None }
    }

    pub(super) fn gai(name: &str, code: GaiCode) -> ResolveError {
        ResolveError::new(name, Reason::Gai(code))
    }

    /// What libc said about `name`.
    pub(super) fn from_libc(name: &str, failure: Failure) -> ResolveError {
        let Failure { code, cause } = failure;
        ResolveError { cause, ..ResolveError::gai(name, GaiCode(code)) }
    }

    /// For a place that is not on any network: there is nothing to ask a resolver for.
    pub(crate) fn unsupported(name: &str) -> ResolveError {
        ResolveError::new(name, Reason::NoNetwork)
    }

    /// What kind of failure it is, with its typed code.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The code as a number: of `getaddrinfo(3)`, for example `EAI_NONAME` (-2 on Linux), or
    /// `h_errno` for [`Reason::Host`]; zero where C has no code.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self.reason {
            Reason::Gai(code) => code.0,
            Reason::Host(code) => code.0,
            Reason::NoNetwork => libc::EAI_FAMILY,
            Reason::NoService | Reason::NoPort | Reason::NoProtocol => 0,
        }
    }

    /// The name that was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is no such name or number: asking again will not help.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self.reason {
            Reason::Gai(code) => matches!(code, GaiCode::NONAME | GaiCode::NODATA),
            Reason::Host(code) => matches!(code, HostCode::HOST_NOT_FOUND | HostCode::NO_DATA),
            Reason::NoService | Reason::NoPort | Reason::NoProtocol => true,
            Reason::NoNetwork => false,
        }
    }

    /// Whether the name service could not be reached, or asks to try again.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        let temporary = [Reason::Gai(GaiCode::AGAIN), Reason::Host(HostCode::TRY_AGAIN)];
        temporary.contains(&self.reason)
    }

    /// The code in words: libc's for its codes, Python's for services and protocols.
    fn text(&self) -> String {
        match self.reason {
            Reason::Gai(GaiCode::IDN_ENCODE) => "Name has no form in the DNS".into(),
            Reason::Gai(code) => resolver::gai_text(code.0),
            Reason::Host(code) => resolver::host_text(code.0),
            Reason::NoService => "service/proto not found".into(),
            Reason::NoPort => "port/proto not found".into(),
            Reason::NoProtocol => "protocol not found".into(),
            Reason::NoNetwork => "it is not a place on a network".into(),
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str("cannot resolve \"\": ")?,
            name => write!(f, "cannot resolve {}: ", name.escape_debug())?,
        }
        match &self.cause {
            Some(cause) => cause.fmt(f),
            None => f.write_str(&self.text()),
        }
    }
}

impl std::error::Error for ResolveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// For functions that resolve and then make system calls. The error itself stays inside.
impl From<ResolveError> for io::Error {
    fn from(error: ResolveError) -> io::Error {
        let kind = match &error.cause {
            Some(cause) => cause.kind(),
            None if error.is_not_found() => io::ErrorKind::NotFound,
            None => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
