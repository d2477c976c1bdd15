//! Doors to the parsers inside this crate, for the targets in `fuzz/`. Not part of the interface:
//! nothing else may use it, and it changes without notice.

use std::io::{self, BufRead, Read};

use crate::chat::words::{self, Command};
use crate::http::{Chunks, Refusal, parse, receive, room};
use crate::upload::multipart::{Multipart, boundary};

/// What a head says that others act on: method, path, whether the connection goes on, and the
/// length of the body, if it is not chunked.
pub type Understood = (String, String, bool, Option<u64>);

/// Receives and parses the head of a request. The source is left behind it.
///
/// # Errors
/// The status of the refusal; zero for an end that came too early.
pub fn read_head(source: &mut impl BufRead) -> Result<Understood, u16> {
    let mut bytes = Vec::new();
    receive(source, &mut bytes).map_err(code)?;
    let mut room = room();
    let head = parse(&bytes, &mut room).map_err(|refusal| refusal.status.code())?;
    Ok((head.method.into(), head.path.into(), head.keep_alive, head.length()))
}

/// Reads a body in chunks to its end. The source is left behind it.
///
/// # Errors
/// The status of the refusal.
pub fn read_chunks(source: &mut impl BufRead) -> Result<Vec<u8>, u16> {
    let (mut chunks, mut body, mut room) = (Chunks::default(), Vec::new(), [0; 512]);
    loop {
        match chunks.read(source, &mut room).map_err(code)? {
            0 => return Ok(body),
            count => body.extend_from_slice(&room[..count]),
        }
    }
}

/// The parts of a form: the file name of each, if it has one, and its bytes.
pub type Parts = Vec<(Option<Vec<u8>>, Vec<u8>)>;

/// Reads a form to its last boundary.
///
/// # Errors
/// The status of the refusal.
pub fn read_form(source: impl Read, boundary: &[u8]) -> Result<Parts, u16> {
    let mut form = Multipart::new(source, boundary);
    let mut parts = Vec::new();
    while let Some(part) = form.next_part().map_err(code)? {
        let mut body = Vec::new();
        while let Some(bytes) = form.chunk().map_err(code)? {
            body.extend_from_slice(bytes);
        }
        parts.push((part.file_name, body));
    }
    Ok(parts)
}

/// The boundary in a `Content-Type`.
#[must_use]
pub fn read_boundary(content_type: &str) -> Option<Vec<u8>> {
    boundary(content_type)
}

/// What a line of a chat becomes: what others are shown of it, if it is talk, and the name that it
/// asks for, of a room or of a member.
#[must_use]
pub fn read_chat_line(line: &[u8]) -> (Option<String>, Option<String>) {
    let line = words::readable(&String::from_utf8_lossy(line));
    match words::read(&line) {
        Command::Say(text) => (Some(text.to_owned()), None),
        Command::Join(name) | Command::Nick(name) => (None, Some(name.to_owned())),
        Command::Unknown(word) => (Some(word.to_owned()), None),
        _ => (None, None),
    }
}

fn code(error: io::Error) -> u16 {
    Refusal::of(error).map_or(0, |refusal| refusal.status.code())
}
