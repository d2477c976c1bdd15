//! Answers of the kernel's table of addresses: any bytes are read without a panic, and no more is
//! found in them than they have room for.

use socket::fuzz::read_netlink;

/// The smallest message with an address in it: its head, its row, one attribute of IPv4.
const SMALLEST: usize = 16 + 8 + 8;

/// Reads the bytes as one answer.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok((found, _)) = read_netlink(bytes) {
        assert!(found.len() <= bytes.len() / SMALLEST);
    }
}
