//! Files that stay open between requests, so that a small file that is asked for again costs one
//! look (`fstat(2)`) instead of a walk from the folder, an open and a close.
//!
//! ```text
//!   path of the request ─► kept? ─► found less than a second ago? ─► unchanged? ─► answer
//!                            └ no ─────────── no ────────────────────── no ──► Root::entry ─► keep
//! ```
//! **What may be out of date.** The bytes never are: they are read for each answer. Nor is what is
//! known of the file: each answer asks the kernel whether it has changed, and a file that was
//! written to, replaced, renamed, removed or locked away has (its `ctime`, or no name is left), so
//! it is looked up anew. Only the way to it is believed, for [`FOUND`]: that long a folder that was
//! renamed, or a link that leads elsewhere now, is still seen as it was. What is served then is
//! what lay inside the folder when it was opened.
//!
//! A file younger than [`SETTLED`] is not kept, since within one tick of the file system's clock it
//! could change without a trace; nor is a large one, where the opening costs nothing beside the
//! sending, and whose room on the disk should be free once it is removed.
//!
//! **Bounds.** At most a sixteenth of the descriptors that this process may have. Who finds no
//! place is opened each time, until somebody has not been asked for in a second.
//!
//! What it deliberately does not keep: contents. The kernel's cache is better than ours would be.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Stat, fstat};
use rustix::process::{Resource, getrlimit};

use crate::http::Validator;

/// For how long the way to a file is believed.
const FOUND: Duration = Duration::from_secs(1);
/// How old the last change must be: a tick of any file system's clock.
const SETTLED: Duration = Duration::from_secs(2);
/// The largest file that is kept open.
const KEPT_BYTES: u64 = 1024 * 1024;
/// How many are kept open at most, of this many descriptors, and in any case.
const SHARE: u64 = 16;
const MOST: u64 = 1024;

/// A file, open, with what was known of it then.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: Arc<File>,
    pub(super) size: u64,
    pub(super) validator: Validator,
    /// The fields of an answer: first those that say which state of the file it is about.
    fields: String,
    state_bytes: usize,
    changed: (i64, u64),
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct OpenFiles {
    kept: Mutex<HashMap<Box<str>, Kept>>,
    most: usize,
    /// [`SETTLED`], unless a test has no time for that.
    settled: Duration,
}

#[derive(Debug)]
struct Kept {
    file: Arc<OpenFile>,
    found: Instant,
}

impl OpenFile {
    /// A file with its type, as it is answered.
    pub(super) fn new(file: File, stat: &Stat, media_type: &str) -> OpenFile {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        let validator = Validator::new(size, stat.st_ino, stat.st_mtime, nanoseconds);
        let (etag, modified) = (validator.etag(), validator.last_modified());
        let mut fields = format!("ETag: {etag}\r\nLast-Modified: {modified}\r\n");
        let state_bytes = fields.len();
        fields += &format!(
            "Content-Type: {media_type}\r\nX-Content-Type-Options: nosniff\r\n\
             Accept-Ranges: bytes\r\n"
        );
        let file = Arc::new(file);
        OpenFile { file, size, validator, fields, state_bytes, changed: changed(stat) }
    }

    /// The fields of an answer that says only which state of the file it is about.
    pub(super) fn state_fields(&self) -> &str {
        &self.fields[..self.state_bytes]
    }

    /// The fields of an answer that brings some of it.
    pub(super) fn content_fields(&self) -> &str {
        &self.fields
    }

    /// Whether it has been as it is for so long, so that a later change shows.
    fn is_settled(&self, since: Duration) -> bool {
        let (seconds, _) = self.changed;
        let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let age = SystemTime::now().duration_since(changed);
        self.validator.is_strong() && age.is_ok_and(|age| age > since)
    }

    /// Whether it is what it was, and still somewhere.
    fn is_same(&self) -> bool {
        fstat(&self.file).is_ok_and(|stat| stat.st_nlink > 0 && changed(&stat) == self.changed)
    }
}

fn changed(stat: &Stat) -> (i64, u64) {
    (stat.st_ctime, stat.st_ctime_nsec)
}

impl OpenFiles {
    pub(super) fn new() -> OpenFiles {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = usize::try_from((descriptors / SHARE).min(MOST)).unwrap_or(0);
        OpenFiles { kept: Mutex::default(), most, settled: SETTLED }
    }

