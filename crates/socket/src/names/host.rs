//! Hosts by the older calls, and the name of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::addrinfo::{AddrInfoFlags, Hints, ascii, getaddrinfo, inet_address, is_numeric};
use super::error::{GaiCode, HostCode, Reason, ResolveError};
use crate::kinds::{Family, Type};
use crate::seam;
use crate::sys::netdb::{self, Missing};
use crate::sys::resolver::Failure;

/// What is known of a host. `struct hostent`, `gethostbyname(3)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// Its official name.
    pub name: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// Its addresses, all of one family.
    pub addresses: Vec<IpAddr>,
}

/// The first IPv4 address of a host. `""` is `0.0.0.0`, `<broadcast>` is `255.255.255.255`.
///
/// Blocks its caller until the name service answers.
///
/// # Errors
/// As [`getaddrinfo`](super::getaddrinfo); `EAI_ADDRFAMILY` for an IPv6 address.
pub fn gethostbyname(name: &str) -> Result<Ipv4Addr, ResolveError> {
    match inet_address(Family::INET, name, 0)?.as_inet().map(|address| address.ip()) {
        Some(IpAddr::V4(ip)) => Ok(ip),
        _ => Err(ResolveError::gai(name, GaiCode::ADDRFAMILY)),
    }
}

/// Names and IPv4 addresses of a host. `gethostbyname(3)`.
///
/// Blocks its caller until the name service answers.
///
/// # Errors
/// As [`gethostbyname`] for a name that does not resolve; [`Reason::Host`] where the second look
/// fails.
pub fn gethostbyname_ex(name: &str) -> Result<HostEntry, ResolveError> {
    gethostbyname(name)?;
    let c_name = ascii(name).map_err(|code| ResolveError::gai(name, code))?;
    let ask = move || netdb::gethostbyname(&c_name);
    let answer = if is_numeric(name) { ask() } else { seam::blocking(ask) };
    answer.map(entry).map_err(|missing| host_error(name, missing))
}

/// Names and addresses of the host with this address, or with this name. `gethostbyaddr(3)`.
///
/// Blocks its caller until the name service answers.
///
/// # Errors
/// As [`getaddrinfo`](super::getaddrinfo) for a name that does not resolve; [`Reason::Host`] with
/// `HOST_NOT_FOUND` for an address without a name.
pub fn gethostbyaddr(host: &str) -> Result<HostEntry, ResolveError> {
    let ip = first_address(host)?;
    let answer = seam::blocking(move || match ip {
        IpAddr::V4(ip) => netdb::gethostbyaddr(&ip.octets(), libc::AF_INET),
        IpAddr::V6(ip) => netdb::gethostbyaddr(&ip.octets(), libc::AF_INET6),
    });
    answer.map(entry).map_err(|missing| host_error(host, missing))
}

/// The full name of a host: the first of its names with a dot in it, or else its official name. Of
/// `""`, `0.0.0.0` and `::`, the full name of this machine. A name about which nothing is known
/// comes back unchanged.
///
/// Blocks its caller until the name service answers.
#[must_use]
pub fn getfqdn(name: &str) -> String {
    let name = match name.trim() {
        "" | "0.0.0.0" | "::" => gethostname().unwrap_or_default(),
        name => name.to_owned(),
    };
    let Ok(host) = gethostbyaddr(&name) else { return name };
    let dotted = host.aliases.iter().find(|alias| alias.contains('.'));
    if host.name.contains('.') {
        return host.name;
    }
    dotted.cloned().unwrap_or(host.name)
}

/// The name of this machine. `gethostname(2)`.
///
/// # Errors
/// None that `gethostname(2)` documents for Linux.
pub fn gethostname() -> io::Result<String> {
    Ok(text(crate::sys::host::gethostname()?))
}

/// Names this machine, until it starts anew. At most 64 bytes. `sethostname(2)`.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`; `EINVAL` for a longer name.
pub fn sethostname(name: &str) -> io::Result<()> {
    crate::sys::host::sethostname(name.as_bytes())
}

/// The first address of a host in whichever family.
fn first_address(host: &str) -> Result<IpAddr, ResolveError> {
    if ["", "<broadcast>"].contains(&host) {
        return gethostbyname(host).map(IpAddr::V4);
    }
    if let Ok(ip) = host.parse() {
        return Ok(ip);
    }
    let hints = Hints { kind: Type::DGRAM, flags: AddrInfoFlags::NONE, ..Hints::default() };
    let found = getaddrinfo(Some(host), super::Port::None, &hints)?;
    let address = found.endpoints.first().and_then(|endpoint| endpoint.address.as_inet());
    address.map(|address| address.ip()).ok_or_else(|| ResolveError::gai(host, GaiCode::NONAME))
}

fn entry(host: netdb::Host) -> HostEntry {
    let addresses = host.addresses.iter().filter_map(|bytes| match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        _ => bytes.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
    });
    HostEntry {
        name: text(host.name),
        aliases: host.aliases.into_iter().map(text).collect(),
        addresses: addresses.collect(),
    }
}

fn host_error(name: &str, missing: Missing) -> ResolveError {
    match missing {
        Missing::NotFound => ResolveError::new(name, Reason::Host(HostCode::HOST_NOT_FOUND)),
        Missing::Host(code) => ResolveError::new(name, Reason::Host(HostCode(code))),
        Missing::System(errno) => {
            let cause = Some(io::Error::from_raw_os_error(errno));
            ResolveError::from_libc(name, Failure { code: libc::EAI_SYSTEM, cause })
        }
    }
}

/// A name as text; bytes that are not UTF-8 are replaced.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_missing_is_an_herror() {
        let error = host_error("x", Missing::NotFound);
        assert_eq!(error.reason(), Reason::Host(HostCode::HOST_NOT_FOUND));
        let text = crate::sys::resolver::host_text(1);
        assert_eq!(error.to_string(), format!("cannot resolve x: {text}"));
        assert!(error.is_not_found());
        let error = host_error("x", Missing::Host(2));
        assert_eq!((error.code(), error.is_temporary()), (2, true));
        let error = host_error("x", Missing::System(libc::EMFILE));
        assert_eq!(error.reason(), Reason::Gai(GaiCode::SYSTEM));
        assert_eq!(io::Error::from(error).kind(), io::Error::from_raw_os_error(24).kind());
    }
}
