//! Forms with files in them: `multipart/form-data`, RFC 7578, read as they come.
//!
//! ```text
//!   --boundary CRLF  fields of the part CRLF CRLF  its bytes  CRLF
//!   --boundary CRLF  fields of the part CRLF CRLF  its bytes  CRLF
//!   --boundary--     whatever follows means nothing
//! ```
//! Nothing is kept but one buffer of [`BUFFER_BYTES`]: [`Multipart::next_part`] goes to the next
//! part, [`Multipart::chunk`] gives the bytes of this one, piece by piece. What comes before the
//! first boundary means nothing either.
//!
//! What it deliberately does not do: decode transfer encodings or `filename*`, both of which
//! RFC 7578 forbids in a form, or nest.

use std::io::{self, Read};

use memchr::memmem::{Finder, find};

use crate::http::{Status, refuse};

/// The buffer; the fields of a part have to fit.
const BUFFER_BYTES: usize = 64 * 1024;
/// The longest head of a part.
const HEAD_BYTES: usize = 8 * 1024;
/// The most fields of a part: browsers send two or three.
const FIELDS: usize = 16;
/// The most parts of a form.
const PARTS: usize = 1000;
/// The longest boundary, RFC 2046, section 5.1.1.
const BOUNDARY_BYTES: usize = 70;

/// A form that is being read from `source`.
#[derive(Debug)]
pub(crate) struct Multipart<R: Read> {
    source: R,
    /// CRLF and two hyphens, then the boundary.
    delimiter: Finder<'static>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// What [`chunk`](Multipart::chunk) gave last, and nobody needs any more.
    given: usize,
    parts: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the bytes of a part, or before the first.
    Inside,
    /// Directly behind a delimiter.
    Behind,
    /// Behind the last one.
    Done,
}

/// What a part says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The name of a file; `None` for a part that is no file.
    pub(crate) file_name: Option<Vec<u8>>,
}

/// The boundary in the value of a `Content-Type`; `None` if it is no form or has none.
pub(crate) fn boundary(content_type: &str) -> Option<Vec<u8>> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters.as_bytes(), b"boundary")?;
    let sound = (1..=BOUNDARY_BYTES).contains(&boundary.len());
    (sound && boundary.iter().all(|byte| matches!(byte, b' '..=b'~'))).then_some(boundary)
}

impl<R: Read> Multipart<R> {
    /// A form whose parts are divided by `boundary`.
    pub(crate) fn new(source: R, boundary: &[u8]) -> Multipart<R> {
        let delimiter = Finder::new(&[b"\r\n--", boundary].concat()).into_owned();
        let mut buffer = vec![0; BUFFER_BYTES];
        // The first boundary may stand at the very beginning, and is found like all others.
        buffer[..2].copy_from_slice(b"\r\n");
        let state = State::Inside;
        Multipart { source, delimiter, buffer, start: 0, end: 2, given: 0, parts: 0, state }
    }

    /// Goes to the next part, over what is left of this one; `None` behind the last.
    ///
    /// # Errors
    /// Of the source; a refusal for what is no form.
    pub(crate) fn next_part(&mut self) -> io::Result<Option<Part>> {
        while self.chunk()?.is_some() {}
        if self.state == State::Done {
            return Ok(None);
        }
        self.need(2)?;
        if self.rest().starts_with(b"--") {
            self.state = State::Done;
            return Ok(None);
        }
        self.parts += 1;
        if self.parts > PARTS {
            return Err(refuse(Status::ContentTooLarge, "The form has too many parts."));
        }
        let part = self.head()?;
        self.state = State::Inside;
        Ok(Some(part))
    }

