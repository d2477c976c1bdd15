//! Reading an address. Each refusal says what was read, what is wrong with it and what to write.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{Address, Host, Place, Scheme};
use crate::kinds::{Family, Type};
use crate::names::service_port;
use crate::sockaddr::{UNIX_NAME_MAX, UnixAddr};

/// Text that is not an address, why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseAddressError {
    text: String,
    why: String,
}

impl ParseAddressError {
    pub(crate) fn new(text: &str, why: String) -> ParseAddressError {
        ParseAddressError { text: text.to_owned(), why }
    }
}

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address \"{}\": {}", self.text.escape_debug(), self.why)
    }
}

impl std::error::Error for ParseAddressError {}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Address, ParseAddressError> {
        parse(text).map_err(|why| ParseAddressError::new(text, why))
    }
}

fn parse(text: &str) -> Result<Address, String> {
    if text.is_empty() {
        return Err("it is empty (try 127.0.0.1:7007)".into());
    }
    if text.contains(char::is_control) {
        return Err("it contains a control character".into());
    }
    if text == "-" {
        return Ok(Address { scheme: None, place: Place::Stdio });
    }
    if let Some(which) = text.strip_prefix("fd:") {
        return Ok(Address { scheme: None, place: descriptor(which)? });
    }
    let (scheme, place) = split(text)?;
    let place = match scheme {
        Some(Scheme::Unix | Scheme::UnixGram | Scheme::UnixSeq) => unix(place)?,
        Some(Scheme::Vsock) => vsock(place)?,
        inet_scheme => inet(place, inet_scheme)?,
    };
    Ok(Address { scheme, place })
}

/// The scheme and what stands behind it. What begins as a path is one, whatever follows.
fn split(text: &str) -> Result<(Option<Scheme>, &str), String> {
    if text.starts_with(['/', '@']) {
        return Ok((Some(Scheme::Unix), text));
    }
    if let Some(path) = text.strip_prefix("unix:").filter(|rest| !rest.starts_with("//")) {
        return Ok((Some(Scheme::Unix), path));
    }
    match text.split_once("://") {
        Some((word, place)) if !word.contains('/') => return Ok((Some(scheme(word)?), place)),
        _ => {}
    }
    if let Some((word, rest)) = text.split_once(':')
        && rest.contains([':', '/'])
        && let Ok(scheme) = scheme(word)
    {
        return Err(half_a_scheme(scheme, rest));
    }
    let is_path = text.contains('/');
    Ok((is_path.then_some(Scheme::Unix), text))
}

/// What to say to `tcp:host:80` and `unixgram:/x`. (`tcp:80` is a port of a host called "tcp".)
fn half_a_scheme(scheme: Scheme, rest: &str) -> String {
    let (word, family) = (scheme.word(), scheme.family());
    let path = if family == Family::UNIX { rest } else { rest.trim_start_matches('/') };
    let meant = format!("{word}://{path}");
    let example = match family {
        _ if parse(&meant).is_ok() => meant,
        Family::UNIX => format!("{word}:///tmp/x.sock"),
        Family::VSOCK => VSOCK_EXAMPLE.into(),
        _ => format!("{word}://127.0.0.1:7007"),
    };
    format!("behind a scheme comes :// (try {example})")
}

fn scheme(word: &str) -> Result<Scheme, String> {
    Scheme::ALL.iter().copied().find(|scheme| scheme.word() == word).ok_or_else(|| {
        let words: Vec<_> = Scheme::ALL.iter().map(|scheme| scheme.word()).collect();
        format!("\"{word}\" is not a scheme (one of {})", words.join(" "))
    })
}

/// A number, or a name as systemd allows them: some printable ASCII without a colon. What begins
/// like a number is meant as one.
fn descriptor(which: &str) -> Result<Place, String> {
    if which.is_empty() || which.starts_with(|first: char| matches!(first, '0'..='9' | '+' | '-')) {
        let why = || format!("\"{which}\" is not a descriptor number (try fd:3)");
        return digits(which).map(Place::Descriptor).ok_or_else(why);
    }
    let fits = |byte: u8| matches!(byte, b' '..=b'~') && byte != b':';
    match which.len() <= DESCRIPTOR_NAME_MAX && which.bytes().all(fits) {
        true => Ok(Place::DescriptorName(which.to_owned())),
        false => Err(format!("\"{which}\" is not a descriptor's name (try fd:web)")),
    }
}

/// The longest name of a descriptor in bytes. `sd_pid_notify_with_fds(3)`, `FDNAME`.
const DESCRIPTOR_NAME_MAX: usize = 255;

fn unix(name: &str) -> Result<Place, String> {
    let (address, length) = match name.strip_prefix('@') {
        Some(name) => (UnixAddr::Abstract(name.as_bytes().to_vec()), name.len()),
        None => (UnixAddr::Path(name.into()), name.len()),
    };
    match length {
        0 => Err("the path is missing (try unix:/tmp/x.sock or @name)".into()),
        1..=UNIX_NAME_MAX => Ok(Place::Unix(address)),
        length => Err(format!("the path has {length} bytes, {UNIX_NAME_MAX} is the most")),
    }
}

