//! Reading a piece of a file without holding up anybody else.
//!
//! What lies in the page cache is read at once, since that never waits. What does not is read where
//! waiting is allowed ([`seam::blocking`]): on a thread that is the thread itself, on a coroutine
//! somebody else's.
//!
//! The bytes go into a buffer that the thread keeps for the next piece, with room for a head in
//! front of them, so that both leave in one send and nothing is allocated or cleared for them.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::io::{ReadWriteFlags, preadv2};
use switchboard::socket::seam;

/// Room for the head of an answer with a file; a longer one is an allocation.
const HEAD_ROOM: usize = 1024;
/// The largest buffer that a thread keeps.
const KEPT_BYTES: usize = HEAD_ROOM + 64 * 1024;

thread_local! {
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes of a file, with room in front.
#[derive(Debug)]
pub(super) struct Piece {
    buffer: Vec<u8>,
    length: usize,
}

impl Piece {
    /// Reads these bytes of the file.
    ///
    /// # Errors
    /// Of the file; `UnexpectedEof` if it has fewer.
    pub(super) fn read(file: &Arc<File>, part: Range<u64>) -> io::Result<Piece> {
        let length = usize::try_from(part.end - part.start).map_err(io::Error::other)?;
        let mut buffer = KEPT.take();
        if buffer.len() < HEAD_ROOM + length {
            buffer.resize(HEAD_ROOM + length, 0);
        }
        let mut piece = Piece { buffer, length };
        let cached = read_cached(file, part.start, piece.bytes());
        if cached == length {
            return Ok(piece);
        }
        let file = Arc::clone(file);
        seam::blocking(move || {
            file.read_exact_at(&mut piece.bytes()[cached..], part.start + cached as u64)?;
            Ok(piece)
        })
    }

    /// The same bytes with `head` in front of them.
    pub(super) fn behind(&mut self, head: &[u8]) -> &[u8] {
        let end = HEAD_ROOM + self.length;
        match HEAD_ROOM.checked_sub(head.len()) {
            Some(first) => {
                self.buffer[first..HEAD_ROOM].copy_from_slice(head);
                &self.buffer[first..end]
            }
            None => {
                self.buffer.splice(..HEAD_ROOM, head.iter().copied());
                &self.buffer[..head.len() + self.length]
            }
        }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.buffer[HEAD_ROOM..HEAD_ROOM + self.length]
    }
}

/// Leaves the buffer to the thread's next piece.
impl Drop for Piece {
    fn drop(&mut self) {
        if self.buffer.len() <= KEPT_BYTES {
            KEPT.set(std::mem::take(&mut self.buffer));
        }
    }
}

/// Reads what needs no waiting, and answers how much that was.
fn read_cached(file: &File, offset: u64, bytes: &mut [u8]) -> usize {
    let mut done = 0;
    while done < bytes.len() {
        let mut room = [IoSliceMut::new(&mut bytes[done..])];
        match preadv2(file, &mut room, offset + done as u64, ReadWriteFlags::NOWAIT) {
            Ok(count) if count > 0 => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // It would wait, or the file system cannot tell, or the file has become shorter.
            _ => break,
        }
    }
    done
}
