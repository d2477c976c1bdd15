//! URLs of `http`, as people write them and as servers send them in a `Location`.
//!
//! ```text
//!   http://localhost:8000/a/b?c    as it is
//!   localhost/a    8000/a    :8000/a    without a scheme; a bare port is loopback, as everywhere
//! ```
//! The place is read by the parser of [`Address`], so that hosts, ports and IPv6 in brackets mean
//! here what they mean elsewhere. RFC 3986.
//!
//! What it deliberately does not read: `https`, which needs more than a socket, and user names, as
//! a password in a URL ends up in logs.

use std::fmt;

use switchboard::Address;
use switchboard::socket::{Host, Place, Scheme};

/// The port of `http`. RFC 9110, section 4.2.1.
const PORT: u16 = 80;

/// A URL of `http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    host: Host,
    port: u16,
    /// Path and query, never empty, as it goes into a request.
    target: String,
}

impl Url {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Url::rest(rest),
            Some((scheme @ ("tcp" | "tcp4" | "tcp6"), rest)) => {
                Err(format!("{scheme} is not spoken here, only http (try http://{rest})"))
            }
            Some((scheme, _)) if is_scheme(scheme) => {
                Err(format!("{scheme} is not spoken here, only http (try curl)"))
            }
            _ => Url::rest(text),
        }
    }

    /// What stands behind `http://`.
    fn rest(text: &str) -> Result<Url, String> {
        let text = text.split('#').next().unwrap_or_default();
        let end = text.find(['/', '?']).unwrap_or(text.len());
        let (authority, target) = text.split_at(end);
        let (host, port) = place(authority)?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { host, port, target: normal(&encode(&format!("{slash}{target}"))?) })
    }

    /// Where a `Location` leads from here. RFC 3986, section 5.2.
    ///
    /// # Errors
    /// As [`parse`](Url::parse).
    pub(crate) fn join(&self, location: &[u8]) -> Result<Url, String> {
        // Servers also send bytes that no URL may have. In the path they can be written in ASCII.
        let location: String = location.iter().map(|byte| percent(*byte)).collect();
        let location = location.split('#').next().unwrap_or_default();
        let scheme = location.split_once(':').map(|(scheme, _)| scheme);
        if scheme.is_some_and(is_scheme) {
            return Url::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Url::rest(rest);
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = match location.chars().next() {
            None => self.target.clone(),
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            Some(_) => format!("{}{location}", &path[..=path.rfind('/').unwrap_or(0)]),
        };
        Ok(Url { target: normal(&encode(&target)?), ..self.clone() })
    }

    /// The URL with a name behind its last slash, if it ends in one.
    pub(crate) fn with_name(mut self, name: &str) -> Url {
        if self.ends_in_slash() {
            let letters = name.bytes().map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            });
            self.target.extend(letters);
        }
        self
    }

    /// Whether it is of a folder rather than of something in it.
    pub(crate) fn ends_in_slash(&self) -> bool {
        self.target.ends_with('/')
    }

    /// The name behind the last slash of the path; `None` where there is none that a file can have.
    pub(crate) fn file_name(&self) -> Option<&str> {
        let name = self.target.split('?').next()?.rsplit('/').next()?;
        (!name.is_empty() && name != "." && name != "..").then_some(name)
    }

    /// Where to connect.
    pub(crate) fn address(&self) -> Address {
        let place = Place::Inet(self.host.clone(), self.port);
        Address { scheme: Some(Scheme::Tcp), place }
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The value of the field `Host`.
    pub(crate) fn authority(&self) -> String {
        let host = match &self.host {
            Host::Ip(ip) if ip.is_ipv6() => format!("[{ip}]"),
            // A zone means something on this machine only. RFC 6874, section 1.
            Host::Zoned(ip, _) => format!("[{ip}]"),
            other => other.to_string(),
        };
        if self.port == PORT { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Url { host, target, .. } = self;
        match host {
            Host::Zoned(..) => write!(f, "http://[{host}]:{}{target}", self.port),
            _ => write!(f, "http://{}{target}", self.authority()),
        }
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
}

fn place(authority: &str) -> Result<(Host, u16), String> {
    if authority.is_empty() {
        return Err("the host is missing (try http://127.0.0.1:8000/)".into());
    }
    if authority.contains('@') {
        return Err("user names and passwords in URLs are not sent (leave out all before @)".into());
    }
    let bare_port = authority.bytes().all(|byte| byte.is_ascii_digit());
    let behind = authority.rfind(']').map_or(authority, |end| &authority[end..]);
    let text = match bare_port || behind.contains(':') {
        true => format!("tcp://{authority}"),
        false => format!("tcp://{authority}:{PORT}"),
    };
    let address: Address = text.parse().map_err(|error| format!("{error}"))?;
    match address.place {
        Place::Inet(Host::Name(name), _) if !name.is_ascii() => {
            Err(format!("the host \"{name}\" must be written in its xn-- form"))
        }
        Place::Inet(host, port) => Ok((host, port)),
        _ => Err(format!("\"{}\" is not a host", authority.escape_debug())),
    }
}

/// What may stand in a request, with the rest in percent signs. RFC 3986, section 2.1.
fn encode(target: &str) -> Result<String, String> {
    if target.contains(|letter: char| letter.is_ascii_control()) {
        return Err("a URL has no control characters".into());
    }
    Ok(target.bytes().map(percent).collect())
}

fn percent(byte: u8) -> String {
    match byte {
        b'!'..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

/// The path without `.` and `..`. RFC 3986, section 5.2.4.
fn normal(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut parts: Vec<&str> = Vec::new();
    let mut open = false;
    for part in path.split('/').skip(1) {
        open = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if open && !parts.is_empty() { "/" } else { "" };
    format!("/{}{end}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_read() {
        let rows = [
            ("http://localhost:8000/a?b=c#d", "http://localhost:8000/a?b=c", "localhost:8000"),
            ("HTTP://example.com", "http://example.com/", "example.com"),
            ("http://example.com:80/", "http://example.com/", "example.com"),
            ("example.com?q", "http://example.com/?q", "example.com"),
            ("8000", "http://127.0.0.1:8000/", "127.0.0.1:8000"),
            (":8000/a", "http://127.0.0.1:8000/a", "127.0.0.1:8000"),
            ("http://[::1]/", "http://[::1]/", "[::1]"),
            ("http://[::1]:81/", "http://[::1]:81/", "[::1]:81"),
            ("[fe80::1%lo]/", "http://[fe80::1%lo]:80/", "[fe80::1]"),
            ("a/b c/é", "http://a/b%20c/%C3%A9", "a"),
            ("a/b/../c/./d/..", "http://a/c/", "a"),
            ("a/../../", "http://a/", "a"),
            ("a/x?u=http://b/", "http://a/x?u=http://b/", "a"),
        ];
        for (text, whole, authority) in rows {
            let url = Url::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((url.to_string().as_str(), url.authority().as_str()), (whole, authority));
            assert_eq!(Url::parse(whole).as_ref(), Ok(&url), "{text}");
        }
    }

    #[test]
    fn what_is_refused_says_why() {
        let rows = [
            ("https://a/", "curl"),
            ("ftp://a/", "only http"),
            ("http:///a", "host is missing"),
            ("", "host is missing"),
            ("http://user:secret@a/", "not sent"),
            ("http://::1/", "[::1]"),
            ("http://a:99999/", "99999"),
            ("http://a/\r\nX: y", "control"),
            ("http://a\r\n:80/", "control"),
            ("http://bücher/", "xn--"),
        ];
        for (text, part) in rows {
            let why = Url::parse(text).unwrap_err();
            assert!(why.contains(part) && !why.contains("secret"), "{text:?}: {why}");
        }
    }

    #[test]
    fn a_location_leads_on_from_where_it_was_found() {
        let base = Url::parse("http://a:81/b/c?d").unwrap();
        let rows: [(&[u8], &str); 9] = [
            (b"http://e/f", "http://e/f"),
            (b"//e/f", "http://e/f"),
            (b"/f", "http://a:81/f"),
            (b"f", "http://a:81/b/f"),
            (b"../f", "http://a:81/f"),
            (b"./", "http://a:81/b/"),
            (b"?g", "http://a:81/b/c?g"),
            (b"#h", "http://a:81/b/c?d"),
            (b"/\xff \x1b", "http://a:81/%FF%20%1B"),
        ];
        for (location, whole) in rows {
            assert_eq!(base.join(location).unwrap().to_string(), whole);
        }
        assert!(base.join(b"https://a/").unwrap_err().contains("https"));
        assert!(base.join(b"mailto:a@b").is_err() && base.join(b"javascript:x").is_err());
    }

    #[test]
    fn names_go_behind_a_slash_only() {
        let put = |url: &str, name| Url::parse(url).unwrap().with_name(name).to_string();
        assert_eq!(put("http://a/b/", "c d%/é.txt"), "http://a/b/c%20d%25%2F%C3%A9.txt");
        assert_eq!(put("http://a/b", "c"), "http://a/b");
    }
}
