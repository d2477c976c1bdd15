//! The folder that is served, and the only way into it: nothing opens anything above it, ever.
//!
//! `openat2(2)` with `RESOLVE_BENEATH` makes the kernel refuse each step that leaves the folder,
//! also through symbolic links, and also while somebody swaps them. Links that stay inside are
//! followed; absolute ones are not, wherever they lead. Where the kernel has no `openat2` (before
//! 5.6) or a sandbox forbids it, each part of the path is opened by itself and links are not
//! followed at all.
//!
//! A look-up that needs no disk is done at once (`RESOLVE_CACHED`); any other goes where waiting is
//! allowed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;
use switchboard::socket::seam;

/// A folder, open.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    fd: Arc<OwnedFd>,
}

/// What lies at a path.
#[derive(Debug)]
pub(super) enum Entry {
    /// A file, with what the kernel knows of it.
    File(File, Stat),
    /// A folder.
    Folder(OwnedFd),
}

/// How often a look-up is tried again that the kernel gave up because something was renamed
/// meanwhile. It is the kernel's own advice; whoever renames without pause gets an error.
const TRIES: usize = 32;

/// For reading, without waiting for a pipe's other end, and without getting a terminal.
const FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Root {
    /// Opens the folder to be served.
    ///
    /// # Errors
    /// Of opening; `ENOTDIR` if it is none, `EACCES` if nothing in it could ever be served.
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, path, flags, Mode::empty())?;
        // A step in the folder is what shows whether we may take one.
        Ok(Root { fd: Arc::new(openat(folder, c".", flags, Mode::empty())?) })
    }

    /// Opens what lies at `below`, see [`LocalPath`](super::path::LocalPath).
    ///
    /// # Errors
    /// Of opening; `EXDEV` or `ELOOP` for what leads outside; `EACCES` for what is neither a file
    /// nor a folder.
    pub(super) fn entry(&self, below: &[u8]) -> io::Result<Entry> {
        let path = if below.is_empty() { &b"."[..] } else { below };
        let fd = match open_beneath(&self.fd, path, ResolveFlags::CACHED) {
            // It would have to wait, or the kernel (before 5.12) cannot promise not to.
            Err(Errno::AGAIN | Errno::INVAL) => {
                let (root, path) = (Arc::clone(&self.fd), path.to_vec());
                seam::blocking(move || open_beneath(&root, &path, ResolveFlags::empty()))?
            }
            answer => answer?,
        };
        let stat = fstat(&fd)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Entry::File(fd.into(), stat)),
            FileType::Directory => Ok(Entry::Folder(fd)),
            _ => Err(Errno::ACCESS.into()),
        }
    }
}

/// Opens for reading what lies below a folder.
fn open_beneath(root: &OwnedFd, path: &[u8], how: ResolveFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = how | ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match openat2(root, path, FLAGS, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if how.is_empty() => {}
            Err(Errno::NOSYS | Errno::PERM) => return open_by_parts(root, path),
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

/// The same without `openat2`: part by part, and no link is followed.
fn open_by_parts(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let mut parts = path.split(|byte| *byte == b'/').peekable();
    let mut folder: Option<OwnedFd> = None;
    while let Some(part) = parts.next() {
        // The caller has refused these; to follow one would be the end of all promises.
        if part.is_empty() || part == b".." {
            return Err(Errno::XDEV);
        }
        let at = folder.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        let kind = match parts.peek() {
            Some(_) => OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            None => FLAGS,
        };
        let part = OsStr::from_bytes(part);
        folder = Some(openat(at, part, kind | OFlags::NOFOLLOW, Mode::empty())?);
    }
    folder.ok_or(Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both ways into a folder, on the same folder.
    #[test]
    fn without_openat2_nothing_is_followed_and_nothing_outside_is_opened() {
        let top = std::env::temp_dir().join(format!("switchboard-root-{}", std::process::id()));
        fs::create_dir_all(top.join("site/sub")).unwrap();
        fs::write(top.join("secret"), "secret").unwrap();
        fs::write(top.join("site/sub/a"), "a").unwrap();
        symlink("sub/a", top.join("site/inside")).unwrap();
        symlink("../secret", top.join("site/outside")).unwrap();
        symlink("..", top.join("site/up")).unwrap();
        symlink(top.join("site/sub/a"), top.join("site/absolute")).unwrap();
        let root = Root::open(&top.join("site")).unwrap();

        let by_kernel = |path: &str| open_beneath(&root.fd, path.as_bytes(), ResolveFlags::empty());
        let by_parts = |path: &str| open_by_parts(&root.fd, path.as_bytes());
        let text = |fd: rustix::io::Result<OwnedFd>| {
            let mut text = String::new();
            File::from(fd?).read_to_string(&mut text)?;
            io::Result::Ok(text)
        };
        for open in [&by_kernel as &dyn Fn(&str) -> _, &by_parts] {
            assert_eq!(text(open("sub/a")).unwrap(), "a");
            assert!(open(".").is_ok() && open("sub").is_ok());
            let outside = ["outside", "up/secret", "absolute", "../secret", "sub/../../secret"];
            for path in outside.into_iter().chain(["/etc/passwd", "", "sub/", "a/b", "sub/a/b"]) {
                let opened = open(path).and_then(|fd| fstat(&fd));
                let is_file =
                    |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                assert!(!opened.as_ref().is_ok_and(is_file), "{path}: {opened:?}");
            }
        }
        assert_eq!(text(by_kernel("inside")).unwrap(), "a");
        assert_eq!(by_parts("inside").unwrap_err(), Errno::LOOP);
        fs::remove_dir_all(top).unwrap();
    }
}