    /// Some bytes of this part; `None` at its end.
    ///
    /// # Errors
    /// As [`next_part`](Multipart::next_part).
    pub(crate) fn chunk(&mut self) -> io::Result<Option<&[u8]>> {
        self.start += std::mem::take(&mut self.given);
        while self.state == State::Inside {
            let length = self.delimiter.needle().len();
            let found = self.delimiter.find(self.rest());
            if found == Some(0) {
                self.start += length;
                self.state = State::Behind;
                break;
            }
            // A delimiter may have begun in the last bytes.
            let safe = found.unwrap_or(self.rest().len().saturating_sub(length - 1));
            if safe > 0 {
                self.given = safe;
                return Ok(Some(&self.buffer[self.start..self.start + safe]));
            }
            self.fill()?;
        }
        Ok(None)
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads the rest of the delimiter's line and the fields of a part.
    fn head(&mut self) -> io::Result<Part> {
        let mut padding = 0;
        loop {
            self.need(padding + 2)?;
            match self.rest()[padding..] {
                [b' ' | b'\t', ..] if padding < HEAD_BYTES => padding += 1,
                [b'\r', b'\n', ..] => break,
                _ => return Err(no_form()),
            }
        }
        // The line end stays: if the part has no fields, it is half of the empty line.
        self.start += padding;
        let end = loop {
            match find(self.rest(), b"\r\n\r\n") {
                Some(end) if end <= HEAD_BYTES => break end + 4,
                None if self.rest().len() <= HEAD_BYTES => self.fill()?,
                _ => return Err(refuse(Status::HeadTooLarge, "A part has too long a head.")),
            }
        };
        let mut room = [httparse::EMPTY_HEADER; FIELDS];
        let part = match end {
            4 => Part::default(),
            _ => match httparse::parse_headers(&self.rest()[2..end], &mut room) {
                Ok(httparse::Status::Complete((_, fields))) => Part::of(fields),
                _ => return Err(no_form()),
            },
        };
        self.start += end;
        Ok(part)
    }

    /// Waits until so many bytes are there.
    fn need(&mut self, count: usize) -> io::Result<()> {
        while self.rest().len() < count {
            self.fill()?;
        }
        Ok(())
    }

    /// Reads more. There is always room: what is waited for is shorter than the buffer.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        match self.source.read(&mut self.buffer[self.end..])? {
            0 => Err(refuse(Status::BadRequest, "The form ended before its last boundary.")),
            count => {
                self.end += count;
                Ok(())
            }
        }
    }
}

impl Part {
    fn of(fields: &[httparse::Header<'_>]) -> Part {
        let named =
            |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case("Content-Disposition");
        let disposition = fields.iter().find(named);
        let parameters = disposition.and_then(|field| {
            let colon = field.value.iter().position(|byte| *byte == b';')?;
            Some(&field.value[colon + 1..])
        });
        Part { file_name: parameters.and_then(|text| parameter(text, b"filename")).map(unescaped) }
    }
}

/// Browsers write a quote in a file name as `%22`, and nothing else that way but line ends, which
/// no name has.
fn unescaped(name: Vec<u8>) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = &name[..];
    while let Some(at) = find(rest, b"%22") {
        plain.extend_from_slice(&rest[..at]);
        plain.push(b'"');
        rest = &rest[at + 3..];
    }
    plain.extend_from_slice(rest);
    plain
}

/// The value of one of the parameters `a=b; c="d"`, RFC 9110, section 5.6.6.
fn parameter(text: &[u8], wanted: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text;
    loop {
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        let name = rest[..equals].trim_ascii();
        let (value, after) = value(&rest[equals + 1..]);
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        let next = after.iter().position(|byte| *byte == b';')?;
        rest = &after[next + 1..];
    }
}

/// A value at the beginning of a text, and what follows it.
fn value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| *byte == b';').unwrap_or(text.len());
        return (text[..end].trim_ascii().to_vec(), &text[end..]);
    };
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        match rest {
            [] => return (value, rest),
            [b'"', after @ ..] => return (value, after),
            // Only these two are escaped; a path of Windows has its backslashes bare.
            [b'\\', byte @ (b'"' | b'\\'), after @ ..] => {
                value.push(*byte);
                rest = after;
            }
            [byte, after @ ..] => {
                value.push(*byte);
                rest = after;
            }
        }
    }
}

