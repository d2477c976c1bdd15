//! `getaddrinfo(3)`: every address of a host and a service, and what to make a socket of.

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::error::{GaiCode, ResolveError};
use super::idna;
use super::inet::inet_aton;
use crate::constants;
use crate::flag_set::flag_set;
use crate::kinds::{Family, Protocol, Type};
use crate::seam;
use crate::sockaddr::SockAddr;
use crate::sys::resolver;

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

/// What [`getaddrinfo`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddrInfo {
    /// The host's official name, where [`AddrInfoFlags::CANONNAME`] asked for it.
    pub canonname: Option<String>,
    /// Never empty; in the order in which to try them, RFC 6724.
    pub endpoints: Vec<Endpoint>,
}

flag_set! {
    /// How [`getaddrinfo`] asks. `getaddrinfo(3)`, RFC 3493.
    AddrInfoFlags(i32) from constants {
        /// Without a host: the address to bind to (`0.0.0.0`, `::`) instead of loopback.
        PASSIVE = AI_PASSIVE,
        /// Also find the official name.
        CANONNAME = AI_CANONNAME,
        /// The host is a number: ask nobody.
        NUMERICHOST = AI_NUMERICHOST,
        /// For `AF_INET6`, answer IPv4 addresses as `::ffff:…` if there are no others.
        V4MAPPED = AI_V4MAPPED,
        /// With `V4MAPPED`: IPv4 addresses also if there are others.
        ALL_ADDRESSES = AI_ALL,
        /// Only families for which this machine has an address, loopback aside.
        ADDRCONFIG = AI_ADDRCONFIG,
        /// The port is a number: look in no file.
        NUMERICSERV = AI_NUMERICSERV,
        /// The official name in letters instead of `xn--…`. Follows the locale; glibc only.
        CANONIDN = AI_CANONIDN,
    }
}

/// What is asked for besides names. The default leaves everything open.
///
/// ```
/// use socket::names::Hints;
/// use socket::{Family, Type};
///
/// let hints = Hints { family: Family::INET, kind: Type::STREAM, ..Hints::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hints {
    /// Only this family; `UNSPEC` for all.
    pub family: Family,
    /// Only this type; `Type(0)` for stream, datagram and raw, each an endpoint of its own.
    pub kind: Type,
    /// Only this protocol; `DEFAULT` for all.
    pub protocol: Protocol,
    /// How to ask.
    pub flags: AddrInfoFlags,
}

impl Default for Hints {
    fn default() -> Hints {
        let (family, kind, protocol) = (Family::UNSPEC, Type(0), Protocol::DEFAULT);
        Hints { family, kind, protocol, flags: AddrInfoFlags::NONE }
    }
}

/// A port by number or by the name of its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port<'a> {
    /// None: endpoints get port 0.
    None,
    /// A number.
    Number(u16),
    /// A name in `services(5)`, or digits.
    Name(&'a str),
}

impl From<u16> for Port<'_> {
    fn from(number: u16) -> Port<'static> {
        Port::Number(number)
    }
}

impl<'a> From<&'a str> for Port<'a> {
    fn from(name: &'a str) -> Port<'a> {
        Port::Name(name)
    }
}

/// Every address of `host` and `port`. `getaddrinfo(3)`.
///
/// Without a host it is loopback, or with [`AddrInfoFlags::PASSIVE`] the address to bind to. A name
/// beyond ASCII is asked for in its `xn--` form: lower case, Punycode (RFC 3492), and no other
/// mapping, so it must be in normal form C (what keyboards type); what is visibly not is refused.
///
/// Blocks its caller until the name service answers; see [the module](super) about time limits.
///
/// ```
/// use socket::names::{Hints, getaddrinfo};
/// use socket::{Socket, Type};
///
/// let hints = Hints { kind: Type::STREAM, ..Hints::default() };
/// let found = getaddrinfo(Some("127.0.0.1"), 80, &hints)?;
/// assert_eq!(found.endpoints[0].address.to_string(), "127.0.0.1:80");
/// # Ok::<(), socket::ResolveError>(())
/// ```
///
/// # Errors
/// `EAI_NONAME` for an unknown host, or with neither host nor port; `EAI_SERVICE` for an unknown
/// service, or a port above 65535; `EAI_AGAIN` where the name service does not answer;
/// `EAI_ADDRFAMILY` for a number of another family; `EAI_IDN_ENCODE` for a name without a form in
/// the DNS; `EAI_SYSTEM` with the system's error as source.
pub fn getaddrinfo<'a>(
    host: Option<&str>,
    port: impl Into<Port<'a>>,
    hints: &Hints,
) -> Result<AddrInfo, ResolveError> {
    let port = port.into();
    let name = match (host, port) {
        (Some(host), _) => host,
        (None, Port::Name(name)) => name,
        (None, Port::Number(_)) => "*",
        (None, Port::None) => return Err(ResolveError::gai("", GaiCode::NONAME)),
    };
    let fail = |code| ResolveError::gai(name, code);
    let at_hand = host.is_none_or(is_numeric);
    let host = match host {
        Some(host) => Some(ascii(host).map_err(fail)?),
        None => None,
    };
    let service = service(port).map_err(fail)?;
    let asked = resolver::Hints {
        flags: hints.flags.0,
        family: hints.family.0,
        kind: hints.kind.0,
        protocol: hints.protocol.0,
    };
    let ask = move || resolver::getaddrinfo(host.as_deref(), service.as_deref(), asked);
    let numeric_host = hints.flags.contains(AddrInfoFlags::NUMERICHOST) || at_hand;
    let numeric_port = hints.flags.contains(AddrInfoFlags::NUMERICSERV) || is_number(port);
    let answers = match numeric_host && numeric_port {
        true => ask(),
        false => seam::blocking(ask),
    };
    let answers = answers.map_err(|failure| ResolveError::from_libc(name, failure))?;
    let endpoints = answers.list.iter().map(|answer| Endpoint {
        family: Family(answer.family),
        kind: Type(answer.kind),
        protocol: Protocol(answer.protocol),
        address: answer.address.decode(),
    });
    // musl also gives the name to those who did not ask.
    let asked_name = hints.flags.contains(AddrInfoFlags::CANONNAME);
    let canonname = answers.canonname.filter(|_| asked_name);
    Ok(AddrInfo { canonname, endpoints: endpoints.collect() })
}

