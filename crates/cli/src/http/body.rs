//! The body of an answer, taken out of what it is wrapped in.
//!
//! ```text
//!   Content-Length     count down            cut short if the peer closes before zero
//!   chunked            size CRLF data CRLF … 0 CRLF trailers CRLF      cut short before the end
//!   neither            all until the peer closes: nobody can tell whether that is all
//! ```
//! Bytes are pushed in as they come and body bytes come out, without a copy and without a wait, so
//! that a client that reads and one that is told of readiness can both use it. RFC 9112, 6 and 7.

/// The longest line of a chunk's size, and the longest trailer.
const LINE_BYTES: usize = 4096;

/// The most trailers, which are read over.
const TRAILERS: u32 = 64;

/// How the end of a body is known, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Framing(State);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// So many bytes are left.
    Length(u64),
    UntilClose,
    /// In the line of a size, of which this has come.
    Size(Vec<u8>),
    /// So many bytes of the chunk are left.
    Chunk(u64),
    /// Behind a chunk; so many bytes of its CRLF have come.
    ChunkEnd(u8),
    /// In the trailer of this number, of which this has come.
    Trailer(u32, Vec<u8>),
    Ended,
}

/// What [`Framing::step`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// Bytes of the body; never none.
    Bytes(&'a [u8]),
    /// The input is used up, the body is not over.
    More,
    /// The body is over. What is left of the input is not part of it.
    End,
}

impl Framing {
    pub(crate) fn length(bytes: u64) -> Framing {
        Framing(State::Length(bytes))
    }

    pub(crate) fn chunked() -> Framing {
        Framing(State::Size(Vec::new()))
    }

    pub(crate) fn until_close() -> Framing {
        Framing(State::UntilClose)
    }

    /// The length of the whole body, if it was said beforehand and nothing has come yet.
    pub(crate) fn total(&self) -> Option<u64> {
        match self.0 {
            State::Length(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether the body is whole if the peer closes now.
    pub(crate) fn may_end(&self) -> bool {
        matches!(self.0, State::UntilClose | State::Ended | State::Length(0))
    }

    /// Takes the next part of the body off the front of `input`.
    ///
    /// # Errors
    /// What is wrong with the chunks.
    pub(crate) fn step<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, String> {
        loop {
            let state = std::mem::replace(&mut self.0, State::Ended);
            if matches!(state, State::Ended | State::Length(0)) {
                return Ok(Step::End);
            }
            if input.is_empty() {
                self.0 = state;
                return Ok(Step::More);
            }
            self.0 = match state {
                State::Ended => State::Ended,
                State::UntilClose => {
                    self.0 = State::UntilClose;
                    return Ok(Step::Bytes(std::mem::take(input)));
                }
                State::Length(left) => {
                    let (bytes, left) = cut(input, left);
                    self.0 = State::Length(left);
                    return Ok(Step::Bytes(bytes));
                }
                State::Chunk(left) => {
                    let (bytes, left) = cut(input, left);
                    self.0 = if left == 0 { State::ChunkEnd(0) } else { State::Chunk(left) };
                    return Ok(Step::Bytes(bytes));
                }
                State::ChunkEnd(seen) => chunk_end(input, seen)?,
                State::Size(line) => match take_line(input, line)? {
                    Line::Open(line) => State::Size(line),
                    Line::Whole(line) => match size(&line)? {
                        0 => State::Trailer(0, Vec::new()),
                        size => State::Chunk(size),
                    },
                },
                State::Trailer(number, line) => match take_line(input, line)? {
                    Line::Open(line) => State::Trailer(number, line),
                    Line::Whole(line) if line.is_empty() => State::Ended,
                    Line::Whole(_) if number == TRAILERS => {
                        return Err("the body has too many trailers".into());
                    }
                    Line::Whole(_) => State::Trailer(number + 1, Vec::new()),
                },
            };
        }
    }
}

/// At most `most` bytes off the front, and how many of them are then left.
fn cut<'a>(input: &mut &'a [u8], most: u64) -> (&'a [u8], u64) {
    let count = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    let (bytes, rest) = input.split_at(count);
    *input = rest;
    (bytes, most - count as u64)
}

fn chunk_end(input: &mut &[u8], seen: u8) -> Result<State, String> {
    let (byte, _) = cut(input, 1);
    match (seen, byte) {
        (0, b"\r") => Ok(State::ChunkEnd(1)),
        (_, b"\n") => Ok(State::Size(Vec::new())),
        _ => Err("a chunk is longer than its size".into()),
    }
}

enum Line {
    /// Without its end so far.
    Open(Vec<u8>),
    /// Without its CRLF.
    Whole(Vec<u8>),
}

fn take_line(input: &mut &[u8], mut line: Vec<u8>) -> Result<Line, String> {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (bytes, _) = cut(input, end.map_or(input.len(), |end| end + 1) as u64);
    line.extend_from_slice(bytes);
    if line.len() > LINE_BYTES {
        return Err("a line between the chunks does not end".into());
    }
    if end.is_none() {
        return Ok(Line::Open(line));
    }
    line.pop();
    line.pop_if(|last| *last == b'\r');
    Ok(Line::Whole(line))
}

/// The number at the beginning of the line, in hexadecimal; extensions mean nothing here.
fn size(line: &[u8]) -> Result<u64, String> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain);
    let size = text.and_then(|text| u64::from_str_radix(text, 16).ok());
    size.ok_or_else(|| "the size of a chunk is not a number".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How, what, and then: the body, whether it is whole, and how many bytes are left.
    type Row<'a> = (Framing, &'a [u8], &'a [u8], bool, usize);

    /// Pushes `input` in two pieces; answers the body, whether it ended, and what is left.
    fn all(
        mut framing: Framing,
        input: &[u8],
        at: usize,
    ) -> Result<(Vec<u8>, bool, usize), String> {
        let (mut body, mut left) = (Vec::new(), 0);
        for mut piece in [&input[..at], &input[at..]] {
            loop {
                match framing.step(&mut piece)? {
                    Step::Bytes(bytes) => body.extend_from_slice(bytes),
                    Step::More => break,
                    Step::End => {
                        left += piece.len();
                        break;
                    }
                }
            }
        }
        Ok((body, framing.may_end(), left))
    }

    #[test]
    fn bodies_come_out_whole_however_they_come_in() {
        let chunks = b"3;a=b\r\nabc\r\n00a\r\n0123456789\r\n0\r\nT: u\r\n\r\nnext";
        let rows: [Row<'_>; 5] = [
            (Framing::length(3), b"abcd", b"abc", true, 1),
            (Framing::length(5), b"abcd", b"abcd", false, 0),
            (Framing::until_close(), b"abcd", b"abcd", true, 0),
            (Framing::chunked(), chunks, b"abc0123456789", true, 4),
            (Framing::chunked(), &chunks[..30], b"abc0123456789", false, 0),
        ];
        for (framing, input, body, whole, left) in rows {
            for at in 0..=input.len() {
                let found = all(framing.clone(), input, at).unwrap();
                assert_eq!(found, (body.to_vec(), whole, left), "cut at {at}");
            }
        }
    }

    #[test]
    fn chunks_that_are_none_are_refused() {
        let long = [b"1;".to_vec(), vec![b'a'; LINE_BYTES]].concat();
        let rows: [&[u8]; 7] = [
            b"x\r\n",
            b"\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"1\r\nab\r\n",
            b"ffffffffffffffffff\r\n",
            &long,
        ];
        for input in rows {
            assert!(all(Framing::chunked(), input, 0).is_err(), "{}", input.escape_ascii());
        }
    }
}
