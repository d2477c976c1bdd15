//! The head of an answer.
//!
//! Whatever a value is made of, it stays one line: control characters do not pass
//! ([`Response::with`]). What every answer has (date, length, whether the connection goes on) is
//! added when it is sent.

use std::fmt::{Display, Write};
use std::time::SystemTime;

use super::html;
use super::status::Status;

/// A status and some fields.
#[derive(Debug)]
pub(crate) struct Response {
    pub(super) status: Status,
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

impl Response {
    /// A status and nothing else.
    pub(crate) fn new(status: Status) -> Response {
        Response { status, fields: String::new() }
    }

    /// For a page made here.
    pub(crate) fn html(status: Status) -> Response {
        Response::new(status)
            .with("Content-Type", "text/html; charset=utf-8")
            .with("Content-Security-Policy", html::POLICY)
            .with("X-Content-Type-Options", "nosniff")
            .with("Cache-Control", "no-store")
    }

    /// For a few lines made here.
    pub(crate) fn text(status: Status) -> Response {
        Response::new(status)
            .with("Content-Type", "text/plain; charset=utf-8")
            .with("X-Content-Type-Options", "nosniff")
            .with("Cache-Control", "no-store")
    }

    /// Adds a field. Control characters in its value are left out.
    pub(crate) fn with(mut self, name: &'static str, value: impl Display) -> Response {
        self.fields += name;
        self.fields += ": ";
        let value = value.to_string();
        self.fields.extend(value.chars().filter(|c| !c.is_control()));
        self.fields += "\r\n";
        self
    }

    /// All of the head. `keep` is whether the connection goes on, and to whom that has to be said.
    pub(super) fn into_head(self, ending: Ending, keep: Keep) -> Vec<u8> {
        let Response { status, fields } = self;
        let date = httpdate::HttpDate::from(SystemTime::now());
        let (code, words) = (status.code(), status.words());
        let mut head = String::with_capacity(fields.len() + 160);
        let written = write!(head, "HTTP/1.1 {code} {words}\r\nDate: {date}\r\n{fields}");
        let written = written.and_then(|()| match ending {
            Ending::Length(length) => write!(head, "Content-Length: {length}\r\n"),
            Ending::Chunked => write!(head, "Transfer-Encoding: chunked\r\n"),
            Ending::Bodiless | Ending::Close => Ok(()),
        });
        written.expect("a string takes all that is written");
        head += match keep {
            Keep::No => "Connection: close\r\n",
            Keep::Yes => "",
            Keep::YesToOld => "Connection: keep-alive\r\n",
        };
        head += "\r\n";
        head.into_bytes()
    }
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
