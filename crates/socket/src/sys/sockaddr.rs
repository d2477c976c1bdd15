//! Room for `struct sockaddr`: what is handed to the kernel and what it fills.
//!
//! Only the bytes and their count live here. What they mean, family by family, is `sockaddr/`:
//! bytes in and bytes out, a decoder that any input can be thrown at.

use std::io;
use std::mem::{offset_of, size_of};

use crate::kinds::Family;
use crate::sockaddr::SockAddr;

/// Room for an address of any family, and how much of it is used. `sockaddr_storage` in C.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct RawSockAddr {
    pub(super) bytes: [u8; CAPACITY],
    pub(super) length: libc::socklen_t,
}

/// What the kernel reserves for an address of any family, in bytes.
pub(crate) const CAPACITY: usize = size_of::<libc::sockaddr_storage>();

impl RawSockAddr {
    /// Empty room for the kernel to write an address into.
    pub(crate) fn room() -> RawSockAddr {
        RawSockAddr { bytes: [0; CAPACITY], length: CAPACITY as libc::socklen_t }
    }

    /// Where the kernel writes an address, and its length. Valid for as long as `self` is borrowed.
    pub(crate) fn parts(&mut self) -> (*mut u8, *mut libc::socklen_t) {
        (self.bytes.as_mut_ptr(), &raw mut self.length)
    }

    /// Whether there is not even a family: the kernel had no address to give.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// An address that so far is only its family.
    pub(crate) fn of(family: Family) -> RawSockAddr {
        let mut raw = RawSockAddr { bytes: [0; CAPACITY], length: 0 };
        raw.put(offset_of!(libc::sockaddr, sa_family), &(family.0 as u16).to_ne_bytes());
        raw
    }

    /// The address as the kernel wants it.
    ///
    /// # Errors
    /// `InvalidInput` for what does not fit into the family's structure.
    pub(crate) fn encode(address: &SockAddr) -> io::Result<RawSockAddr> {
        address.encode()
    }

    /// What the kernel wrote, by family. An address too short for its family is kept as bytes.
    pub(crate) fn decode(&self) -> SockAddr {
        SockAddr::from_bytes(self.as_bytes())
    }

    /// The part that is used.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..(self.length as usize).min(CAPACITY)]
    }

    /// Writes `bytes` at an offset; the address is at least as long as that.
    pub(crate) fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.bytes[at..end].copy_from_slice(bytes);
        self.reach(end);
    }

    /// Makes the address at least `length` bytes long, with zeros.
    pub(crate) fn reach(&mut self, length: usize) {
        self.length = self.length.max(length as libc::socklen_t);
    }
}
