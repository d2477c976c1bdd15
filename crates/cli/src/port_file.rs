//! `--port-file`: the port in decimal, for whoever started the server on port 0.
//!
//! The file appears whole or not at all: it is written under another name and renamed. That other
//! one is made before anything is bound, so that a path that will not do is refused then. The file
//! goes when the server ends, so that nobody is sent to a port that is somebody else's by then. One
//! that is not a regular file (`/dev/stderr`, a pipe) is written to and left alone.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use switchboard::Address;
use switchboard::socket::Place;

use crate::exit::{Failure, Result};
use crate::output::note;

/// A port file, or none if none was asked for.
#[derive(Debug)]
pub(crate) struct PortFile {
    path: Option<PathBuf>,
    written: AtomicBool,
}

impl PortFile {
    /// Will be at `path`.
    ///
    /// # Errors
    /// A path where there can be none.
    pub(crate) fn new(path: Option<PathBuf>) -> Result<PortFile> {
        if let Some(path) = &path {
            begin(path).map_err(|error| Failure::write(path.display(), &error))?;
        }
        Ok(PortFile { path, written: AtomicBool::new(false) })
    }

    /// A listener is up: writes its port, unless there was one before. A server that is up is not
    /// ended because nobody can read its port.
    pub(crate) fn listening(&self, address: &Address) {
        let (Some(path), Place::Inet(_, port)) = (&self.path, &address.place) else { return };
        if self.written.swap(true, SeqCst) {
            return;
        }
        if let Err(error) = write(path, &format!("{port}\n")) {
            self.written.store(false, SeqCst);
            let failure = Failure::write(path.display(), &error);
            note(&format!("switchboard: {}", failure.message.unwrap_or_default()));
        }
    }

    /// The server has ended: nobody is to find its port any more.
    pub(crate) fn remove(&self) {
        if let (Some(path), true) = (&self.path, self.written.load(SeqCst))
            && is_regular(path)
        {
            // Somebody may have removed it already; then that is done.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What was begun, and never became a port file, goes.
impl Drop for PortFile {
    fn drop(&mut self) {
        if let (Some(path), false) = (&self.path, self.written.load(SeqCst)) {
            let _ = std::fs::remove_file(beside(path));
        }
    }
}

fn begin(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(()),
        _ => create(&beside(path), ""),
    }
}

/// The name under which it is written.
fn beside(path: &Path) -> OsString {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{}", std::process::id()));
    name
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if !is_regular(path) {
        return std::fs::write(path, text);
    }
    let name = beside(path);
    let written = create(&name, text).and_then(|()| std::fs::rename(&name, path));
    written.inspect_err(|_| drop(std::fs::remove_file(&name)))
}

/// Others may read it, but not write to it, whatever mask was inherited: whoever reads a port there
/// is going to trust it.
fn create(name: &OsStr, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o644);
    options.open(name)?.write_all(text.as_bytes())
}

/// Whether a regular file is or can be there.
fn is_regular(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.is_file())
}
