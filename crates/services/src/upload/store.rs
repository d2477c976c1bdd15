//! The bytes of one file on their way to the disk, in blocks that go round: while one is received,
//! up to three before it are written and hashed.
//!
//! ```text
//!   Block, filled ─► Store::put ─┬─► written, each on a thread of its own ─┐
//!         ▲                      └─► hashed, one after the other ──────────┤
//!         └────────────────── Block, empty ◄── the later of the two ◄──────┘
//! ```
//! **Direct.** Whole blocks go to the disk past the page cache (`O_DIRECT`): they are synchronised
//! at the end in any case, so to fill the cache with them would only cost a copy, and the pages of
//! others. Where the file system cannot (`EINVAL`), and for the rest at the end, the page cache is
//! used.
//!
//! **Ahead.** Writes that make a file longer take turns. So room is allocated before, as much as
//! has come already, and [`AHEAD_BYTES`] and what was announced at most: who lies about a length
//! gets no more of the disk than by sending. What cannot be allocated is not: the write says why.
//!
//! **In one go.** The blocks are hashed by one thread for as long as it finds the next one waiting:
//! the hash is what takes longest, and to wake another thread for each block is a tenth of that. A
//! file smaller than a block is written at once, with nothing beside.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::mem;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{FallocateFlags, OFlags, fallocate, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use switchboard::Builder;
use switchboard::socket::seam;
use switchboard::sync::{Receiver, Sender, channel};

/// How much is written and hashed at once: enough that going elsewhere for it does not matter.
const BLOCK_BYTES: usize = 1024 * 1024;
/// The blocks of one upload, which are its memory: one that is received, one that is hashed, and
/// two that are written, without which a disk does not show what it can do. Each is made when there
/// is none to be had, and takes memory when it is first used.
const BLOCKS: usize = 4;
/// The most room that is allocated before there is something to put there.
const AHEAD_BYTES: u64 = 64 * 1024 * 1024;
/// What direct writes are aligned to: the page, which is enough for every disk's sectors.
const ALIGNED: usize = 4096;

/// Room for bytes that are collected. The default has none.
#[derive(Debug, Default)]
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
    file: Arc<File>,
    hashing: Arc<Mutex<Hashing>>,
    /// The way back of the blocks. `None` after an error.
    give: Option<Sender<io::Result<Block>>>,
    back: Receiver<io::Result<Block>>,
    /// How many blocks there are.
    blocks: usize,
    /// Where the next block goes.
    end: u64,
    /// Up to where room was asked for.
    allocated: u64,
    /// The length that was announced.
    announced: u64,
}

/// Where the hash is.
#[derive(Debug)]
struct Hashing {
    /// Of all blocks before those that wait. Elsewhere while somebody is at it.
    hash: Option<Sha256>,
    waiting: VecDeque<Arc<Piece>>,
}

/// A block that is written and hashed, and goes back when both have let go of it.
#[derive(Debug)]
struct Piece {
    block: Block,
    written: OnceLock<io::Result<()>>,
    file: Arc<File>,
    /// Dropped last: when all of these are gone, the file is closed.
    give: Sender<io::Result<Block>>,
}

impl Store {
    /// Into this file, which is empty and will probably have so many bytes; zero: nobody knows.
    pub(super) fn new(file: File, announced: u64) -> Store {
        let (give, back) = channel(BLOCKS);
        let hashing = Hashing { hash: Some(Sha256::new()), waiting: VecDeque::new() };
        let (file, hashing) = (Arc::new(file), Arc::new(Mutex::new(hashing)));
        Store { file, hashing, give: Some(give), back, blocks: 1, end: 0, allocated: 0, announced }
    }

    /// Takes a full block and answers an empty one.
    ///
    /// # Errors
    /// Of the disk, for this block or one before; what a thread or a stack is refused for.
    pub(super) fn put(&mut self, block: Block) -> io::Result<Block> {
        if self.end == 0 {
            set_direct(&self.file, true);
        }
        let (offset, ahead) = (self.end, self.ahead());
        self.end += BLOCK_BYTES as u64;
        let (file, give) = (Arc::clone(&self.file), self.give.clone().ok_or_else(given_up)?);
        let piece = Arc::new(Piece { block, written: OnceLock::new(), file, give });
        let ours = Arc::clone(&piece);
        elsewhere(move || {
            let written = write(&ours.file, ours.block.content(), offset, ahead);
            ours.written.set(written).expect("it is written once");
        })?;
        self.hash(piece)?;
        if self.blocks < BLOCKS {
            self.blocks += 1;
            return Ok(Block::new());
        }
        self.back()
    }

    /// Takes the rest. Answers the file, in which everything is on the disk, and the SHA-256.
    ///
    /// # Errors
    /// As [`put`](Store::put).
    pub(super) fn finish(mut self, rest: Block) -> io::Result<(Arc<File>, String)> {
        for _ in 1..self.blocks {
            self.back()?;
        }
        let mut hash = lock(&self.hashing).hash.take().ok_or_else(given_up)?;
        let (file, end) = (self.file, self.end);
        seam::blocking(move || {
            hash.update(rest.content());
            if end > 0 {
                set_direct(&file, false);
            }
            file.write_all_at(rest.content(), end)?;
            if end > 0 {
                // What was allocated and not used.
                file.set_len(end + rest.filled as u64)?;
            }
            file.sync_all()?;
            let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            Ok((file, sha256))
        })
    }

    /// How much room is to be allocated from here, if it is time for that.
    fn ahead(&mut self) -> u64 {
        if self.end < self.allocated {
            return 0;
        }
        let ahead = self.announced.saturating_sub(self.end).min(self.end).min(AHEAD_BYTES);
        self.allocated = self.end + ahead;
        ahead
    }