    /// The file that the path of a request led to, if that is certain enough.
    pub(super) fn find(&self, path: &str) -> Option<Arc<OpenFile>> {
        let file = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept.get(path).filter(|kept| kept.found.elapsed() < FOUND)?;
            Arc::clone(&kept.file)
        };
        file.is_same().then_some(file)
    }

    /// Keeps what the path of a request has led to just now.
    pub(super) fn keep(&self, path: &str, file: &Arc<OpenFile>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if file.size > KEPT_BYTES || !file.is_settled(self.settled) {
            kept.remove(path);
            return;
        }
        if kept.len() >= self.most && !kept.contains_key(path) {
            kept.retain(|_, kept| now.duration_since(kept.found) < FOUND);
            if kept.len() >= self.most {
                return;
            }
        }
        kept.insert(path.into(), Kept { file: Arc::clone(file), found: now });
    }

    /// Closes all: somebody needs descriptors.
    pub(super) fn close(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use super::*;

    /// A folder of its own, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("switchboard-open-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }

        /// A file changed an hour ago, as far as its content goes.
        fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, bytes).unwrap();
            let file = File::options().append(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn opened(path: &Path) -> Arc<OpenFile> {
        let file = File::open(path).unwrap();
        let stat = fstat(&file).unwrap();
        Arc::new(OpenFile::new(file, &stat, "text/plain"))
    }

    fn keeping(most: usize) -> OpenFiles {
        OpenFiles { kept: Mutex::default(), most, settled: Duration::ZERO }
    }

    /// Until the file system's clock has moved on, so that a change would show.
    fn settle(path: &Path) {
        let probe = path.with_extension("probe");
        fs::write(&probe, "").unwrap();
        while opened(&probe).changed <= opened(path).changed {
            fs::write(&probe, "").unwrap();
        }
    }

    #[test]
    fn whatever_happens_to_a_file_it_is_looked_up_anew() {
        let folder = Folder::new("changes");
        let other = folder.file("other", b"other");
        type Change<'a> = &'a dyn Fn(&Path);
        let changes: [(&str, Change<'_>); 6] = [
            ("written to", &|path| fs::write(path, "anew").unwrap()),
            ("cut short", &|path| drop(File::create(path).unwrap())),
            ("removed", &|path| fs::remove_file(path).unwrap()),
            ("renamed", &|path| fs::rename(path, path.with_extension("x")).unwrap()),
            ("replaced", &|path| fs::rename(&other, path).unwrap()),
            ("locked away", &|path| {
                fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
            }),
        ];
        for (what, change) in changes {
            let path = folder.file("a", b"hello");
            settle(&path);
            let files = keeping(8);
            files.keep("/a", &opened(&path));
            assert_eq!(files.find("/a").expect(what).size, 5);
            assert!(files.find("/b").is_none());
            change(&path);
            assert!(files.find("/a").is_none(), "{what}");
            drop(fs::remove_file(&path));
        }
    }

    #[test]
    fn the_way_to_a_file_is_believed_for_a_second() {
        let folder = Folder::new("way");
        let path = folder.file("a", b"hello");
        settle(&path);
        let files = keeping(8);
        files.keep("/a", &opened(&path));
        assert!(files.find("/a").is_some());
        files.kept.lock().unwrap().get_mut("/a").unwrap().found -= FOUND;
        assert!(files.find("/a").is_none());
    }

    #[test]
    fn what_is_fresh_or_large_is_not_kept_and_no_more_than_may_be() {
        let folder = Folder::new("bounds");
        let (small, large) = (folder.file("a", b"a"), folder.file("b", &[0; 1024 * 1024 + 1]));
        settle(&large);
        let files = keeping(2);
        files.keep("/large", &opened(&large));
        assert!(files.find("/large").is_none());
        let fresh = OpenFiles { settled: SETTLED, ..keeping(2) };
        fresh.keep("/c", &opened(&folder.file("c", b"c")));
        assert!(fresh.find("/c").is_none());

        settle(&small);
        for name in ["/1", "/2", "/3"] {
            files.keep(name, &opened(&small));
        }
        assert!(files.find("/1").is_some() && files.find("/2").is_some());
        assert!(files.find("/3").is_none());
        // Who has not been asked for in a second makes way.
        files.kept.lock().unwrap().get_mut("/1").unwrap().found -= FOUND;
        files.keep("/3", &opened(&small));
        assert!(files.find("/1").is_none() && files.find("/3").is_some());
        files.close();
        assert!(files.find("/3").is_none());
    }
}
