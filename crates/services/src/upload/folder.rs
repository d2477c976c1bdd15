//! The folder for uploads, opened anew for each: it may be moved, made anew or mounted meanwhile,
//! and the next upload goes where its name leads then. It is made when it is first needed.
//!
//! A server that is killed leaves temporary files behind. They are unlocked and old, or will be,
//! and uploads at the next server remove them ([`Sweeps`]).

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{
    Access, AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, accessat, flock, fstatvfs,
    fsync, openat, statat, unlinkat,
};
use rustix::io::Errno;
use switchboard::socket::seam;

use super::incoming::TEMPORARY;
use crate::http::{Refusal, Status};

/// How old a temporary file is that nobody holds and nobody is about to lock.
const ABANDONED: Duration = Duration::from_secs(10);
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

/// Looks whether there is such a folder to write to, or could be, and makes nothing. What nobody
/// can know before it is tried (a quota, a disk that fails) the first upload finds.
///
/// # Errors
/// A sentence about what is in the way, with its kind: `NotADirectory`, `PermissionDenied`,
/// `ReadOnlyFilesystem`, or what is wrong with the name.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let name = |path: &Path| match path.display().to_string().escape_debug().to_string() {
        name if name.is_empty() => "\"\"".to_owned(),
        name => name,
    };
    let what = |error: io::Error, nearest: &Path| {
        let (path, nearest, why) = (name(path), name(nearest), switchboard::plain(&error));
        let what = match (path == nearest, error.kind()) {
            (true, ErrorKind::NotADirectory) => format!("{path} is not a folder"),
            (false, ErrorKind::NotADirectory) => {
                format!("{path} cannot be made: {nearest} is not a folder")
            }
            (true, _) => format!("{path}: {why}"),
            (false, _) => format!("{path} cannot be made: {nearest}: {why}"),
        };
        io::Error::new(error.kind(), what)
    };
    let exists = |one: &Path| match one.symlink_metadata() {
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            Ok(false)
        }
        answer => answer.map(|_| true),
    };
    let mut nearest = path;
    while !exists(nearest).map_err(|error| what(error, path))? {
        nearest = match nearest.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(what(Errno::NOENT.into(), path)),
        };
    }
    if !nearest.metadata().map_err(|error| what(error, nearest))?.is_dir() {
        return Err(what(ErrorKind::NotADirectory.into(), nearest));
    }
    let access = if nearest == path { Access::READ_OK } else { Access::empty() };
    match accessat(CWD, nearest, access | Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Err(error @ (Errno::ACCESS | Errno::ROFS)) => Err(what(error.into(), nearest)),
        _ => Ok(()),
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

/// When the files of servers that were killed are looked for: at the first upload, and once more
/// when those are old that were too young for that.
#[derive(Debug, Default)]
pub(super) struct Sweeps {
    first: OnceLock<Instant>,
    second: AtomicBool,
}

impl Sweeps {
    /// Whether it is time. Whoever is told so sweeps.
    pub(super) fn are_due(&self, now: Instant) -> bool {
        let is_first = self.first.set(now).is_ok();
        let first = *self.first.get().expect("it was set above, or before");
        let again = || now.duration_since(first) > ABANDONED && !self.second.swap(true, Relaxed);
        is_first || again()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_looked_for_twice() {
        let (sweeps, now) = (Sweeps::default(), Instant::now());
        assert!(sweeps.are_due(now), "at the first upload");
        assert!(!sweeps.are_due(now + ABANDONED), "something is still too young");
        let later = now + ABANDONED + Duration::from_secs(1);
        assert!(sweeps.are_due(later), "now it is not");
        assert!(!sweeps.are_due(later + ABANDONED), "there was nothing else");
    }
}
