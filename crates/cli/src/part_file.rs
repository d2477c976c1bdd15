//! A file that appears under its name only when it is whole.
//!
//! It is written beside its place under another name and renamed at the end. Whatever ends the
//! program before that, an error, Ctrl-C or SIGTERM, takes the beginning away again, and a file
//! that had the name before stays as it was. What is not a regular file (`/dev/null`, a pipe) is
//! written to as it is.
//!
//! What it deliberately does not do: survive a crash of the machine. Nobody waits for the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use switchboard::Deadline;
use switchboard::socket::signal::stop_signals;
use switchboard::socket::{Interest, Poll, poll};

use crate::exit::{Exit, Failure, Result};

/// The beginning that is to go if the program is ended. One command writes one file.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct PartFile {
    path: PathBuf,
    file: File,
    whole: bool,
}

impl PartFile {
    /// Begins a file that will be at `path`.
    pub(crate) fn create(path: &Path) -> Result<PartFile> {
        // What a link leads to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let fail = |error: io::Error| Failure::write(path.display(), &error);
        if path.is_dir() {
            let why = format!("write {}: it is a folder (name a file in it)", path.display());
            return Err(Failure::new(Exit::Output, why));
        }
        if !fs::metadata(&path).map_or(true, |found| found.is_file()) {
            let file = File::options().write(true).open(&path).map_err(fail)?;
            return Ok(PartFile { path, file, whole: true });
        }
        let mut name = path.clone().into_os_string();
        name.push(format!(".{}.part", std::process::id()));
        let beginning = PathBuf::from(name);
        watch_signals().map_err(fail)?;
        let mut unfinished = unfinished();
        let file = File::options().write(true).create_new(true).open(&beginning).map_err(fail)?;
        *unfinished = Some(beginning);
        drop(unfinished);
        Ok(PartFile { path, file, whole: false })
    }

    /// Writes more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result {
        self.file.write_all(bytes).map_err(|error| Failure::write(self.path.display(), &error))
    }

    /// It is whole: gives it its name.
    pub(crate) fn finish(mut self) -> Result {
        if self.whole {
            return Ok(());
        }
        let mut unfinished = unfinished();
        let beginning = unfinished.as_ref().expect("it is there until it is finished");
        fs::rename(beginning, &self.path)
            .map_err(|error| Failure::write(self.path.display(), &error))?;
        *unfinished = None;
        self.whole = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.whole {
            remove(&mut unfinished());
        }
    }
}

fn unfinished() -> MutexGuard<'static, Option<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove(beginning: &mut Option<PathBuf>) {
    if let Some(path) = beginning.take() {
        // Somebody may have removed it already; then that is done.
        let _ = fs::remove_file(path);
    }
}

/// From now on a signal to end also takes the beginning away.
fn watch_signals() -> io::Result<()> {
    let signals = stop_signals()?;
    let body = move || {
        let mut asked = [Poll::new(signals.asked(), Interest::READ)];
        if poll(&mut asked, Deadline::Never).is_ok() {
            // Held to the end, so that nothing is finished or begun any more.
            let mut unfinished = unfinished();
            remove(&mut unfinished);
            std::process::exit(Exit::of_signal(signals.signal()) as i32);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(body).map(drop)
}
