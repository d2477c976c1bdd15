//! The name under which an upload is kept: one plain file name, or a reason why not.
//!
//! A name is taken as it is or refused, never changed in silence; only where the server chooses
//! ([`numbered`]) it differs from the one that was sent, and the answer says so. Folders are not
//! made, and no name begins with a dot: such files are hidden, and some of them are obeyed.

use crate::http::{Refusal, Status};

/// The longest name in bytes. File systems take 255; the rest is for a number.
const NAME_BYTES: usize = 240;

/// A name that a client asks for.
///
/// # Errors
/// A refusal that says what is wrong with it.
pub(super) fn check(name: &[u8]) -> Result<&str, Refusal> {
    let no = |why| Err(Refusal::new(Status::BadRequest, why));
    let Ok(name) = str::from_utf8(name) else {
        return no("The name of a file is text in UTF-8.");
    };
    if name.is_empty() {
        return no("The file needs a name.");
    }
    if name.len() > NAME_BYTES {
        return no("The name of a file has at most 240 bytes.");
    }
    if name.contains(['/', '\\']) {
        return no("The name of a file has no slash in it: no folders are made here.");
    }
    if name.starts_with('.') {
        return no("The name of a file does not begin with a dot.");
    }
    if name.chars().any(char::is_control) {
        return no("The name of a file has no control characters.");
    }
    Ok(name)
}

/// The last part of a path: some browsers send more than the name, with their system's slashes.
pub(super) fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or(path)
}

/// `name-3.txt` of `name.txt`; the name itself for zero.
pub(super) fn numbered(name: &str, number: u32) -> String {
    match (number, name.rsplit_once('.')) {
        (0, _) => name.to_owned(),
        (_, Some((stem, extension))) => format!("{stem}-{number}.{extension}"),
        (_, None) => format!("{name}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken_as_they_are() {
        let long = "x".repeat(NAME_BYTES);
        for name in ["a", "a b.txt", "-rf", "a..b", "été €", "con", "a:b", "\"<&>'", &long] {
            assert_eq!(check(name.as_bytes()).unwrap(), name);
        }
    }

    #[test]
    fn all_others_are_refused() {
        let long = "x".repeat(NAME_BYTES + 1);
        let names =
            ["", ".", "..", ".bashrc", "a/b", "/a", "..\\a", "a\0", "a\n", "\u{85}a", &long];
        for name in names {
            assert_eq!(check(name.as_bytes()).unwrap_err().status, Status::BadRequest, "{name}");
        }
        assert!(check(b"caf\xe9").is_err());
    }

    #[test]
    fn what_a_browser_adds_is_left_out() {
        assert_eq!(last_part(b"C:\\photos\\a.jpg"), b"a.jpg");
        assert_eq!(last_part(b"../../etc/passwd"), b"passwd");
        assert_eq!(last_part(b"a/"), b"");
    }

    #[test]
    fn numbers_come_before_the_extension() {
        assert_eq!(numbered("a.txt", 0), "a.txt");
        assert_eq!(numbered("a.txt", 2), "a-2.txt");
        assert_eq!(numbered("a", 10), "a-10");
    }
}
