//! The head of a request: read within limits, and understood in one way or not at all.
//!
//! [`receive`] collects the bytes up to the empty line; [`parse`] makes a [`Head`] of them and says
//! how long the body is. Between two programs that read the same bytes differently, one request can
//! become two, so whatever can be read in two ways is refused, and the connection is closed, since
//! nobody knows where the next request begins: RFC 9112, sections 2.2, 5, 6 and 11.
//!
//! Lines end with CRLF. For people who type at `nc`, a head whose lines all end with LF alone is
//! read too; not one that mixes both, and not one that announces a body.
//!
//! What it deliberately does not do: decode the path (that is its user's), or know any field that
//! does not decide where the request ends.

use std::io::{self, BufRead, ErrorKind};
use std::mem::MaybeUninit;

use memchr::{memchr, memchr_iter};

use super::status::{Refusal, Status, refuse};

/// The longest request line. RFC 9112 asks for at least 8000 bytes.
pub(crate) const LINE_BYTES: usize = 8 * 1024;
/// The longest head, from the request line to the empty line: what nginx and Apache take at most
/// is of this size, and cookies rarely fill half of it.
pub(crate) const HEAD_BYTES: usize = 32 * 1024;
/// The most fields. Browsers send about twenty.
pub(crate) const FIELDS: usize = 100;
/// Bytes of empty lines before a request that are passed over: some clients send one after a body.
const EMPTY_BYTES: usize = 4;

/// What a request says before its body.
#[derive(Debug)]
pub(crate) struct Head<'b> {
    /// `GET` and so on, as it came: methods are case-sensitive.
    pub(crate) method: &'b str,
    /// The path, still encoded: begins with a slash, or is `*`.
    pub(crate) path: &'b str,
    /// What follows the first question mark, still encoded.
    pub(crate) query: Option<&'b str>,
    /// Whether it is HTTP/1.0 rather than 1.1.
    pub(crate) is_1_0: bool,
    /// How the body ends.
    pub(crate) framing: Framing,
    /// Whether the client wishes to go on after this request.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for a `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    fields: &'b [httparse::Header<'b>],
}

/// Where the fields of a head are kept. To clear it would cost more than the parsing.
pub(crate) type Room<'b> = [MaybeUninit<httparse::Header<'b>>; FIELDS];

/// Room for the fields of a head.
pub(crate) fn room<'b>() -> Room<'b> {
    [const { MaybeUninit::uninit() }; FIELDS]
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// It has so many bytes; none if the request says nothing of a body.
    Length(u64),
    /// It comes in chunks, of which the last one is empty.
    Chunked,
}

impl<'b> Head<'b> {
    /// The values of a field, one for each time it stands in the head.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        let same = move |field: &&httparse::Header<'b>| field.name.eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).map(|field| field.value.trim_ascii())
    }

    /// The length of the body; `None` for one in chunks.
    pub(crate) fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        }
    }

    /// Whether a field is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether it asks for all of something, whatever the client has of it: one look instead of one
    /// for each field that could say otherwise.
    pub(crate) fn is_unconditional(&self) -> bool {
        let is_condition = |name: &str| {
            let start = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("If-"));
            start || name.eq_ignore_ascii_case("Range")
        };
        !self.fields.iter().any(|field| is_condition(field.name))
    }

    /// The value of a field that stands there once and is text.
    pub(crate) fn text(&self, name: &str) -> Option<&'b str> {
        let mut values = self.all(name);
        let only = values.next().filter(|_| values.next().is_none())?;
        str::from_utf8(only).ok()
    }

    /// Whether a field has this word in its list, in any case.
    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        let words = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
        words.into_iter().any(|one| one.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Whether an answer for people had better be HTML.
    pub(crate) fn wants_html(&self) -> bool {
        self.all("Accept").any(|value| memchr::memmem::find(value, b"text/html").is_some())
    }

    /// The host the client called, without its port.
    pub(crate) fn host(&self) -> Option<&'b str> {
        let host = self.text("Host")?;
        let port = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
        Some(&host[..port.unwrap_or(host.len())])
    }
}

