//! Received ancillary data: any bytes decode, and what can be sent comes back as it was.

use socket::fuzz::{decode_ancillary, encode_ancillary};

/// Decodes the bytes as a control buffer, and sends each piece round once more.
pub(crate) fn run(bytes: &[u8]) {
    let pieces: Vec<_> = decode_ancillary(bytes).collect();
    let header = size_of::<usize>() + 8;
    assert!(pieces.len() <= bytes.len() / header, "more pieces than headers");

    // Those that are only received are refused one by one; the rest goes together.
    let sent: Vec<_> =
        pieces.iter().copied().filter(|piece| encode_ancillary(&[*piece]).is_ok()).collect();
    let encoded = encode_ancillary(&sent).expect("each piece could be sent alone");
    let again: Vec<_> = decode_ancillary(&encoded).collect();
    assert_eq!(format!("{again:?}"), format!("{sent:?}"));
}