fn no_form() -> io::Error {
    refuse(Status::BadRequest, "This is not a proper form.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at once.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    type Parts = Vec<(Option<String>, Vec<u8>)>;

    /// The parts of a form with the boundary `b`, read in pieces of so many bytes.
    fn read(bytes: &[u8], piece: usize) -> io::Result<Parts> {
        let mut form = Multipart::new(Pieces(bytes, piece), b"b");
        let mut parts = Vec::new();
        while let Some(part) = form.next_part()? {
            let mut body = Vec::new();
            while let Some(bytes) = form.chunk()? {
                body.extend_from_slice(bytes);
            }
            parts.push((part.file_name.map(|name| String::from_utf8(name).unwrap()), body));
        }
        Ok(parts)
    }

    #[test]
    fn a_form_is_read_however_it_is_cut() {
        let bytes = b"preamble\r\n--b \t\r\nContent-Disposition: form-data; name=\"f\"; \
            filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\r\n--\r\n-- b\r\nline\r\n\
            \r\n--b\r\nContent-Disposition: form-data; name=\"g\"\r\n\r\n--b\r\n--b\r\n\
            \r\nno fields\r\n--b\r\n\
            content-disposition: form-data; filename=\"\"\r\n\r\n\r\n--b--\r\nepilogue --b";
        let expected = [
            (Some("a.txt".to_owned()), b"\r\n--\r\n-- b\r\nline\r\n".to_vec()),
            (None, b"--b".to_vec()),
            (None, b"no fields".to_vec()),
            (Some(String::new()), Vec::new()),
        ];
        for piece in 1..=bytes.len() {
            let parts = read(bytes, piece).unwrap_or_else(|why| panic!("{piece}: {why}"));
            assert_eq!(parts, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn large_parts_pass_through() {
        let body: Vec<u8> = (0..3 * BUFFER_BYTES).map(|at| b"\r\n--"[at % 4]).collect();
        let bytes = [b"--b\r\n\r\n", &body[..], b"\r\n--b--"].concat();
        for piece in [1000, BUFFER_BYTES, usize::MAX] {
            assert!(read(&bytes, piece).unwrap() == [(None, body.clone())], "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let long = format!("--b\r\nA: {}\r\n\r\nx\r\n--b--", "x".repeat(HEAD_BYTES));
        let many = format!("--b{}--", "\r\n\r\nx\r\n--b".repeat(PARTS + 1));
        let fields = format!("--b\r\n{}\r\nx\r\n--b--", "A: b\r\n".repeat(FIELDS + 1));
        let rows = [
            "",
            "b",
            "--b",
            "--b\r\n",
            "--b\r\n\r\nx",
            "--b\r\n\r\nx\r\n--",
            "--bc\r\n\r\nx\r\n--b--",
        ];
        for bytes in
            rows.into_iter().chain(["--b\r\nno colon\r\n\r\nx\r\n--b--", &long, &many, &fields])
        {
            assert!(read(bytes.as_bytes(), 100).is_err(), "{bytes:.40}");
        }
    }

    #[test]
    fn boundaries_and_names_are_found_in_every_spelling() {
        let rows: [(&str, Option<&[u8]>); 9] = [
            ("multipart/form-data; boundary=abc", Some(b"abc")),
            ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b;c\"", Some(b"a b;c")),
            ("multipart/form-data; x=\"boundary=no\"; boundary=yes", Some(b"yes")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"a\nb\"", None),
            ("multipart/mixed; boundary=abc", None),
            ("text/plain; boundary=abc", None),
            ("multipart/form-data; boundaryx=abc", None),
        ];
        for (value, expected) in rows {
            assert_eq!(boundary(value).as_deref(), expected, "{value}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
        let names: [(&[u8], &[u8]); 6] = [
            (b"name=\"f\"; filename=\"a.txt\"", b"a.txt"),
            (b"filename=a.txt ; name=f", b"a.txt"),
            (b"filename=\"a\\\"b\\\\c\"", b"a\"b\\c"),
            (b"filename=\"C:\\dir\\a.txt\"", b"C:\\dir\\a.txt"),
            (b"filename=\"a%22b%0d%20\"", b"a\"b%0d%20"),
            (b"name=\"filename=no\"; filename=\"unclosed", b"unclosed"),
        ];
        for (text, expected) in names {
            assert_eq!(parameter(text, b"filename").map(unescaped).as_deref(), Some(expected));
        }
    }
}
