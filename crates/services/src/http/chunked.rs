//! The chunked transfer coding, RFC 9112, section 7.1, both ways.
//!
//! Each chunk has its size in front, in hexadecimal; an empty one is the last. Reading is strict,
//! because a size that two programs read differently hides a request in a body: digits only, then
//! CRLF or an extension, of which the content means nothing here. Trailers are read and dropped:
//! nothing here has a use for them, and whoever merges them into the head can be told anything.

use std::io::{self, BufRead, ErrorKind, Write};

use memchr::memchr;

use super::status::{Status, refuse};

/// The longest line of a size with its extensions.
const LINE_BYTES: usize = 256;
/// The longest trailer, and how many of them are read over.
const TRAILER_BYTES: usize = 1024;
const TRAILERS: usize = 16;
/// Digits of the largest size that is read; sixteen would be more than a file can have.
const DIGITS: usize = 15;

/// Where the reader is in a chunked body.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the line of a size.
    #[default]
    Size,
    /// In a chunk, with so many bytes to come.
    Data(u64),
    /// Behind the last chunk and its trailers.
    Done,
}

impl Chunks {
    /// Whether everything was read, trailers too.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads what the chunks contain; zero at the end. `buffer` must have room.
    ///
    /// # Errors
    /// Of the source; a refusal for chunks that are none, and for a body that ends too early.
    pub(crate) fn read(
        &mut self,
        source: &mut impl BufRead,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        if self.state == State::Size {
            self.state = match read_size(source)? {
                0 => {
                    skip_trailers(source)?;
                    State::Done
                }
                size => State::Data(size),
            };
        }
        let State::Data(left) = self.state else { return Ok(0) };
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = source.read(&mut buffer[..room])?;
        if count == 0 {
            return Err(cut_short());
        }
        self.state = match left - count as u64 {
            0 => {
                end_of_chunk(source)?;
                State::Size
            }
            left => State::Data(left),
        };
        Ok(count)
    }
}

/// Reads the line of a size.
fn read_size(source: &mut impl BufRead) -> io::Result<u64> {
    let mut room = [0; LINE_BYTES];
    let line = read_line(source, &mut room)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at(digits);
    let extension = rest.trim_ascii_start();
    // Spaces are allowed before an extension only, and nothing in one is shown to anybody.
    let sound = rest.is_empty() || extension.starts_with(b";");
    let plain = rest.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    if !(1..=DIGITS).contains(&digits) || !sound || !plain {
        return Err(no_chunk());
    }
    let value =
        |size: u64, digit: &u8| size << 4 | char::from(*digit).to_digit(16).map_or(0, u64::from);
    Ok(size.iter().fold(0, value))
}

/// Reads over the line end that follows the bytes of a chunk.
fn end_of_chunk(source: &mut impl BufRead) -> io::Result<()> {
    match read_line(source, &mut [0; 2])? {
        [] => Ok(()),
        _ => Err(no_chunk()),
    }
}

/// Reads over everything up to the empty line.
fn skip_trailers(source: &mut impl BufRead) -> io::Result<()> {
    let mut left = TRAILERS;
    while !read_line(source, &mut [0; TRAILER_BYTES])?.is_empty() {
        left = left.checked_sub(1).ok_or_else(no_chunk)?;
    }
    Ok(())
}

/// Reads a line that ends with CRLF, both of which are gone in the answer, and fits `room` with it.
fn read_line<'r>(source: &mut impl BufRead, room: &'r mut [u8]) -> io::Result<&'r [u8]> {
    let mut length = 0;
    loop {
        let arrived = match source.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            arrived => arrived?,
        };
        if arrived.is_empty() {
            return Err(cut_short());
        }
        let end = memchr(b'\n', arrived);
        let part = &arrived[..end.map_or(arrived.len(), |end| end + 1)];
        let place = room.get_mut(length..length + part.len()).ok_or_else(no_chunk)?;
        place.copy_from_slice(part);
        let taken = part.len();
        length += taken;
        source.consume(taken);
        if end.is_some() {
            break;
        }
    }
    let line = room[..length].strip_suffix(b"\r\n").ok_or_else(no_chunk)?;
    if memchr(b'\r', line).is_some() { Err(no_chunk()) } else { Ok(line) }
}

