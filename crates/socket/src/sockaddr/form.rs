//! What every family's address can do: lie in memory as the kernel wants it, and stand in a text.

use std::fmt;
use std::io;

use crate::kinds::Family;
use crate::sys::sockaddr::RawSockAddr;

/// The address of one family. Each file beside this one has one, in this order.
pub(super) trait Form: Sized {
    /// The family.
    const FAMILY: Family;
    /// What stands before the colon in a text; empty for families that need no such word.
    const WORD: &'static str;

    /// Lays the address out after its family, which is there already.
    fn encode(&self, raw: &mut RawSockAddr) -> io::Result<()>;

    /// Reads the whole `sockaddr`, family included. `None` for bytes that are no such address.
    fn decode(bytes: &[u8]) -> Option<Self>;

    /// Writes the text after the word.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Reads the text after the word; the error says why it cannot be.
    fn read(text: &str) -> Result<Self, String>;
}

/// The `N` bytes at an offset, if there are that many.
pub(super) fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A number in the machine's byte order.
pub(super) fn take_u32(bytes: &[u8], at: usize) -> Option<u32> {
    take(bytes, at).map(u32::from_ne_bytes)
}

/// The error for an address that its structure cannot hold.
pub(super) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
