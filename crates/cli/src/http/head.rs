//! The head of an answer: status line and fields. RFC 9112.
//!
//! The grammar is httparse's. What is decided here is what the fields mean for the body that
//! follows, strictly: an answer whose length can be read in two ways is refused.

use crate::http::body::Framing;
use crate::screen::visible;

/// The most fields. Servers send some twenty.
const FIELDS: usize = 256;

/// The longest head. Servers limit theirs to a fraction of this.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Whether the server keeps the connection when the answer is over.
    pub(crate) keeps: bool,
    fields: Vec<(String, Vec<u8>)>,
    /// As it came, with its empty line.
    raw: Vec<u8>,
}

impl Head {
    /// Reads a head at the beginning of `bytes` and answers it with its length; `None` while it is
    /// not whole.
    ///
    /// # Errors
    /// What is wrong, if it is not a head or too long.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, String> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        let length = match answer.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES => return Ok(None),
            Ok(httparse::Status::Partial) => return Err("its head does not end".into()),
            Err(error) => {
                return Err(format!("what comes is not HTTP ({error}; try switchboard connect)"));
            }
        };
        let fields: Vec<_> = answer
            .headers
            .iter()
            .map(|field| (field.name.to_owned(), field.value.to_owned()))
            .collect();
        let status = answer.code.expect("a whole head has a status");
        let mut head = Head { status, keeps: false, fields, raw: bytes[..length].to_owned() };
        let persistent = answer.version == Some(1);
        head.keeps = persistent && !head.lists("connection", "close");
        Ok(Some((head, length)))
    }

    /// The first line without its end: `HTTP/1.1 404 Not Found`.
    pub(crate) fn status_line(&self) -> String {
        let line = self.raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
        visible(line.trim_ascii_end())
    }

    /// The status and its words: `404 Not Found`.
    pub(crate) fn outcome(&self) -> String {
        let line = self.status_line();
        line.split_once(' ').map_or(line.clone(), |(_, outcome)| outcome.trim().to_owned())
    }

    /// All of it, as it came.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Each field, in the order in which they came.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.fields();
        fields.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether a word stands in a field that is a list.
    fn lists(&self, name: &str, word: &str) -> bool {
        let mut words = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
        words.any(|own| own.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Where to go instead, if it says so.
    pub(crate) fn redirect(&self) -> Option<&[u8]> {
        let redirects = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        self.field("location").filter(|_| redirects)
    }

    /// How the end of the body is known. RFC 9112, section 6.3.
    ///
    /// # Errors
    /// Lengths that contradict each other, or a coding that is not known.
    pub(crate) fn framing(&self) -> Result<Framing, String> {
        if self.status < 200 || matches!(self.status, 204 | 304) {
            return Ok(Framing::length(0));
        }
        let codings = self.all("transfer-encoding").collect::<Vec<_>>().join(&b',');
        if !codings.is_empty() {
            return match codings.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                true => Ok(Framing::chunked()),
                false => Err(format!("the transfer coding {} is not known", visible(&codings))),
            };
        }
        let mut lengths = self.all("content-length").flat_map(|value| value.split(|b| *b == b','));
        let Some(first) = lengths.next() else { return Ok(Framing::until_close()) };
        let first = first.trim_ascii();
        let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(first).ok().and_then(|text| text.parse().ok());
        match number.filter(|_| digits && lengths.all(|other| other.trim_ascii() == first)) {
            Some(length) => Ok(Framing::length(length)),
            None => Err("its Content-Length cannot be".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &str) -> Head {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        Head::read(text.as_bytes()).unwrap().expect("it is whole").0
    }

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody";
        for end in 0..text.len() - 4 {
            assert!(Head::read(&text[..end]).unwrap().is_none(), "{end}");
        }
        let (head, length) = Head::read(text).unwrap().unwrap();
        assert_eq!(length, text.len() - 4);
        assert_eq!((head.status, head.outcome().as_str()), (404, "404 Not Found"));
        assert_eq!(head.field("a"), Some(&b"b"[..]));
        assert!(Head::read(b"220 smtp ready\r\n").is_err());
        let endless = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'a'; HEAD_BYTES]].concat();
        assert!(Head::read(&endless).unwrap_err().contains("does not end"));
    }

    #[test]
    fn the_body_ends_where_the_fields_say() {
        let rows = [
            ("", Ok(Framing::until_close())),
            ("Content-Length: 5\r\n", Ok(Framing::length(5))),
            ("Content-Length: 5, 5\r\nContent-Length: 5\r\n", Ok(Framing::length(5))),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", Err("Content-Length")),
            ("Content-Length: +5\r\n", Err("Content-Length")),
            ("Content-Length: 99999999999999999999\r\n", Err("Content-Length")),
            ("Content-Length: 5\r\nTransfer-Encoding: Chunked\r\n", Ok(Framing::chunked())),
            ("Transfer-Encoding: gzip, chunked\r\n", Err("gzip, chunked")),
        ];
        for (fields, expected) in rows {
            match (head(fields).framing(), expected) {
                (Ok(framing), Ok(expected)) => assert_eq!(framing, expected, "{fields}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{fields}: {why}"),
                (found, _) => panic!("{fields}: {found:?}"),
            }
        }
    }

    #[test]
    fn who_keeps_the_connection_is_known() {
        assert!(head("").keeps && !head("Connection: a, Close\r\n").keeps);
        let old = Head::read(b"HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap().0;
        assert!(!old.keeps);
    }
}
