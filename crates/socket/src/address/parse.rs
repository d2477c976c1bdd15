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
    let (scheme, place) = match text.split_once("://") {
        Some((word, place)) => (Some(scheme(word)?), place),
        None => match text.strip_prefix("unix:") {
            Some(path) => (Some(Scheme::Unix), path),
            None if text.contains('/') || text.starts_with('@') => (Some(Scheme::Unix), text),
            None => (None, text),
        },
    };
    let place = match scheme {
        Some(Scheme::Unix | Scheme::UnixGram | Scheme::UnixSeq) => unix(place)?,
        Some(Scheme::Vsock) => vsock(place)?,
        inet_scheme => inet(place, inet_scheme.unwrap_or(Scheme::Tcp))?,
    };
    Ok(Address { scheme, place })
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
    let why = "expected a context id and a port, both numbers (try vsock://2:7007)";
    numbers.map(|(cid, port)| Place::Vsock(cid, port)).ok_or_else(|| why.into())
}

fn inet(place: &str, scheme: Scheme) -> Result<Place, String> {
    let loopback = match scheme.family() {
        Family::INET6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    if place.is_empty() {
        let word = scheme.word();
        return Err(format!("host and port are missing (try {word}://127.0.0.1:7007)"));
    }
    if place.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Place::Inet(Host::Ip(loopback), port(place, scheme.kind())?));
    }
    if let Some(rest) = place.strip_prefix('[') {
        return bracketed(rest, scheme);
    }
    let Some((name, number)) = place.rsplit_once(':') else {
        return Err(format!("the port is missing (try {place}:7007)"));
    };
    if name.contains(':') {
        return Err(unbracketed(place, name, number));
    }
    let host = if name.is_empty() { Host::Ip(loopback) } else { host(name)? };
    Ok(Place::Inet(host, port(number, scheme.kind())?))
}

/// The rest of `[IPv6]:port` after its first bracket.
fn bracketed(rest: &str, scheme: Scheme) -> Result<Place, String> {
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
        Some(number) => Ok(Place::Inet(host, port(number, scheme.kind())?)),
        None => Err(format!("the port is missing (try [{inside}]:7007)")),
    }
}

/// What to say to `::1:80`, which may mean two things.
fn unbracketed(place: &str, name: &str, number: &str) -> String {
    let bare = name.split('%').next().unwrap_or(name);
    let try_this = match bare.parse::<Ipv6Addr>() {
        Ok(_) if !number.is_empty() => format!("[{name}]:{number}"),
        _ => format!("[{}]:7007", place.trim_end_matches(':')),
    };
    format!("an IPv6 address with a port needs brackets (try {try_this})")
}

fn host(name: &str) -> Result<Host, String> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok(Host::Ip(ip));
    }
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '.' | '_');
    match name.chars().find(|letter| !fits(*letter)) {
        Some(letter) => Err(format!("a host name cannot contain '{letter}'")),
        None => Ok(Host::Name(name.to_owned())),
    }
}

fn port(text: &str, kind: Type) -> Result<u16, String> {
    if text.is_empty() {
        return Err("the port after ':' is missing".into());
    }
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