/// Collects a head into `head`, through its empty line.
///
/// # Errors
/// Of the source; `UnexpectedEof` if it ends first; a refusal for a head that is too long or is
/// none from its first byte.
pub(crate) fn receive(source: &mut impl BufRead, head: &mut Vec<u8>) -> io::Result<()> {
    head.clear();
    let (mut passed, mut line) = (0, 0); // bytes of empty lines, and where the current line begins
    loop {
        let arrived = source.fill_buf()?;
        if arrived.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut fresh = arrived;
        if head.is_empty() {
            let empty = fresh.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            passed += empty;
            fresh = &fresh[empty..];
            if passed > EMPTY_BYTES || fresh.first().is_some_and(|byte| !byte.is_ascii_uppercase())
            {
                return Err(refuse(Status::BadRequest, NO_HTTP));
            }
        }
        let (before, skipped) = (head.len(), arrived.len() - fresh.len());
        head.extend_from_slice(&fresh[..fresh.len().min(HEAD_BYTES + 1 - before)]);
        let end = end_of_head(head, before, &mut line);
        let taken = end.unwrap_or(head.len()) - before;
        source.consume(skipped + taken);
        let first = memchr(b'\n', head).unwrap_or(head.len());
        if first > LINE_BYTES {
            return Err(refuse(Status::UriTooLong, "The address is too long."));
        }
        match end {
            Some(end) if end <= HEAD_BYTES => {
                head.truncate(end);
                return Ok(());
            }
            None if head.len() <= HEAD_BYTES => {}
            _ => return Err(refuse(Status::HeadTooLarge, "The head of the request is too long.")),
        }
    }
}

/// Where the head ends, if it does: behind the first empty line. `line` is where the line begins in
/// which `from` lies, and is moved on.
fn end_of_head(head: &[u8], from: usize, line: &mut usize) -> Option<usize> {
    for at in memchr_iter(b'\n', &head[from..]).map(|at| from + at) {
        if matches!(&head[*line..at], b"" | b"\r") {
            return Some(at + 1);
        }
        *line = at + 1;
    }
    None
}

/// Understands a whole head.
///
/// # Errors
/// The status and the reason for which it is refused.
pub(crate) fn parse<'b>(bytes: &'b [u8], room: &'b mut Room<'b>) -> Result<Head<'b>, Refusal> {
    let bare = check_line_ends(bytes)?;
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, room) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(bad("The head of the request does not end where it should.")),
        Err(error) => return Err(malformed(error, bytes)),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(bad("The request has no first line."));
    };
    let (path, query) = split_target(method, target)?;
    let mut head = Head {
        method,
        path,
        query,
        is_1_0: minor == 0,
        framing: Framing::Length(0),
        keep_alive: false,
        expects_continue: false,
        fields: request.headers,
    };
    check_host(&head)?;
    head.framing = framing(&head)?;
    if bare && head.framing != Framing::Length(0) {
        return Err(bad("A request with a body ends its lines with CR and LF."));
    }
    head.keep_alive = match head.is_1_0 {
        true => head.lists("Connection", "keep-alive") && !head.lists("Connection", "close"),
        false => !head.lists("Connection", "close"),
    };
    if !head.is_1_0 && head.has("Expect") {
        if !head.text("Expect").is_some_and(|what| what.eq_ignore_ascii_case("100-continue")) {
            return Err(Refusal::new(Status::ExpectationFailed, "Nobody here can do that."));
        }
        head.expects_continue = head.framing != Framing::Length(0);
    }
    Ok(head)
}

/// Whether the lines end with LF alone; refuses a mixture, and a CR anywhere else.
fn check_line_ends(bytes: &[u8]) -> Result<bool, Refusal> {
    let (mut lines, mut pairs) = (0, 0);
    for at in memchr_iter(b'\n', bytes) {
        lines += 1;
        pairs += usize::from(at > 0 && bytes[at - 1] == b'\r');
    }
    let returns = memchr_iter(b'\r', bytes).count();
    match (returns == pairs, pairs) {
        (true, 0) => Ok(true),
        (true, pairs) if pairs == lines => Ok(false),
        _ => Err(bad("The lines of the request do not all end in the same way.")),
    }
}