    /// Has the piece hashed, behind those that wait.
    fn hash(&self, piece: Arc<Piece>) -> io::Result<()> {
        let mut hashing = lock(&self.hashing);
        let Some(hash) = hashing.hash.take() else {
            hashing.waiting.push_back(piece);
            return Ok(());
        };
        drop(hashing);
        let hashing = Arc::clone(&self.hashing);
        elsewhere(move || hash_all(&hashing, hash, piece))
    }

    /// Waits for a block to come back. After an error it waits for all of them: when that is told,
    /// nobody holds the file any more.
    fn back(&mut self) -> io::Result<Block> {
        let back = self.back.recv()?;
        if back.is_err() {
            self.give = None;
            while self.back.recv().is_ok() {}
        }
        back.map(|block| Block { filled: 0, ..block })
    }
}

/// Hashes this piece and those that wait. The hash is back before the last of them is.
fn hash_all(hashing: &Mutex<Hashing>, mut hash: Sha256, mut piece: Arc<Piece>) {
    loop {
        hash.update(piece.block.content());
        let mut hashing = lock(hashing);
        let Some(next) = hashing.waiting.pop_front() else {
            hashing.hash = Some(hash);
            return;
        };
        drop(hashing);
        piece = next;
    }
}

fn lock(hashing: &Mutex<Hashing>) -> MutexGuard<'_, Hashing> {
    hashing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Piece {
    fn drop(&mut self) {
        let written = self.written.take().unwrap_or_else(|| Err(given_up()));
        // There is room for all of them. If nobody waits any more, nobody misses it.
        let _ = self.give.send(written.map(|()| mem::take(&mut self.block)));
    }
}

/// Runs work where it may block, beside the caller.
fn elsewhere(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name("upload, a block").spawn(move || seam::blocking(work)).map(drop)
}

/// The end of an upload that is cancelled.
fn given_up() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "cancelled")
}

/// From now on past the page cache, or through it. Where that cannot be had, it stays.
fn set_direct(file: &File, direct: bool) {
    let flags = fcntl_getfl(file).map(|flags| flags.difference(OFlags::DIRECT));
    let wanted = if direct { OFlags::DIRECT } else { OFlags::empty() };
    let _ = flags.and_then(|flags| fcntl_setfl(file, flags | wanted));
}

/// Writes a block, directly if that can be had, after allocating so much from there on.
fn write(file: &File, bytes: &[u8], offset: u64, ahead: u64) -> io::Result<()> {
    if ahead > 0 {
        let _ = fallocate(file, FallocateFlags::empty(), offset, ahead);
    }
    match file.write_all_at(bytes, offset) {
        Err(error) if is_unsuitable(&error) => {
            set_direct(file, false);
            file.write_all_at(bytes, offset)
        }
        written => written,
    }
}

/// Whether the disk wants direct writes otherwise, or not at all.
fn is_unsuitable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::*;

    /// What is stored of these bytes, what is said of it, and what it takes on the disk.
    fn stored(bytes: &[u8], announced: u64, folder: &Path) -> (Vec<u8>, String, u64) {
        let path = folder.join(format!("switchboard-store-{}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (mut store, mut block, mut source) = (Store::new(file, announced), Block::new(), bytes);
        loop {
            let count = source.read(block.room()).unwrap();
            block.fill(count);
            match count {
                0 => break,
                _ if block.is_full() => block = store.put(block).unwrap(),
                _ => {}
            }
        }
        let (file, sha256) = store.finish(block).unwrap();
        let (mut back, mut file) = (Vec::new(), &*file);
        file.rewind().unwrap();
        file.read_to_end(&mut back).unwrap();
        (back, sha256, file.metadata().unwrap().blocks() * 512)
    }

    #[test]
    fn every_length_is_stored_whole_with_its_hash_directly_or_not() {
        let (one, most) = (BLOCK_BYTES, 5 * BLOCK_BYTES + 1);
        let bytes: Vec<u8> = (0..most as u32).map(|at| ((at * 31) >> 7) as u8).collect();
        let folders = [std::env::temp_dir(), "/dev/shm".into()];
        for length in [0, 1, one - 1, one, one + 1, 4 * one, most] {
            let bytes = &bytes[..length];
            let expected: String =
                Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            for folder in folders.iter().filter(|folder| folder.is_dir()) {
                // Nobody knows the length, or somebody lies; in a form there may be other files.
                for announced in [0, 1 << 50] {
                    let (back, sha256, taken) = stored(bytes, announced, folder);
                    let what = format!("{length} of {announced} in {}", folder.display());
                    assert!(back == bytes && sha256 == expected, "{what}");
                    // What was allocated for more has been given back.
                    assert!(taken < (length + one) as u64, "{what} takes {taken}");
                }
            }
        }
    }

    #[test]
    fn no_more_is_allocated_than_has_come_or_was_announced() {
        let file = File::options().write(true).open("/dev/null").unwrap();
        for announced in [0, 1, 7 << 20, 100 << 20, u64::MAX] {
            let mut store = Store::new(file.try_clone().unwrap(), announced);
            let mut most = 0;
            for block in 0..300 {
                let end = block * BLOCK_BYTES as u64;
                store.end = end;
                let ahead = store.ahead();
                assert!(ahead <= end.min(AHEAD_BYTES), "{ahead} at {end}");
                assert!(ahead == 0 || end + ahead <= announced, "{ahead} at {end}");
                most = most.max(ahead);
            }
            assert_eq!(most, if announced == u64::MAX { AHEAD_BYTES } else { most });
            assert_eq!(most > 0, announced > BLOCK_BYTES as u64);
        }
    }
}