fn no_chunk() -> io::Error {
    refuse(Status::BadRequest, "The body does not come in proper chunks.")
}

/// A body that ends before its time.
pub(super) fn cut_short() -> io::Error {
    refuse(Status::BadRequest, "The body ended too early.")
}

/// Writes a body in chunks: one for each write, which had better not be small.
#[derive(Debug)]
pub(crate) struct ChunkWriter<W: Write> {
    inner: W,
}

impl<W: Write> ChunkWriter<W> {
    pub(crate) fn new(inner: W) -> ChunkWriter<W> {
        ChunkWriter { inner }
    }

    /// Writes the last chunk.
    ///
    /// # Errors
    /// Of the writer.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.inner.write_all(b"0\r\n\r\n")
    }
}

impl<W: Write> Write for ChunkWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            write!(self.inner, "{:x}\r\n", bytes.len())?;
            self.inner.write_all(bytes)?;
            self.inner.write_all(b"\r\n")?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    /// What a body contains, read in pieces of `piece` bytes, and what follows it.
    fn read(bytes: &[u8], piece: usize) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let mut source = BufReader::with_capacity(piece, bytes);
        let (mut chunks, mut body, mut room) = (Chunks::default(), Vec::new(), vec![0; piece]);
        loop {
            let count = chunks.read(&mut source, &mut room)?;
            body.extend_from_slice(&room[..count]);
            if count == 0 {
                assert!(chunks.is_done());
                let mut rest = Vec::new();
                source.read_to_end(&mut rest)?;
                return Ok((body, rest));
            }
        }
    }

    #[test]
    fn what_was_written_is_read_however_it_is_cut() {
        let mut bytes = Vec::new();
        let mut writer = ChunkWriter::new(&mut bytes);
        for part in ["a", "", "bcd", &"x".repeat(300)] {
            writer.write_all(part.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        bytes.extend_from_slice(b"next");
        let expected = (("abcd".to_owned() + &"x".repeat(300)).into_bytes(), b"next".to_vec());
        for piece in 1..=bytes.len() {
            assert_eq!(read(&bytes, piece).unwrap(), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_allowed_is_read() {
        let rows = [
            ("0\r\n\r\n", ""),
            ("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n", "x"),
            ("1 ;a\r\nx\r\n0\r\n\r\n", "x"),
            ("00a\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
            ("A\r\n0123456789\r\n0\r\nA: b\r\nContent-Length: 5\r\n\r\n", "0123456789"),
        ];
        for (bytes, body) in rows {
            let (read, rest) = read(bytes.as_bytes(), 7).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!((read.as_slice(), rest.len()), (body.as_bytes(), 0), "{bytes:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let rows = [
            "",
            "\r\n",
            "x\r\n",
            "0x1\r\na\r\n0\r\n\r\n",
            "+1\r\na\r\n0\r\n\r\n",
            "-1\r\na\r\n0\r\n\r\n",
            "1\na\n0\n\n",
            "1\r\na\n0\r\n\r\n",
            "1\r\na\r\n0\n\r\n",
            "1\r\na\r\n0\r\n\n",
            "1\r\nab\r\n0\r\n\r\n",
            "2\r\na\r\n0\r\n\r\n",
            "1\r\n\r\na\r\n0\r\n\r\n",
            "1 \r\na\r\n0\r\n\r\n",
            " 1\r\na\r\n0\r\n\r\n",
            "1;a\rb\r\na\r\n0\r\n\r\n",
            "1;\0\r\na\r\n0\r\n\r\n",
            "1,\r\na\r\n0\r\n\r\n",
            "1\r\na\r\n",
            "1\r\na\r\n0\r\n",
            "1\r\na\r\n0\r\nA: b\r\n",
            "1\r\na\r\n0\r\nA: b\n\r\n",
            "0000000000000001\r\na\r\n0\r\n\r\n",
            "ffffffffffffffff\r\na\r\n0\r\n\r\n",
        ];
        for bytes in rows {
            assert!(read(bytes.as_bytes(), 7).is_err(), "{bytes:?}");
        }
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(LINE_BYTES));
        assert!(read(long.as_bytes(), 100).is_err());
        let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(TRAILERS + 1));
        assert!(read(many.as_bytes(), 100).is_err());
    }
}
