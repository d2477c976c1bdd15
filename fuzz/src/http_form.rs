//! Forms with files: any bytes are read or refused, alike however they arrive, and no part contains
//! what divides the parts.

use std::io::{BufReader, Read};

use services::fuzz::{read_boundary, read_form};

/// Reads the bytes as a form whose boundary is `b`, at once and one by one, and the first line of
/// them as a `Content-Type`.
pub(crate) fn run(bytes: &[u8]) {
    let answer = read_form(bytes, b"b");
    let piecewise = read_form(OneByOne(bytes), b"b");
    assert_eq!(answer, piecewise);
    assert_eq!(answer, read_form(BufReader::with_capacity(3, bytes), b"b"));
    for (_, body) in answer.iter().flatten() {
        assert!(!body.windows(5).any(|window| window == b"\r\n--b"));
        assert!(body.len() <= bytes.len());
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Some(boundary) = std::str::from_utf8(line).ok().and_then(read_boundary) {
        assert!((1..=70).contains(&boundary.len()));
        let _ = read_form(bytes, &boundary);
    }
}

/// A source that is never in a hurry.
struct OneByOne<'a>(&'a [u8]);

impl Read for OneByOne<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}
