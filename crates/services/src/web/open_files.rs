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
const KEPT_BYTES: u64 = 256 * 1024;
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

    /// Whether a later change would show.
    fn is_settled(&self) -> bool {
        let (seconds, _) = self.changed;
        let since = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let age = SystemTime::now().duration_since(since);
        self.validator.is_strong() && age.is_ok_and(|age| age > SETTLED)
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
        OpenFiles { kept: Mutex::default(), most }
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
        if file.size > KEPT_BYTES || !file.is_settled() {
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
