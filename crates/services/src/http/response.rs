//! The head of an answer.
//!
//! Whatever a value is made of, it stays one line: control characters do not pass
//! ([`Response::with`]). What every answer has (date, length, whether the connection goes on) is
//! added when it is sent.

use std::cell::RefCell;
use std::fmt::{self, Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::html;
use super::status::Status;

/// A status and some fields.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(super) status: Status,
    /// Whole fields that are known already, each with its line end.
    lines: &'a str,
    fields: String,
}

/// How the client finds the end of what follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing follows, by the status.
    Bodiless,
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow.
    Chunked,
    /// The connection is closed at the end.
    Close,
}

impl<'a> Response<'a> {
    /// A status and nothing else.
    pub(crate) fn new(status: Status) -> Response<'a> {
        Response::of_lines(status, "")
    }

    /// A status with whole fields, each with its line end, that were made here and hold no control
    /// characters.
    pub(crate) fn of_lines(status: Status, lines: &'a str) -> Response<'a> {
        Response { status, lines, fields: String::new() }
    }

    /// For a page made here.
    pub(crate) fn html(status: Status) -> Response<'a> {
        Response::new(status)
            .with("Content-Type", "text/html; charset=utf-8")
            .with("Content-Security-Policy", html::POLICY)
            .with("X-Content-Type-Options", "nosniff")
            .with("Cache-Control", "no-store")
    }

    /// For a few lines made here.
    pub(crate) fn text(status: Status) -> Response<'a> {
        Response::new(status)
            .with("Content-Type", "text/plain; charset=utf-8")
            .with("X-Content-Type-Options", "nosniff")
            .with("Cache-Control", "no-store")
    }

    /// Adds a field. Control characters in its value are left out.
    pub(crate) fn with(mut self, name: &'static str, value: impl Display) -> Response<'a> {
        self.fields += name;
        self.fields += ": ";
        write!(Printable(&mut self.fields), "{value}").expect("a string takes all that is written");
        self.fields += "\r\n";
        self
    }

    /// All of the head. `keep` is whether the connection goes on, and to whom that has to be said.
    pub(super) fn into_head(self, ending: Ending, keep: Keep) -> Vec<u8> {
        let Response { status, lines, fields } = self;
        let mut head = Vec::with_capacity(lines.len() + fields.len() + COMMON_BYTES);
        head.extend_from_slice(status.line().as_bytes());
        head.extend_from_slice(b"Date: ");
        push_date(&mut head);
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(lines.as_bytes());
        head.extend_from_slice(fields.as_bytes());
        match ending {
            Ending::Length(length) => {
                head.extend_from_slice(b"Content-Length: ");
                push_number(&mut head, length);
                head.extend_from_slice(b"\r\n");
            }
            Ending::Chunked => head.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Ending::Bodiless | Ending::Close => {}
        }
        head.extend_from_slice(match keep {
            Keep::No => b"Connection: close\r\n\r\n",
            Keep::Yes => b"\r\n",
            Keep::YesToOld => b"Connection: keep-alive\r\n\r\n",
        });
        head
    }
}

/// Room for what every head has.
const COMMON_BYTES: usize = 192;

/// What passes through this has no control characters left.
struct Printable<'s>(&'s mut String);

impl Write for Printable<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            self.0.push_str(text);
        } else {
            self.0.extend(text.chars().filter(|c| !c.is_control()));
        }
        Ok(())
    }
}

/// Adds a number in decimal. Formatting in general costs four times as much.
fn push_number(head: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    head.extend_from_slice(&digits[first..]);
}

thread_local! {
    /// The second of the last answer of this thread, since 1970, and how it is written.
    static DATE: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Adds the date, which is made once a second.
fn push_date(head: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(last, date)| {
        if *last != second {
            (*last, *date) = (second, httpdate::fmt_http_date(now));
        }
        head.extend_from_slice(date.as_bytes());
    });
}

/// Whether the connection goes on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    No,
    Yes,
    /// To a client of HTTP/1.0, which must be told.
    YesToOld,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_become_a_field() {
        let response = Response::new(Status::MovedPermanently)
            .with("Location", "/a\r\nSet-Cookie: b\0\x1b[2J\u{85}c");
        let head = String::from_utf8(response.into_head(Ending::Length(0), Keep::No)).unwrap();
        assert!(head.starts_with("HTTP/1.1 301 Moved Permanently\r\nDate: "), "{head}");
        assert!(head.contains("\r\nLocation: /aSet-Cookie: b[2Jc\r\n"), "{head}");
        assert!(head.ends_with("\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "{head}");
    }
}
