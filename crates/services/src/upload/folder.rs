//! The folder for uploads, opened anew for each: it may be moved, made anew or mounted meanwhile,
//! and the next upload goes where its name leads then. It is made when it is first needed.
//!
//! A server that is killed leaves temporary files behind. They are unlocked and old, and the first
//! upload at the next server removes them ([`sweep`]).

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstatvfs, fsync, openat,
    statat, unlinkat,
};
use rustix::io::Errno;
use switchboard::socket::seam;

use super::incoming::TEMPORARY;
use crate::http::{Refusal, Status};

/// How old a temporary file is that nobody holds and nobody is about to lock.
const ABANDONED: Duration = Duration::from_secs(60);
/// The most names that are listed.
const NAMES: usize = 1000;

/// The folder, open.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) fd: Arc<OwnedFd>,
}

impl Folder {
    /// Opens the folder, after making it if it is not there.
    ///
    /// # Errors
    /// A refusal that says what the disk says, as for everything here.
    pub(super) fn open(path: &Path, sweeps: bool) -> io::Result<Folder> {
        let path = path.to_owned();
        let opened = seam::blocking(move || {
            fs::create_dir_all(&path)?;
            let fd = open_folder(&path)?;
            if sweeps {
                sweep(&fd);
            }
            Ok(fd)
        });
        opened.map(|fd| Folder { fd: Arc::new(fd) }).map_err(told)
    }

    /// Checks whether there is room for so many bytes, as far as the disk can say now.
    ///
    /// # Errors
    /// A refusal if there is not.
    pub(super) fn check_room(&self, bytes: u64) -> io::Result<()> {
        match fstatvfs(&*self.fd) {
            Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < bytes => {
                Err(told(Errno::NOSPC.into()))
            }
            _ => Ok(()),
        }
    }

    /// Whether something has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Makes sure that the names of what was placed are on the disk too.
    ///
    /// # Errors
    /// A refusal if they are not.
    pub(super) fn settle(&self) -> io::Result<()> {
        let fd = Arc::clone(&self.fd);
        match seam::blocking(move || fsync(&*fd)) {
            // A file system that has no such thing keeps its names in some other way.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            Err(error) => Err(told(error.into())),
        }
    }
}

/// The names and sizes of what is in the folder, sorted; nothing if there is no folder yet.
///
/// # Errors
/// A refusal that says what the disk says.
pub(super) fn list(path: &Path) -> io::Result<Vec<(String, u64)>> {
    let path = path.to_owned();
    let listed: io::Result<_> = seam::blocking(move || {
        let folder = match open_folder(&path) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            folder => folder?,
        };
        let names = Dir::read_from(&folder)?.filter_map(|entry| {
            let entry = entry.ok()?;
            let stat = statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_shown = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && !name.starts_with('.');
            is_shown.then_some((name, u64::try_from(stat.st_size).unwrap_or(0)))
        });
        let mut names: Vec<_> = names.take(NAMES).collect();
        names.sort();
        Ok(names)
    });
    listed.map_err(told)
}

fn open_folder(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

/// Removes the temporary files of servers that were killed. What fails is left to the next time.
fn sweep(folder: &OwnedFd) {
    let Ok(entries) = Dir::read_from(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_bytes().starts_with(TEMPORARY.as_bytes()) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(folder, name, flags, Mode::empty()).map(File::from) else { continue };
        let modified = file.metadata().and_then(|data| data.modified());
        let age = modified.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        if age.is_ok_and(|age| age > ABANDONED)
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            let _ = unlinkat(folder, name, AtFlags::empty());
        }
    }
}

/// What the client is told of the disk.
pub(super) fn told(error: io::Error) -> io::Error {
    let refusal = Refusal::of_file(&error);
    if refusal.status == Status::NotFound {
        let why = "The folder for uploads cannot be found.";
        return Refusal::new(Status::InternalServerError, why).into();
    }
    refusal.into()
}