/// The address that `(host, port)` means to `bind` and `connect` in Python.
///
/// An empty host is the address of all interfaces, `<broadcast>` (IPv4) is `255.255.255.255`, and a
/// name is its first address in this family. An IPv6 host may have a zone: `fe80::1%eth0`.
///
/// # Errors
/// As [`getaddrinfo`]; `EAI_ADDRFAMILY` for a number of another family or a broadcast in IPv6,
/// `EAI_FAMILY` for a family without hosts.
pub fn inet_address(family: Family, host: &str, port: u16) -> Result<SockAddr, ResolveError> {
    let fail = |code| Err(ResolveError::gai(host, code));
    if ![Family::INET, Family::INET6].contains(&family) {
        return fail(GaiCode::FAMILY);
    }
    if host == "<broadcast>" {
        return match family {
            Family::INET => Ok(SocketAddr::from((Ipv4Addr::BROADCAST, port)).into()),
            _ => fail(GaiCode::ADDRFAMILY),
        };
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return match ip.is_ipv4() == (family == Family::INET) {
            true => Ok(SocketAddr::new(ip, port).into()),
            false => fail(GaiCode::ADDRFAMILY),
        };
    }
    let (name, flags) = match host {
        "" => (None, AddrInfoFlags::PASSIVE),
        name => (Some(name), AddrInfoFlags::NONE),
    };
    // The type only keeps libc from answering each address three times.
    let hints = Hints { family, kind: Type::DGRAM, flags, ..Hints::default() };
    let found = getaddrinfo(name, port, &hints)?;
    match found.endpoints.into_iter().next() {
        Some(endpoint) => Ok(endpoint.address),
        None => fail(GaiCode::NONAME),
    }
}

/// Every address of `host` for sockets of one type, in the order in which to try them.
pub(crate) fn addresses(
    host: &str,
    port: u16,
    family: Family,
    kind: Type,
) -> Result<Vec<Endpoint>, ResolveError> {
    let hints = Hints { family, kind, ..Hints::default() };
    Ok(getaddrinfo(Some(host), port, &hints)?.endpoints)
}

/// The port of a service by its name in `services(5)`, for sockets of one type.
pub(crate) fn service_port(name: &str, kind: Type) -> Option<u16> {
    let hints = Hints { kind, ..Hints::default() };
    let found = getaddrinfo(None, name, &hints).ok()?;
    found.endpoints.first()?.address.port()
}

/// Whether libc finds the address in the text itself. A text about which this is not sure counts
/// as a name.
pub(super) fn is_numeric(host: &str) -> bool {
    let without_zone = host.split_once('%').map_or(host, |(address, _)| address);
    let odd = host.contains(|letter: char| letter.is_whitespace());
    without_zone.parse::<Ipv6Addr>().is_ok() || !odd && inet_aton(host).is_ok()
}

/// Whether a port needs no look into a file.
fn is_number(port: Port<'_>) -> bool {
    match port {
        Port::None | Port::Number(_) => true,
        Port::Name(name) => name.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// A host as libc takes it.
pub(super) fn ascii(host: &str) -> Result<CString, GaiCode> {
    let host = idna::to_ascii(host).ok_or(GaiCode::IDN_ENCODE)?;
    CString::new(host.into_owned()).map_err(|_| GaiCode::NONAME)
}

/// A port as libc takes it. libc itself would take a sign, and cut a number to sixteen bits.
fn service(port: Port<'_>) -> Result<Option<CString>, GaiCode> {
    let text = match port {
        Port::None => return Ok(None),
        Port::Number(number) => number.to_string(),
        Port::Name(name) => name.to_owned(),
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let odd = text.starts_with(|letter: char| !letter.is_alphanumeric());
    if odd || digits && text.parse::<u16>().is_err() {
        return Err(GaiCode::SERVICE);
    }
    CString::new(text).map(Some).map_err(|_| GaiCode::SERVICE)
}
