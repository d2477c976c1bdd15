//! Upper: each chunk comes back in capitals. For all of Unicode.
//!
//! TCP cuts a text anywhere, also inside a character. The at most three bytes of a character that
//! is not complete yet are kept until the rest is there, so that no character is ever broken; at
//! the end they are sent as they are. Bytes that are not UTF-8 pass unchanged.
//!
//! What it deliberately does not do: follow a language's own rules (Turkish i) or change the case
//! of anything that has none. A capital may take more room: `ß` becomes `SS`.

use std::io::{self, Read, Write};
use std::str;

use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Service};

use crate::{Row, Settings};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "upper",
    summary: "text comes back in capitals",
    details: "Each chunk is sent back upper-cased, ASCII and Unicode alike. Bytes that are not \
              UTF-8 pass unchanged, and a character that arrives in two pieces is not broken.",
    port: 8888,
    schemes: &[Scheme::Tcp],
    example: "nc {host} {port}",
    settings: &[],
    make,
    transcript: r"
$ upper
> hello
< HELLO
> straße, été\n
< STRASSE, ÉTÉ\n
> half a character: \xc3
< HALF A CHARACTER:\x20
> \xa9, and no character: \xff\n
< É, AND NO CHARACTER: \xff\n
",
};

/// How much is read at once.
const BUFFER_BYTES: usize = 8 * 1024;

/// A UTF-8 character has at most four bytes, so that an incomplete one has at most three.
const CHARACTER_MAX: usize = 4;

fn make(_: &Settings) -> io::Result<Box<dyn Service>> {
    Ok(Box::new(Upper))
}

struct Upper;

impl Service for Upper {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Upper)
    }
}

impl Handler for Upper {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut buffer = [0; CHARACTER_MAX + BUFFER_BYTES];
        let mut held = 0; // bytes of an incomplete character, at the front of the buffer
        while connection.next_request()? {
            let end = held + connection.read(&mut buffer[held..])?;
            let done = upper(&mut buffer[..end], connection)?;
            buffer.copy_within(done..end, 0);
            held = end - done;
        }
        connection.write_all(&buffer[..held])
    }
}

/// Writes `bytes` in capitals and answers how many it took: all but an incomplete character at the
/// end. The buffer is free to be changed.
fn upper(bytes: &mut [u8], out: &mut impl Write) -> io::Result<usize> {
    if bytes.is_ascii() {
        bytes.make_ascii_uppercase();
        out.write_all(bytes)?;
        return Ok(bytes.len());
    }
    let mut done = 0;
    for chunk in bytes.utf8_chunks() {
        write_upper(chunk.valid(), out)?;
        let (valid, invalid) = (chunk.valid().len(), chunk.invalid());
        done += valid;
        if done + invalid.len() == bytes.len() && is_incomplete(invalid) {
            break;
        }
        out.write_all(invalid)?;
        done += invalid.len();
    }
    Ok(done)
}

/// Whether more bytes could make a character of these.
fn is_incomplete(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Writes character by character: the whole text in capitals may be three times as long.
fn write_upper(text: &str, out: &mut impl Write) -> io::Result<()> {
    for character in text.chars().flat_map(char::to_uppercase) {
        out.write_all(character.encode_utf8(&mut [0; CHARACTER_MAX]).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever way the bytes are cut, the answer is that of the whole.
    fn all_cuts(input: &[u8], expected: &[u8]) {
        for cut in 0..=input.len() {
            let (mut out, mut buffer) = (Vec::new(), Vec::new());
            for piece in [&input[..cut], &input[cut..]] {
                buffer.extend_from_slice(piece);
                let done = upper(&mut buffer, &mut out).unwrap();
                buffer.drain(..done);
                assert!(buffer.len() < CHARACTER_MAX, "too much held: {buffer:?}");
            }
            out.extend_from_slice(&buffer);
            assert_eq!(out, expected, "cut at {cut}");
        }
    }

    #[test]
    fn no_cut_breaks_a_character() {
        all_cuts(b"hello", b"HELLO");
        all_cuts("aéß€😀z".as_bytes(), "AÉSS€😀Z".as_bytes());
        let longer = "ŉ ǰ ΐ ﬃ"; // in capitals up to three characters each
        all_cuts(longer.as_bytes(), longer.to_uppercase().as_bytes());
    }

    #[test]
    fn what_is_not_utf8_passes() {
        all_cuts(b"a\xffb\xc3\x28c", b"A\xffB\xc3\x28C");
        all_cuts(b"\xf0\x9f\x98", b"\xf0\x9f\x98");
        all_cuts(b"\xed\xa0\x80 surrogate", b"\xed\xa0\x80 SURROGATE");
        let all: Vec<u8> = (0..=255).collect();
        let expected: Vec<u8> = all.iter().map(u8::to_ascii_uppercase).collect();
        all_cuts(&all, &expected);
    }
}
