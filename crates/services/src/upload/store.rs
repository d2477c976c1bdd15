//! The bytes of one file on their way to the disk, in blocks: while one is received, the one before
//! it is written and hashed, each on a thread of its own.
//!
//! ```text
//!   Block, filled ─► Store::put ─┬─► written ─┐
//!                                └─► hashed ──┴─► the next put waits for both ─► Block, empty
//! ```
//! Whole blocks go to the disk directly (`O_DIRECT`): they are synchronised at the end in any case,
//! so to fill the page cache with them would only cost a copy, and the pages of others. Where the
//! file system cannot (`EINVAL`), and for the rest at the end, the page cache is used.
//!
//! A file smaller than a block is written in one go, with nothing beside.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::panic::resume_unwind;
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use switchboard::socket::seam;
use switchboard::{Builder, JoinHandle};

/// How much is written and hashed at once: enough that going elsewhere for it does not matter. An
/// upload has two of them, of which only what is used takes memory.
const BLOCK_BYTES: usize = 1024 * 1024;
/// What direct writes are aligned to: the page, which is enough for every disk's sectors.
const ALIGNED: usize = 4096;

/// Room for bytes that are collected.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Vec<u8>,
    first: usize,
    filled: usize,
}

impl Block {
    pub(super) fn new() -> Block {
        let bytes = vec![0; BLOCK_BYTES + ALIGNED];
        let first = bytes.as_ptr().align_offset(ALIGNED).min(ALIGNED);
        Block { bytes, first, filled: 0 }
    }

    /// Where more can be put; empty when it is full.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.first..self.first + BLOCK_BYTES][self.filled..]
    }

    /// So many bytes were put there.
    pub(super) fn fill(&mut self, count: usize) {
        self.filled += count;
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == BLOCK_BYTES
    }

    fn content(&self) -> &[u8] {
        &self.bytes[self.first..self.first + self.filled]
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Store {
    /// Elsewhere while something is under way.
    idle: Option<(Output, Sha256)>,
    under_way: Option<UnderWay>,
    /// Whether a block was put already.
    begun: bool,
}

#[derive(Debug)]
struct UnderWay {
    block: Arc<Block>,
    writing: JoinHandle<(Output, io::Result<()>)>,
    hashing: JoinHandle<Sha256>,
}

/// The file, and how it is written to.
#[derive(Debug)]
struct Output {
    file: File,
    direct: bool,
}

impl Store {
    /// Into this file, which is empty.
    pub(super) fn new(file: File) -> Store {
        let idle = Some((Output { file, direct: false }, Sha256::new()));
        Store { idle, under_way: None, begun: false }
    }

    /// Takes a full block and answers an empty one.
    ///
    /// # Errors
    /// Of the disk, for this block or the one before; what a thread or a stack is refused for.
    pub(super) fn put(&mut self, block: Block) -> io::Result<Block> {
        let empty = self.settle()?;
        let (mut output, mut hash) = self.idle.take().expect(SETTLED);
        if !std::mem::replace(&mut self.begun, true) {
            output.set_direct(true);
        }
        let block = Arc::new(block);
        let (written, hashed) = (Arc::clone(&block), Arc::clone(&block));
        let writing = elsewhere(move || {
            let answer = output.write(written.content());
            drop(written);
            (output, answer)
        })?;
        let hashing = elsewhere(move || {
            hash.update(hashed.content());
            drop(hashed);
            hash
        })?;
        self.under_way = Some(UnderWay { block, writing, hashing });
        Ok(empty)
    }

    /// Takes the rest. Answers the file, in which everything is on the disk, and the SHA-256.
    ///
    /// # Errors
    /// As [`put`](Store::put).
    pub(super) fn finish(mut self, rest: Block) -> io::Result<(File, String)> {
        drop(self.settle()?);
        let (mut output, mut hash) = self.idle.take().expect(SETTLED);
        seam::blocking(move || {
            output.set_direct(false);
            hash.update(rest.content());
            output.file.write_all(rest.content())?;
            output.file.sync_all()?;
            let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            Ok((output.file, sha256))
        })
    }

    /// Waits for what is under way, and answers its block, or a new one.
    fn settle(&mut self) -> io::Result<Block> {
        let Some(UnderWay { block, writing, hashing }) = self.under_way.take() else {
            return Ok(Block::new());
        };
        let (output, written) = joined(writing)?;
        self.idle = Some((output, joined(hashing)?));
        written?;
        // Both have let go of it before they ended.
        let mut block = Arc::into_inner(block).unwrap_or_else(Block::new);
        block.filled = 0;
        Ok(block)
    }
}

const SETTLED: &str = "it is elsewhere only while something is under way";

/// Runs work where it may block, beside the caller.
fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name("upload, a block").spawn(move || seam::blocking(work))
}

/// What came of it.
fn joined<T>(handle: JoinHandle<T>) -> io::Result<T> {
    handle.join().map_err(|payload| match switchboard::is_cancel(&*payload) {
        true => io::Error::new(ErrorKind::ConnectionAborted, "cancelled"),
        false => resume_unwind(payload),
    })
}

impl Output {
    /// From now on past the page cache, or through it. Where that cannot be had, it stays.
    fn set_direct(&mut self, direct: bool) {
        if direct == self.direct {
            return;
        }
        let flags = fcntl_getfl(&self.file).map(|flags| flags.difference(OFlags::DIRECT));
        let wanted = if direct { OFlags::DIRECT } else { OFlags::empty() };
        if flags.and_then(|flags| fcntl_setfl(&self.file, flags | wanted)).is_ok() {
            self.direct = direct;
        }
    }

    /// Writes all of it behind what is there.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.direct && is_unsuitable(&error) => self.set_direct(false),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the disk wants direct writes otherwise, or not at all.
fn is_unsuitable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    /// What is stored of these bytes, and what is said of it.
    fn stored(bytes: &[u8], folder: &std::path::Path) -> (Vec<u8>, String) {
        let path = folder.join(format!("switchboard-store-{}", std::process::id()));
        let options = File::options().read(true).write(true).create_new(true).open(&path);
        std::fs::remove_file(&path).unwrap();
        let (mut store, mut block, mut source) =
            (Store::new(options.unwrap()), Block::new(), bytes);
        loop {
            let count = source.read(block.room()).unwrap();
            block.fill(count);
            match count {
                0 => break,
                _ if block.is_full() => block = store.put(block).unwrap(),
                _ => {}
            }
        }
        let (mut file, sha256) = store.finish(block).unwrap();
        let mut back = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut back).unwrap();
        (back, sha256)
    }

    #[test]
    fn every_length_is_stored_whole_with_its_hash_directly_or_not() {
        let bytes: Vec<u8> =
            (0..3 * BLOCK_BYTES as u32 + 5).map(|at| ((at * 31) >> 7) as u8).collect();
        let lengths =
            [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, bytes.len()];
        let folders = [std::env::temp_dir(), "/dev/shm".into()];
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            for length in lengths {
                let bytes = &bytes[..length];
                let (back, sha256) = stored(bytes, folder);
                let expected: String =
                    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                assert!(back == bytes && sha256 == expected, "{length} in {}", folder.display());
            }
        }
    }
}
