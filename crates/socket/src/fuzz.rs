//! Doors to the decoders inside this crate, for the targets in `fuzz/`. Not part of the interface:
//! nothing else may use it, and it changes without notice.

use std::io;

use crate::message::{Ancillary, ancillary, control::Walk};

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
