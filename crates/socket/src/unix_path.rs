//! Binding a Unix socket to a path, where a server that died may have left one behind.
//!
//! The kernel never removes the path of a Unix socket, and never binds to one that exists. So each
//! server must find out whether the one it meets is alive, and many do it by a connect and an
//! unlink, between which another server may take the path and lose it. Here it goes like this:
//!
//! 1. The directory is locked (`flock(2)` on the directory itself, so that no lock file is left
//!    lying about, and a crash unlocks it). Everything below happens under that lock, for at most
//!    a few system calls. Two servers that use this file can therefore not cross each other.
//! 2. `bind`. If the path does not exist, that was all.
//! 3. If it exists: a file that is not a socket is never touched, nor is a symbolic link.
//! 4. Is anybody bound to it? A *datagram* socket asks by `connect`, which sends nothing: a
//!    datagram server does not notice, and for any other the kernel refuses with `EPROTOTYPE`
//!    before the server hears of it, whether it listens already or not. `ECONNREFUSED`, and only
//!    that, means that the path is stale: its socket is closed, and can never be opened again.
//! 5. A stale path is unlinked and `bind` is tried once more.
//!
//! A server that follows other rules can still come between 4 and 5, in theory; its path would be
//! lost. Where the directory cannot be locked nothing is ever removed, and a stale path is
//! `EADDRINUSE`, as the kernel has it.
//!
//! Removing one's own path at the end follows the same thought: under the lock, and only if the
//! path is still the inode that was bound. That inode cannot be anybody else's as long as the
//! socket is open, so a [`BoundPath`] is to be dropped before its socket is.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::errors::BindError;
use crate::kinds::{Family, Protocol, Type};
use crate::seam;
use crate::sockaddr::SockAddr;
use crate::socket::Socket;

/// How long to wait, at least, for a directory that somebody else has locked. Each of us needs
/// microseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How often to ask for it.
const LOCK_RETRY: Duration = Duration::from_millis(2);

impl Socket {
    /// [Binds](Socket::bind) a Unix socket to a path. A stale one there is replaced; how that is
    /// told without a race stands at the head of `unix_path.rs`. The path stays in the file system
    /// when the socket is closed, unless the answer is told to remove it. `unix(7)`.
    ///
    /// # Errors
    /// A [`BindError`] with the path: `AddrInUse` when a socket is bound to it or it is not a
    /// socket, `EACCES`, `ENOENT` for a directory that does not exist, `InvalidInput` for a path
    /// of more than 107 bytes; `TimedOut` when somebody else keeps the directory locked.
    pub fn bind_path(&self, path: impl AsRef<Path>) -> io::Result<BoundPath> {
        let path = path.as_ref();
        let address = SockAddr::from(path);
        bind(self, path, &address).map_err(|error| BindError::new(address, error).into())
    }
}

fn bind(socket: &Socket, path: &Path, address: &SockAddr) -> io::Result<BoundPath> {
    // Absolute, so that it still leads to the socket after a change of directory.
    let whole = std::path::absolute(path)?;
    let lock = DirectoryLock::of(&whole)?;
    match socket.bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && lock.is_some() => {
            remove_stale(path, error)?;
            socket.bind(address)?;
        }
        answer => answer?,
    }
    let bound = fs::symlink_metadata(&whole)?;
    Ok(BoundPath {
        path: whole,
        inode: (bound.dev(), bound.ino()),
        process: std::process::id(),
        unlink_on_drop: false,
    })
}

/// Removes `path` if it is a socket that nobody is bound to; else answers an error, `in_use`
/// unless there is a better one.
fn remove_stale(path: &Path, in_use: io::Error) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(_) => return Err(in_use),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                ErrorKind::AddrInUse,
                "a file that is not a socket is there",
            ));
        }
        Ok(_) => {}
    }
    match is_stale(path) {
        true => fs::remove_file(path),
        false => Err(in_use),
    }
}

/// Whether a socket's path has no socket any more. In doubt it has.
fn is_stale(path: &Path) -> bool {
    let ask = || {
        let probe = Socket::new(Family::UNIX, Type::DGRAM, Protocol::DEFAULT)?;
        probe.connect_by(&SockAddr::from(path), Deadline::Immediate)
    };
    matches!(ask(), Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED))
}

/// A path with a socket bound to it, and the means to remove exactly that.
///
/// ```
/// use socket::{Family, Socket, Type};
///
/// let path = std::env::temp_dir().join(format!("bound-path-{}", std::process::id()));
/// let socket = Socket::new(Family::UNIX, Type::STREAM, Default::default())?;
/// let bound = socket.bind_path(&path)?;
/// assert!(path.exists());
/// assert!(bound.unlink()?);
/// assert!(!path.exists());
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct BoundPath {
    path: PathBuf,
    /// Device and number.
    inode: (u64, u64),
    /// Who bound it: a forked child that ends must not take its parent's path away.
    process: u32,
    unlink_on_drop: bool,
}

impl BoundPath {
    /// The path, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether dropping this removes the path. Starts off.
    pub fn set_unlink_on_drop(&mut self, unlink: bool) {
        self.unlink_on_drop = unlink;
    }

    /// Removes the path now and says whether it was still there. One that has become somebody
    /// else's, by another inode or in a forked child, stays.
    ///
    /// # Errors
    /// `EACCES`, `EPERM`, `EROFS` where the directory does not let it be removed.
    pub fn unlink(mut self) -> io::Result<bool> {
        self.unlink_on_drop = false;
        self.remove()
    }

    fn remove(&self) -> io::Result<bool> {
        if self.process != std::process::id() {
            return Ok(false);
        }
        let Some(_lock) = DirectoryLock::of(&self.path)? else { return Ok(false) };
        match fs::symlink_metadata(&self.path) {
            Ok(found) if self.is_mine(&found) => fs::remove_file(&self.path).map(|()| true),
            _ => Ok(false),
        }
    }

    fn is_mine(&self, found: &Metadata) -> bool {
        found.file_type().is_socket() && (found.dev(), found.ino()) == self.inode
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        if self.unlink_on_drop {
            // A path that could not be removed is stale, which the next server knows to tell.
            let _ = self.remove();
        }
    }
}

/// The lock of the directory that a path is in.
struct DirectoryLock(File);

impl DirectoryLock {
    /// Takes it; `None` where there is no such lock to be had.
    fn of(path: &Path) -> io::Result<Option<DirectoryLock>> {
        let Some(directory) = path.parent().and_then(|parent| File::open(parent).ok()) else {
            return Ok(None);
        };
        // Counted and not by the clock: while the machine stands still nobody unlocks it.
        let mut tries = LOCK_PATIENCE.as_millis() / LOCK_RETRY.as_millis();
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(Some(DirectoryLock(directory))),
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) if tries > 0 => {
                    tries -= 1;
                    seam::sleep(Deadline::After(LOCK_RETRY));
                }
                Err(TryLockError::WouldBlock) => {
                    let why = "another program keeps the directory locked";
                    return Err(io::Error::new(ErrorKind::TimedOut, why));
                }
            }
        }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing alone would leave it locked while a child forked meanwhile lives.
        let _ = self.0.unlock();
    }
}
