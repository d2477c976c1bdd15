//! From a name to addresses, through the system's resolver.
//!
//! `getaddrinfo(3)` blocks its thread, and the name service behind it may take seconds. Numeric
//! hosts never get that far: they are answered without asking anyone.

use std::ffi::CString;
use std::fmt;
use std::io;

use crate::kinds::{Family, Protocol, Type};
use crate::sockaddr::SockAddr;
use crate::sys::resolver::{self, Failure, Hints};

/// Where a socket can be bound or connected: what to create and which address to give it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The family to create the socket in.
    pub family: Family,
    /// The type to create it with.
    pub kind: Type,
    /// The protocol to create it with.
    pub protocol: Protocol,
    /// The address to bind or connect to.
    pub address: SockAddr,
}

/// A name that could not be turned into addresses, with the resolver's own code.
#[derive(Debug)]
pub struct ResolveError {
    name: String,
    code: i32,
    cause: Option<io::Error>,
}

impl ResolveError {
    /// For a place that is not on any network: there is nothing to ask a resolver for.
    pub(crate) fn unsupported(name: &str) -> ResolveError {
        ResolveError { name: name.to_owned(), code: libc::EAI_FAMILY, cause: None }
    }

    /// The `EAI_` code of `getaddrinfo(3)`, for example `EAI_NONAME` (-2 on Linux).
    #[must_use]
    pub fn code(&self) -> i32 {
        self.code
    }

    /// The name that was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot resolve {}: ", self.name.escape_debug())?;
        match &self.cause {
            Some(cause) => cause.fmt(f),
            None => f.write_str(&resolver::message(self.code)),
        }
    }
}

impl std::error::Error for ResolveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// `NotFound` for a name that does not exist or has no address, `Unsupported` for a family or
/// service that it does not have, that of the cause for `EAI_SYSTEM`, `OutOfMemory`, else `Other`.
impl From<ResolveError> for io::Error {
    fn from(error: ResolveError) -> io::Error {
        let cause = error.cause.as_ref();
        let kind = match error.code() {
            libc::EAI_NONAME | libc::EAI_NODATA => io::ErrorKind::NotFound,
            libc::EAI_FAMILY | libc::EAI_SERVICE | libc::EAI_SOCKTYPE => io::ErrorKind::Unsupported,
            libc::EAI_MEMORY => io::ErrorKind::OutOfMemory,
            _ => cause.map_or(io::ErrorKind::Other, io::Error::kind),
        };
        io::Error::new(kind, error)
    }
}

/// Every address of `host` for sockets of one type, in the order in which to try them.
pub(crate) fn addresses(
    host: &str,
    port: u16,
    family: Family,
    kind: Type,
) -> Result<Vec<Endpoint>, ResolveError> {
    let fail = |code, cause| ResolveError { name: host.to_owned(), code, cause };
    let name = CString::new(host).map_err(|_| fail(libc::EAI_NONAME, None))?;
    let service = CString::new(port.to_string()).expect("digits contain no NUL");
    let hints =
        Hints { family: family.0, kind: kind.0, flags: libc::AI_NUMERICSERV, ..Hints::default() };
    let answers = resolver::getaddrinfo(Some(&name), Some(&service), hints)
        .map_err(|Failure { code, cause }| fail(code, cause))?;
    Ok(answers
        .iter()
        .map(|answer| Endpoint {
            family: Family(answer.family),
            kind: Type(answer.kind),
            protocol: Protocol(answer.protocol),
            address: answer.address.decode(),
        })
        .collect())
}

/// The port of a service by its name in `services(5)`, for sockets of one type.
pub(crate) fn service_port(name: &str, kind: Type) -> Option<u16> {
    let name = CString::new(name).ok()?;
    let hints = Hints { kind: kind.0, ..Hints::default() };
    let answers = resolver::getaddrinfo(None, Some(&name), hints).ok()?;
    answers.first()?.address.decode().port()
}
