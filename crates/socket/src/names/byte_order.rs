//! Host and network byte order. `byteorder(3)`.
//!
//! Out of range cannot be: the types are C's. For a number that may be, check first:
//! `u16::try_from(port).map(htons)`.

/// Sixteen bits from host to network byte order.
///
/// ```
/// use socket::names::{htons, ntohs};
///
/// assert_eq!(htons(0x0102).to_ne_bytes(), [1, 2]);
/// assert_eq!(ntohs(htons(7007)), 7007);
/// assert!(u16::try_from(65536).map(htons).is_err());
/// ```
#[must_use]
pub const fn htons(host: u16) -> u16 {
    host.to_be()
}

/// Thirty-two bits from host to network byte order.
#[must_use]
pub const fn htonl(host: u32) -> u32 {
    host.to_be()
}

/// Sixteen bits from network to host byte order.
#[must_use]
pub const fn ntohs(network: u16) -> u16 {
    u16::from_be(network)
}

/// Thirty-two bits from network to host byte order.
#[must_use]
pub const fn ntohl(network: u32) -> u32 {
    u32::from_be(network)
}
