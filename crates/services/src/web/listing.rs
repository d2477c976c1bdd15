//! The page of a folder without an `index.html`: what is in it, by name, folders first.
//!
//! Hidden names are left out, and so is what is neither a file nor a folder nor a link to one that
//! could be opened here. A folder with very many names shows the first that the disk gives.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};
use switchboard::socket::seam;

use super::path::{LocalPath, is_hidden};
use super::root::{Entry, Root};
use crate::http::html::{self, Escaped};
use crate::http::{LAST_SECOND, percent};
use crate::size;

/// The most names of one page: more help nobody, and each costs a look at the disk.
const NAMES: usize = 10_000;

/// One line of the page.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    /// Sorts folders before files.
    is_file: bool,
    name: Vec<u8>,
    size: u64,
    modified: u64,
}

/// What is in a folder.
#[derive(Debug)]
pub(super) struct Listing {
    lines: Vec<Line>,
    is_whole: bool,
}

impl Listing {
    /// Reads the folder, which lies at `path` below `root`.
    ///
    /// # Errors
    /// Of the folder.
    pub(super) fn read(
        root: &Root,
        path: &LocalPath,
        folder: OwnedFd,
        hidden: bool,
    ) -> io::Result<Listing> {
        let (root, below) = (root.clone(), path.below.clone());
        seam::blocking(move || read(&root, &below, folder, hidden))
    }

    /// Writes the page, for the address at which it is.
    ///
    /// # Errors
    /// Of the writer.
    pub(super) fn write(&self, path: &LocalPath, out: &mut dyn Write) -> io::Result<()> {
        let shown = String::from_utf8_lossy(&path.below);
        let title = if shown.is_empty() { "/".into() } else { format!("/{shown}/") };
        let mut page = html::head(&title);
        page += "<table>\n<tr><th>name<th class=\"n\">size<th class=\"n\">changed (UTC)\n";
        if !path.below.is_empty() {
            page += "<tr><td class=\"w\"><a href=\"../\">../</a><td><td>\n";
        }
        for line in &self.lines {
            line.append_to(&mut page);
            if page.len() >= PIECE_BYTES {
                out.write_all(page.as_bytes())?;
                page.clear();
            }
        }
        page += "</table>\n";
        if !self.is_whole {
            page += &format!("<p>There is more here than these {NAMES}.</p>\n");
        }
        page += html::FOOT;
        out.write_all(page.as_bytes())
    }
}

/// A piece of the page: one chunk, of which two fit what is sent at once.
const PIECE_BYTES: usize = 4 * 1024;

impl Line {
    fn append_to(&self, page: &mut String) {
        let (slash, href) = (if self.is_file { "" } else { "/" }, percent::encode(&self.name));
        let name = String::from_utf8_lossy(&self.name);
        let size = if self.is_file { size::show(self.size) } else { String::new() };
        let (name, date) = (Escaped(&name), date(self.modified));
        *page += &format!(
            "<tr><td class=\"w\"><a href=\"./{href}{slash}\">{name}{slash}</a>\
             <td class=\"n\">{size}<td class=\"n\">{date}\n"
        );
    }
}

fn read(root: &Root, below: &[u8], folder: OwnedFd, hidden: bool) -> io::Result<Listing> {
    let mut lines = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") || (is_hidden(name) && !hidden) {
            continue;
        }
        if lines.len() == NAMES {
            lines.sort();
            return Ok(Listing { lines, is_whole: false });
        }
        let path = || match below {
            b"" => name.to_vec(),
            below => [below, b"/", name].concat(),
        };
        let stat = statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
        // What is gone by now is not listed.
        let line = stat.ok().and_then(|stat| line(root, path, name, &stat));
        lines.extend(line);
    }
    lines.sort();
    Ok(Listing { lines, is_whole: true })
}

/// The line of one name; of a link, what it leads to if that may be opened.
fn line(root: &Root, path: impl FnOnce() -> Vec<u8>, name: &[u8], stat: &Stat) -> Option<Line> {
    let modified = u64::try_from(stat.st_mtime).unwrap_or(0);
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let (is_file, size) = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => (true, size),
        FileType::Directory => (false, 0),
        FileType::Symlink => match root.entry(&path()).ok()? {
            Entry::File(_, stat) => (true, u64::try_from(stat.st_size).unwrap_or(0)),
            Entry::Folder(_) => (false, 0),
        },
        _ => return None,
    };
    Some(Line { is_file, name: name.to_vec(), size, modified })
}

/// `06 Nov 1994 08:49`.
fn date(seconds: u64) -> String {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND)));
    // What is cut off are the day of the week, the seconds and the zone.
    text[5..22].to_owned()
}