fn vsock(place: &str) -> Result<Place, String> {
    let numbers = place.split_once(':').and_then(|(cid, port)| Some((digits(cid)?, digits(port)?)));
    let why = "expected a context id and a port, both numbers";
    numbers
        .map(|(cid, port)| Place::Vsock(cid, port))
        .ok_or_else(|| format!("{why} (try {VSOCK_EXAMPLE})"))
}

const VSOCK_EXAMPLE: &str = "vsock://2:7007";

fn inet(place: &str, given: Option<Scheme>) -> Result<Place, String> {
    let scheme = given.unwrap_or(Scheme::Tcp);
    let loopback = match scheme.family() {
        Family::INET6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    if place.is_empty() || place == ":" {
        let word = scheme.word();
        return Err(format!("host and port are missing (try {word}://127.0.0.1:7007)"));
    }
    if place.starts_with(['/', '@']) {
        return Err(no_path(place, scheme));
    }
    if let Some((before, _)) = place.split_once('/') {
        // An address of a page, copied from a browser.
        let port = if before.ends_with(|last: char| last.is_ascii_digit()) { "" } else { ":80" };
        let meant = format!("{}://{before}{port}", scheme.word());
        return Err(match parse(&meant) {
            Ok(_) => format!("it ends with the port, a path is no part of it (try {meant})"),
            Err(why) => why,
        });
    }
    if place.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Place::Inet(Host::Ip(loopback), port(place, scheme.kind())?));
    }
    if let Some(rest) = place.strip_prefix('[') {
        return bracketed(rest, given);
    }
    let Some((name, number)) = place.rsplit_once(':') else {
        return Err(match host(place) {
            Ok(host) => no_port(&host.to_string(), given),
            Err(why) => why,
        });
    };
    if name.contains(':') {
        return Err(unbracketed(place, name, number));
    }
    let host = if name.is_empty() { Host::Ip(loopback) } else { host(name)? };
    match number {
        "" => Err(no_port(name, given)),
        number => Ok(Place::Inet(host, port(number, scheme.kind())?)),
    }
}

/// What to say to a host without a port; a name may be meant as the service it also is.
fn no_port(host: &str, given: Option<Scheme>) -> String {
    let kind = given.unwrap_or(Scheme::Tcp).kind();
    let front = given.map_or(String::new(), |scheme| format!("{}://", scheme.word()));
    let usual = if given == Some(Scheme::Http) { 80 } else { 7007 };
    let service = match service_port(host, kind) {
        Some(_) => format!(" or {front}:{host}"),
        None => String::new(),
    };
    format!("the port is missing (try {front}{host}:{usual}{service})")
}

/// What to say to `tcp:///run/x`.
fn no_path(path: &str, scheme: Scheme) -> String {
    let word = if scheme.kind() == Type::DGRAM { "unixgram" } else { "unix" };
    let path = if path.trim_start_matches(['/', '@']).is_empty() { "/tmp/x.sock" } else { path };
    format!("{} has a host and a port, not a path (try {word}://{path})", scheme.word())
}

/// The rest of `[IPv6]:port` after its first bracket.
fn bracketed(rest: &str, given: Option<Scheme>) -> Result<Place, String> {
    let Some((inside, after)) = rest.split_once(']') else {
        return Err("the closing bracket is missing (try [::1]:7007)".into());
    };
    let (ip, zone) = match inside.split_once('%') {
        Some((ip, zone)) => (ip, Some(zone)),
        None => (inside, None),
    };
    let Ok(ip) = ip.parse::<Ipv6Addr>() else {
        return Err(format!("\"{ip}\" is not an IPv6 address; brackets are for those"));
    };
    let host = match zone {
        Some("") => return Err("the zone after % is missing (try [fe80::1%eth0]:7007)".into()),
        Some(zone) => Host::Zoned(ip, zone.to_owned()),
        None => Host::Ip(IpAddr::V6(ip)),
    };
    match after.strip_prefix(':') {
        None | Some("") => Err(no_port(&format!("[{inside}]"), given)),
        Some(number) => {
            let kind = given.unwrap_or(Scheme::Tcp).kind();
            Ok(Place::Inet(host, port(number, kind)?))
        }
    }
}

/// What to say to `::1:80`, which may mean two things, and to what has too many colons.
fn unbracketed(place: &str, name: &str, number: &str) -> String {
    let meant = [format!("[{name}]:{number}"), format!("[{place}]:7007"), format!("[{name}]:7007")];
    match meant.iter().find(|meant| parse(meant).is_ok()) {
        Some(meant) => format!("an IPv6 address with a port needs brackets (try {meant})"),
        None => "there is a ':' too many; IPv6 needs brackets (try [::1]:7007)".into(),
    }
}

fn host(name: &str) -> Result<Host, String> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok(Host::Ip(ip));
    }
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '.' | '_');
    match name.chars().find(|letter| !fits(*letter)) {
        Some(letter) => Err(format!("a host name cannot contain {letter:?}")),
        None => Ok(Host::Name(name.to_owned())),
    }
}

fn port(text: &str, kind: Type) -> Result<u16, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("port {text} is not in 0 to 65535"));
    }
    service_port(text, kind).ok_or_else(|| format!("\"{text}\" is not a port or a known service"))
}

/// Plain digits; `parse` alone would also take a sign.
fn digits(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
