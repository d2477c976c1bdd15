//! Services and protocols by name and number: `services(5)`, `protocols(5)`.
//!
//! Mostly they stand in files; but `nsswitch.conf(5)` may name a directory service, so that these
//! block their caller like the names of hosts.

use std::ffi::CString;
use std::io;

use super::error::{Reason, ResolveError};
use crate::kinds::Protocol;
use crate::seam;
use crate::sys::netdb::{self, Missing};
use crate::sys::resolver::Failure;

/// The port of a service, with `protocol` (`"tcp"`, `"udp"`) or with any. `getservbyname(3)`.
///
/// ```
/// assert_eq!(socket::names::getservbyname("http", Some("tcp"))?, 80);
/// # Ok::<(), socket::ResolveError>(())
/// ```
///
/// # Errors
/// [`Reason::NoService`].
pub fn getservbyname(name: &str, protocol: Option<&str>) -> Result<u16, ResolveError> {
    let missing = || ResolveError::new(name, Reason::NoService);
    let c_name = CString::new(name).map_err(|_| missing())?;
    let protocol = protocol.map(CString::new).transpose().map_err(|_| missing())?;
    seam::blocking(move || netdb::getservbyname(&c_name, protocol.as_deref()))
        .map_err(|why| error(name, Reason::NoService, why))
}

/// The service at a port, with `protocol` (`"tcp"`, `"udp"`) or with any. `getservbyport(3)`.
///
/// # Errors
/// [`Reason::NoPort`].
pub fn getservbyport(port: u16, protocol: Option<&str>) -> Result<String, ResolveError> {
    let text = port.to_string();
    let missing = || ResolveError::new(&text, Reason::NoPort);
    let protocol = protocol.map(CString::new).transpose().map_err(|_| missing())?;
    let name = seam::blocking(move || netdb::getservbyport(port, protocol.as_deref()))
        .map_err(|why| error(&text, Reason::NoPort, why))?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

/// The number of a protocol. `getprotobyname(3)`.
///
/// # Errors
/// [`Reason::NoProtocol`].
pub fn getprotobyname(name: &str) -> Result<Protocol, ResolveError> {
    let c_name = CString::new(name).map_err(|_| ResolveError::new(name, Reason::NoProtocol))?;
    let number = seam::blocking(move || netdb::getprotobyname(&c_name));
    number.map(Protocol).map_err(|why| error(name, Reason::NoProtocol, why))
}

fn error(name: &str, reason: Reason, missing: Missing) -> ResolveError {
    match missing {
        Missing::NotFound | Missing::Host(_) => ResolveError::new(name, reason),
        Missing::System(errno) => {
            let cause = Some(io::Error::from_raw_os_error(errno));
            ResolveError::from_libc(name, Failure { code: libc::EAI_SYSTEM, cause })
        }
    }
}
