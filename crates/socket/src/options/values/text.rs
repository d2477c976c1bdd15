//! Names, texts and plain bytes.

use std::io;

use crate::options::encoding::{Get, Set, Slot, invalid};

/// A name of at most 15 bytes: an interface, an algorithm. Read up to its NUL.
pub(crate) enum Name {}

impl Get for Name {
    type Value = String;
    fn get(from: Slot<'_>) -> io::Result<String> {
        text(from.list(NAME_MAX)?)
    }
}

impl Set<&str> for Name {
    fn set(to: Slot<'_>, value: &str) -> io::Result<()> {
        if value.len() >= NAME_MAX || value.contains('\0') {
            return Err(invalid("name too long for the socket option, or with a NUL in it"));
        }
        to.set(value.as_bytes())
    }
}

/// `IFNAMSIZ`, `TCP_CA_NAME_MAX` and `TCP_ULP_NAME_MAX`, with the NUL. The kernel would cut a
/// longer name short and take another one's.
const NAME_MAX: usize = 16;

/// [`Name`], or the empty one for none.
pub(crate) enum NameOrNone {}

impl Get for NameOrNone {
    type Value = Option<String>;
    fn get(from: Slot<'_>) -> io::Result<Option<String>> {
        Ok(Some(Name::get(from)?).filter(|name| !name.is_empty()))
    }
}

impl Set<Option<&str>> for NameOrNone {
    fn set(to: Slot<'_>, value: Option<&str>) -> io::Result<()> {
        match value {
            // An interface is unbound by the empty name with its NUL; no bytes would do nothing.
            None => to.set(&[0; 4]),
            Some(name) => Name::set(to, name),
        }
    }
}

impl Set<&str> for NameOrNone {
    fn set(to: Slot<'_>, value: &str) -> io::Result<()> {
        Name::set(to, value)
    }
}

/// A text of any length, such as a security label. Read up to its NUL.
pub(crate) enum Text {}

impl Get for Text {
    type Value = String;
    fn get(from: Slot<'_>) -> io::Result<String> {
        text(from.list(4096)?)
    }
}

fn text(mut bytes: Vec<u8>) -> io::Result<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Bytes whose form another document describes. At most 4096 are read.
pub(crate) enum Bytes {}

impl Get for Bytes {
    type Value = Vec<u8>;
    fn get(from: Slot<'_>) -> io::Result<Vec<u8>> {
        from.list(4096)
    }
}

impl Set<&[u8]> for Bytes {
    fn set(to: Slot<'_>, value: &[u8]) -> io::Result<()> {
        to.set(value)
    }
}
