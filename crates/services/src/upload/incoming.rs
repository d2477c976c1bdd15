//! How a file gets into the folder: whole and for good, or not at all.
//!
//! ```text
//!   Incoming::begin ──bytes──► Incoming::seal ─► Whole ─► Whole::place ─► Folder::settle
//!    a temporary    written and     fsync                    rename          fsync of the
//!    file, locked   hashed                                   NOREPLACE       folder
//! ```
//! A name appears only when everything behind it is on the disk, by `renameat2(2)`, which does not
//! overwrite. Until then the bytes lie in a hidden file of the same folder; whoever drops an
//! [`Incoming`] or a [`Whole`] on the way, for whatever reason, removes that.
//!
//! The disk blocks, so all of this runs where that is allowed ([`seam::blocking`]); how the bytes
//! get there is in `store.rs`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RenameFlags, flock, linkat, openat, renameat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use switchboard::socket::seam;

use super::folder::{Folder, told};
use super::name::numbered;
use super::store::{Block, Store};
use crate::http::{Status, refuse};

/// How a temporary file is called; the process and a number follow.
pub(super) const TEMPORARY: &str = ".switchboard-upload-";
/// How many numbers are tried for a name that is taken.
const NUMBERS: u32 = 10_000;

/// What to do about a name that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Refuse.
    Refuse,
    /// Take the next free one: `name-1.txt`.
    Number,
    /// Replace what has it.
    Replace,
}

/// A file that is being received.
#[derive(Debug)]
pub(super) struct Incoming {
    temporary: Temporary,
    size: u64,
    store: Store,
    /// Elsewhere only while it is put there.
    block: Option<Block>,
}

impl Incoming {
    /// Begins a file of which so many bytes are announced; zero: nobody knows.
    ///
    /// # Errors
    /// A refusal that says what the disk says.
    pub(super) fn begin(folder: &Folder, announced: u64) -> io::Result<Incoming> {
        let fd = Arc::clone(&folder.fd);
        let (temporary, file) = seam::blocking(move || Temporary::create(fd)).map_err(told)?;
        let (store, block) = (Store::new(file, announced), Some(Block::new()));
        Ok(Incoming { temporary, size: 0, store, block })
    }

    /// Takes all that `source` has.
    ///
    /// # Errors
    /// Of the source, unchanged; a refusal that says what the disk says.
    pub(super) fn take_all(&mut self, source: &mut impl Read) -> io::Result<()> {
        while self.take_some(source)? > 0 {}
        Ok(())
    }

    /// Takes these bytes.
    ///
    /// # Errors
    /// A refusal that says what the disk says.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.take_all(&mut bytes)
    }

    /// How much was taken.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Ends the file: all of it is on the disk when this returns.
    ///
    /// # Errors
    /// A refusal that says what the disk says. The file is gone then, since nobody knows what of it
    /// is on the disk.
    pub(super) fn seal(mut self) -> io::Result<Whole> {
        let block = self.block.take().expect(HERE);
        let (file, sha256) = self.store.finish(block).map_err(told)?;
        Ok(Whole { temporary: self.temporary, _lock: file, size: self.size, sha256 })
    }

    fn take_some(&mut self, source: &mut impl Read) -> io::Result<usize> {
        let block = self.block.as_mut().expect(HERE);
        let count = source.read(block.room())?;
        block.fill(count);
        self.size += count as u64;
        if block.is_full() {
            let full = self.block.take().expect(HERE);
            self.block = Some(self.store.put(full).map_err(told)?);
        }
        Ok(count)
    }
}

const HERE: &str = "it is elsewhere only inside `take_some`, and after an error of it";

/// A file that is whole and has no name yet.
#[derive(Debug)]
pub(super) struct Whole {
    temporary: Temporary,
    /// Open for as long as the temporary name is not to be taken for abandoned.
    _lock: Arc<File>,
    size: u64,
    sha256: String,
}

/// A file that has its name.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// Whether another file had the name before.
    pub(super) replaced: bool,
}

impl Whole {
    /// Gives it its name.
    ///
    /// # Errors
    /// A refusal: the name is taken, or what the disk says.
    pub(super) fn place(mut self, wanted: &str, taken: Taken) -> io::Result<Saved> {
        let wanted = wanted.to_owned();
        let placed = seam::blocking(move || {
            let (name, replaced) = self.temporary.rename(&wanted, taken)?;
            Ok(Saved { name, size: self.size, sha256: self.sha256, replaced })
        });
        placed.map_err(|error| match error {
            Errno::EXIST | Errno::ISDIR | Errno::NOTEMPTY => name_taken(),
            error => told(error.into()),
        })
    }
}

/// The refusal of a name that something else has.
pub(super) fn name_taken() -> io::Error {
    let why = "Something has this name already, and it is not overwritten: take another name.";
    refuse(Status::Conflict, why)
}

/// A temporary name, gone when this is dropped.
#[derive(Debug)]
struct Temporary {
    folder: Arc<OwnedFd>,
    name: Option<String>,
}

impl Temporary {
    fn create(folder: Arc<OwnedFd>) -> io::Result<(Temporary, File)> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        loop {
            let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Relaxed));
            let name = format!("{TEMPORARY}{process}-{number}");
            let file = match openat(&*folder, &name, flags, Mode::from_raw_mode(0o666)) {
                // Another machine, or another namespace, numbers its processes as well.
                Err(Errno::EXIST) => continue,
                file => File::from(file?),
            };
            // A file system without locks only goes without the sweeping.
            let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
            return Ok((Temporary { folder, name: Some(name) }, file));
        }
    }

    /// Renames it; answers the name it got, and whether that was another file's.
    fn rename(&mut self, wanted: &str, taken: Taken) -> rustix::io::Result<(String, bool)> {
        let name = self.name.as_deref().expect("it is renamed once");
        let at = &*self.folder;
        let placed = match taken {
            Taken::Replace => {
                let replaced = statat(at, wanted, AtFlags::SYMLINK_NOFOLLOW).is_ok();
                renameat(at, name, at, wanted)?;
                (wanted.to_owned(), replaced)
            }
            Taken::Refuse => {
                rename_new(at, name, wanted)?;
                (wanted.to_owned(), false)
            }
            Taken::Number => {
                let mut names = (0..NUMBERS).map(|number| numbered(wanted, number));
                let placed = names.find_map(|free| match rename_new(at, name, &free) {
                    Err(Errno::EXIST) => None,
                    answer => Some(answer.map(|()| free)),
                });
                (placed.unwrap_or(Err(Errno::EXIST))?, false)
            }
        };
        self.name = None;
        Ok(placed)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // If it cannot be removed now, the next server's sweep tries again.
            let _ = unlinkat(&*self.folder, name, AtFlags::empty());
        }
    }
}

/// Renames to a name that nothing has. `EEXIST` if something has it.
fn rename_new(at: &OwnedFd, from: &str, to: &str) -> rustix::io::Result<()> {
    match renameat_with(at, from, at, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot, but a hard link does not overwrite either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            linkat(at, from, at, to, AtFlags::empty())?;
            unlinkat(at, from, AtFlags::empty())
        }
        answer => answer,
    }
}
