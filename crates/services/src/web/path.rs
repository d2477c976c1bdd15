//! From the path of a request to a name below the folder that is served.
//!
//! Decoded once, cut at the slashes, and refused if any part could lead elsewhere. The kernel
//! checks again ([`Root`](super::root::Root)); this is so that a mistake there is not the end.

use crate::http::{Refusal, Status, percent};

/// A path that leads downwards only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LocalPath {
    /// Its parts joined with slashes, with none in front and none behind; empty for the folder
    /// itself.
    pub(super) below: Vec<u8>,
    /// Whether it ends with a slash: it means a folder.
    pub(super) is_folder: bool,
}

impl LocalPath {
    /// Reads a path that begins with a slash and is still encoded.
    ///
    /// # Errors
    /// A refusal for what is no path downwards, and for what is hidden and `hidden` does not allow.
    pub(super) fn read(path: &str, hidden: bool) -> Result<LocalPath, Refusal> {
        let bad = |why| Err(Refusal::new(Status::BadRequest, why));
        let mut below = Vec::new();
        let mut is_first = true;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Some(part) = percent::decode(part.as_bytes()) else {
                return bad("The path is not encoded properly.");
            };
            if part.iter().any(|byte| matches!(byte, b'/' | 0)) {
                return bad("A name in the path has a byte that no name has.");
            }
            if matches!(&part[..], b"." | b"..") {
                return bad("The path does not lead downwards.");
            }
            if is_hidden(&part) && !hidden && !(is_first && part == WELL_KNOWN) {
                return Err(Refusal::new(Status::NotFound, "There is nothing here."));
            }
            if !is_first {
                below.push(b'/');
            }
            below.extend_from_slice(&part);
            is_first = false;
        }
        Ok(LocalPath { below, is_folder: path.ends_with('/') })
    }

    /// The path as it is written in an address, with a slash in front and behind.
    pub(super) fn folder_address(&self) -> String {
        let parts = self.below.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        let parts = parts.map(|part| percent::encode(part) + "/");
        String::from("/") + &parts.collect::<String>()
    }
}

/// Whether a name is hidden, as `ls` understands it.
pub(super) fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".")
}

/// What is not hidden though it looks so: RFC 8615.
const WELL_KNOWN: &[u8] = b".well-known";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_downwards_or_nowhere() {
        let rows = [
            ("/", "", true),
            ("//", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("//a///b//", "a/b", true),
            ("/a%20b/c+d", "a b/c+d", false),
            ("/%252e%252e/a", "%2e%2e/a", false),
            ("/a..b/...", "a..b/...", false),
            ("/a\\b", "a\\b", false),
            ("/.well-known/a", ".well-known/a", false),
        ];
        for (path, below, is_folder) in rows {
            let expected = LocalPath { below: below.into(), is_folder };
            assert_eq!(LocalPath::read(path, path.contains("...")).unwrap(), expected, "{path}");
        }
        let refused = [
            ("/..", 400),
            ("/../a", 400),
            ("/a/../b", 400),
            ("/a/./b", 400),
            ("/%2e%2e/a", 400),
            ("/.%2E/a", 400),
            ("/a%2fb", 400),
            ("/..%2fa", 400),
            ("/a%00", 400),
            ("/a%", 400),
            ("/a%zz", 400),
            ("/.a", 404),
            ("/a/.b/c", 404),
            ("/%2ea", 404),
            ("/a/.well-known", 404),
        ];
        for (path, code) in refused {
            assert_eq!(LocalPath::read(path, false).unwrap_err().status.code(), code, "{path}");
        }
        assert!(LocalPath::read("/.a/.b", true).is_ok());
    }

    #[test]
    fn addresses_are_encoded_and_stay_on_this_host() {
        let path = LocalPath::read("//evil.example/a b/\u{e9}\"<", false).unwrap();
        assert_eq!(path.folder_address(), "/evil.example/a%20b/%C3%A9%22%3C/");
        assert_eq!(LocalPath::read("//", false).unwrap().folder_address(), "/");
    }
}
