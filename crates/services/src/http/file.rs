//! Reading a piece of a file without holding up anybody else.
//!
//! What lies in the page cache is read at once, since that never waits. What does not is read where
//! waiting is allowed ([`seam::blocking`]): on a thread that is the thread itself, on a coroutine
//! somebody else's.

use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::io::{ReadWriteFlags, preadv2};
use switchboard::socket::seam;

/// These bytes of the file.
///
/// # Errors
/// Of the file; `UnexpectedEof` if it has fewer.
pub(super) fn read(file: File, part: Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(part.end - part.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let cached = read_cached(&file, part.start, &mut bytes);
    if cached == length {
        return Ok(bytes);
    }
    seam::blocking(move || {
        file.read_exact_at(&mut bytes[cached..], part.start + cached as u64)?;
        Ok(bytes)
    })
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
