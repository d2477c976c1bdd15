//! Sockets of one machine: `struct sockaddr_un`. `unix(7)`.
//!
//! ```text
//!   0        2                                       110
//!   | family |                                        |      unnamed: nothing more
//!   | family | path …                     NUL |              path
//!   | family | NUL | any bytes … |                           abstract; the length ends it
//! ```

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::mem::{offset_of, size_of};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;

use super::form::{Form, invalid};
use super::text;
use crate::address::ParseAddressError;
use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

/// Where the path begins.
const PATH: usize = offset_of!(libc::sockaddr_un, sun_path);
/// The longest path or abstract name, without its NUL. `unix(7)`.
pub(crate) const NAME_MAX: usize = size_of::<libc::sockaddr_un>() - PATH - 1;

/// The name of a Unix socket. `unix(7)`, "Address format".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnixAddr {
    /// No name: a socket that was never bound, or one of a pair. Binding to it asks Linux to pick
    /// a free abstract name ("autobind").
    Unnamed,
    /// A path in the file system, at most 107 bytes, without a NUL.
    Path(PathBuf),
    /// A name outside the file system, at most 107 bytes, any bytes. Linux only.
    Abstract(Vec<u8>),
}

impl Form for UnixAddr {
    const FAMILY: Family = Family::UNIX;
    const WORD: &'static str = "unix";

    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()> {
        let (start, name, end) = match self {
            UnixAddr::Unnamed => return Ok(()),
            UnixAddr::Path(path) => (PATH, path.as_os_str().as_bytes(), 1),
            UnixAddr::Abstract(name) => (PATH + 1, name.as_slice(), 0),
        };
        if name.len() > NAME_MAX {
            return Err(invalid("Unix socket name longer than 107 bytes"));
        }
        if end == 1 && (name.is_empty() || name.contains(&0)) {
            return Err(invalid("Unix socket path is empty or contains a NUL byte"));
        }
        raw.put(start, name);
        raw.reach(start + name.len() + end);
        Ok(())
    }

    /// The kernel may or may not count the final NUL of a path.
    fn decode(bytes: &[u8]) -> Option<UnixAddr> {
        match bytes.get(PATH..).unwrap_or_default() {
            [] => Some(UnixAddr::Unnamed),
            [0, name @ ..] => (name.len() <= NAME_MAX).then(|| UnixAddr::Abstract(name.to_vec())),
            path => {
                let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                let path = PathBuf::from(OsStr::from_bytes(&path[..end]));
                (end <= NAME_MAX).then_some(UnixAddr::Path(path))
            }
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnixAddr::Unnamed => Ok(()),
            UnixAddr::Path(path) => {
                let name = path.as_os_str().as_bytes();
                let (first, rest) = name.split_at(usize::from(name.starts_with(b"@")));
                text::write_name(f, first, &['@'])?;
                text::write_name(f, rest, &['\\'])
            }
            UnixAddr::Abstract(name) => {
                f.write_str("@")?;
                text::write_name(f, name, &['\\'])
            }
        }
    }

    fn read(text: &str) -> Result<UnixAddr, String> {
        let address = match text.strip_prefix('@') {
            Some(name) => UnixAddr::Abstract(text::read_name(name)?),
            None if text.is_empty() => UnixAddr::Unnamed,
            None => UnixAddr::Path(std::ffi::OsString::from_vec(text::read_name(text)?).into()),
        };
        match address.encode(&mut RawSockAddr::of(Family::UNIX)) {
            Ok(()) => Ok(address),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// `/run/x.sock`, `@name`, and nothing for an unnamed socket.
///
/// Control bytes, what is not UTF-8 and the backslash are escaped (`\x07`, `\\`), so that a name
/// can be printed to a terminal and read back. A path that begins with `@` begins with `\x40`.
impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// Reads what `Display` writes.
impl FromStr for UnixAddr {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<UnixAddr, ParseAddressError> {
        UnixAddr::read(text).map_err(|why| ParseAddressError::new(text, why))
    }
}

#[cfg(test)]
mod tests {
    use super::super::SockAddr;
    use super::super::tests::holds;
    use super::*;

    #[test]
    fn names_lie_in_memory_as_in_c() {
        holds(UnixAddr::Unnamed, b"\x01\0", "");
        holds(UnixAddr::Path("/run/x.sock".into()), b"\x01\0/run/x.sock\0", "/run/x.sock");
        holds(UnixAddr::Path("./x".into()), b"\x01\0./x\0", "./x");
        holds(UnixAddr::Path("1:2".into()), b"\x01\x001:2\0", "unix:1:2");
        holds(UnixAddr::Path("@x".into()), b"\x01\0@x\0", "unix:\\x40x");
        holds(UnixAddr::Path("/a\\b\n".into()), b"\x01\0/a\\b\n\0", "/a\\\\b\\x0a");
        holds(UnixAddr::Abstract(b"a\0\xffb".to_vec()), b"\x01\0\0a\0\xffb", "@a\\x00\\xffb");
        holds(UnixAddr::Abstract(vec![]), b"\x01\0\0", "@");
        let long = "p".repeat(NAME_MAX - 1);
        let text = format!("/{long}");
        holds(UnixAddr::Path(text.clone().into()), format!("\x01\0{text}\0").as_bytes(), &text);
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for address in [
            UnixAddr::Path("p".repeat(NAME_MAX + 1).into()),
            UnixAddr::Path("a\0b".into()),
            UnixAddr::Path("".into()),
            UnixAddr::Abstract(vec![7; NAME_MAX + 1]),
        ] {
            let error = SockAddr::from(address).to_bytes().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        assert!(SockAddr::from(UnixAddr::Abstract(vec![7; NAME_MAX])).to_bytes().is_ok());
    }

    #[test]
    fn the_final_nul_of_a_path_may_be_counted_or_not() {
        for bytes in [&b"\x01\0/x"[..], b"\x01\0/x\0", b"\x01\0/x\0\0\0"] {
            assert_eq!(SockAddr::from_bytes(bytes), UnixAddr::Path("/x".into()).into());
        }
    }
}