/// The path and the query of the target, which is a path, a whole address, or a star.
fn split_target<'b>(method: &str, target: &'b str) -> Result<(&'b str, Option<&'b str>), Refusal> {
    let scheme = ["http://", "https://"].iter().find(|scheme| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let local = match scheme {
        None => target,
        Some(scheme) => {
            let place = &target[scheme.len()..];
            let path = place.find(['/', '?']).unwrap_or(place.len());
            if path == 0 {
                return Err(bad("The address has no host."));
            }
            match &place[path..] {
                "" => "/",
                query if query.starts_with('?') => return Ok(("/", Some(&query[1..]))),
                path => path,
            }
        }
    };
    let is_star = local == "*" && method == "OPTIONS";
    if !(local.starts_with('/') || is_star) || memchr(b'#', local.as_bytes()).is_some() {
        return Err(bad("The address is not a path."));
    }
    let question = memchr(b'?', local.as_bytes());
    Ok(question.map_or((local, None), |at| (&local[..at], Some(&local[at + 1..]))))
}

/// HTTP/1.1 needs to know its host, and one only.
fn check_host(head: &Head<'_>) -> Result<(), Refusal> {
    let mut hosts = head.all("Host");
    let (first, second) = (hosts.next(), hosts.next());
    let is_host = |byte: &u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']' => true,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
        byte => byte.is_ascii_alphanumeric(),
    };
    match (first, second) {
        (None, _) if head.is_1_0 => Ok(()),
        (None, _) => Err(bad("The request does not say which host it is for.")),
        (Some(_), Some(_)) => Err(bad("The request is for two hosts.")),
        (Some(host), None) if host.iter().all(is_host) => Ok(()),
        (Some(_), None) => Err(bad("The host is not a host.")),
    }
}

/// How long the body is. RFC 9112, section 6.3, without its leniencies.
fn framing(head: &Head<'_>) -> Result<Framing, Refusal> {
    let mut lengths = head.all("Content-Length");
    let mut codings = head.all("Transfer-Encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(_), Some(_)) => Err(bad("The body has a length and a transfer encoding.")),
        (Some(length), None) => {
            if lengths.next().is_some() {
                return Err(bad("The body has two lengths."));
            }
            // Nineteen digits fit 64 bits, and no disk holds that much.
            let digits = (1..=19).contains(&length.len()) && length.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(length).ok().filter(|_| digits);
            let length = length.and_then(|text| text.parse().ok());
            length.map(Framing::Length).ok_or_else(|| bad("The length of the body is no number."))
        }
        (None, Some(_)) if head.is_1_0 => Err(bad("HTTP/1.0 has no transfer encodings.")),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => match codings.next() {
            None => Ok(Framing::Chunked),
            Some(_) => Err(bad("The body has two transfer encodings.")),
        },
        (None, Some(_)) => {
            let why = "The only transfer encoding understood here is chunked.";
            Err(Refusal::new(Status::NotImplemented, why))
        }
    }
}

fn malformed(error: httparse::Error, bytes: &[u8]) -> Refusal {
    match error {
        httparse::Error::Version if names_a_version(bytes) => {
            Refusal::new(Status::VersionNotSupported, "This server speaks HTTP/1.1.")
        }
        httparse::Error::TooManyHeaders => {
            Refusal::new(Status::HeadTooLarge, "The request has too many fields.")
        }
        httparse::Error::HeaderName => bad("A field of the request has no proper name."),
        httparse::Error::HeaderValue => bad("A field of the request has no proper value."),
        _ => bad(NO_HTTP),
    }
}

/// Whether the request line has a version, which is then none of ours.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.trim_ascii_end().split(|byte| *byte == b' ').collect();
    matches!(words[..], [_, _, version] if version.starts_with(b"HTTP/"))
}

fn bad(why: &'static str) -> Refusal {
    Refusal::new(Status::BadRequest, why)
}

const NO_HTTP: &str = "This is not a request of HTTP/1.1.";
