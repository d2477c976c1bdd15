//! Doors to the decoders inside this crate, for the targets in `fuzz/`. Not part of the interface:
//! nothing else may use it, and it changes without notice.

use std::borrow::Cow;
use std::io;

use crate::message::{Ancillary, ancillary, control::Walk};
use crate::names::InterfaceAddress;

/// The pieces in a control buffer of any bytes. Descriptors stay bytes, since nobody owns them.
pub fn decode_ancillary(bytes: &[u8]) -> impl Iterator<Item = Ancillary<'_>> {
    Walk::new(bytes).map(ancillary::decode)
}

/// The control buffer that would be sent.
///
/// # Errors
/// As [`Socket::send_msg`](crate::Socket::send_msg).
pub fn encode_ancillary(pieces: &[Ancillary<'_>]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; ancillary::space(pieces)?];
    ancillary::encode(pieces, &mut bytes)?;
    Ok(bytes)
}

/// A host name in the form of the DNS.
#[must_use]
pub fn to_ascii(name: &str) -> Option<Cow<'_, str>> {
    crate::names::to_ascii(name)
}

/// The addresses in one answer of the kernel's table of addresses; whether it was the last.
///
/// # Errors
/// What the answer says instead of addresses.
pub fn read_netlink(answer: &[u8]) -> io::Result<(Vec<InterfaceAddress>, bool)> {
    let mut found = Vec::new();
    let last = crate::names::read_answer(answer, &mut found)?;
    Ok((found, last))
}
