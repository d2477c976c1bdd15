//! Many UDP datagrams in one buffer: segmentation on sending, coalescing on receiving.
//!
//! The cost of a datagram is mostly the way through the kernel. With `UDP_SEGMENT` (GSO) many of
//! one size to one peer make the way together and part at the end of it; with `UDP_GRO` many of
//! one sender meet at the start and arrive as one buffer and a size. `udp(7)`.
//!
//! There is no fallback here for a device that refuses: that is the caller's to know.

use std::io::{self, IoSlice};
use std::iter::FusedIterator;

use super::{Ancillary, ControlBuffer, Flags};
use crate::sockaddr::SockAddr;
use crate::socket::Socket;

/// The segments that every kernel takes in one call: `UDP_MAX_SEGMENTS`, 128 from Linux 6.9.
const SEGMENTS_PER_CALL: usize = 64;
/// The bytes that fit into an IPv4 packet behind its header and UDP's.
const BYTES_PER_CALL: usize = 65_535 - 20 - 8;

impl Socket {
    /// Sends `bytes` as datagrams of `size` bytes each, the last one of what is left, to `to` or
    /// to the connected peer. No bytes are no datagrams.
    ///
    /// One system call takes up to 64 datagrams; all of them share one time limit. `size` plus the
    /// headers must not be more than the path's MTU.
    ///
    /// # Errors
    /// As [`send_msg`](Socket::send_msg), after which it is unknown how many have been sent.
    /// `InvalidInput` for a zero `size`; `EMSGSIZE` or `EINVAL` for one above the path's MTU; `EIO`
    /// where the device cannot compute checksums; `ENOPROTOOPT`, `EINVAL` where it is not UDP.
    ///
    /// # Platform
    /// Linux 4.18.
    ///
    /// ```
    /// use socket::{ControlBuffer, Family, Socket, Type};
    ///
    /// let receiver = Socket::new(Family::INET, Type::DGRAM, Default::default())?;
    /// receiver.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into())?;
    /// let sender = Socket::new(Family::INET, Type::DGRAM, Default::default())?;
    /// sender.send_segments(&[7; 2500], 1000, Some(&receiver.getsockname()?))?;
    ///
    /// let mut buffer = [0; 2000];
    /// for length in [1000, 1000, 500] {
    ///     assert_eq!(receiver.recv(&mut buffer)?, length);
    /// }
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "UDP_SEGMENT")]
    pub fn send_segments(&self, bytes: &[u8], size: u16, to: Option<&SockAddr>) -> io::Result<()> {
        if size == 0 {
            let text = "datagrams of no bytes cannot make up a buffer";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let segments = (BYTES_PER_CALL / usize::from(size)).clamp(1, SEGMENTS_PER_CALL);
        let deadline = self.deadline().fixed();
        let ancillary = [Ancillary::SegmentSize(size)];
        for part in bytes.chunks(segments * usize::from(size)) {
            self.send_msg_by(&[IoSlice::new(part)], &ancillary, Flags::NONE, to, deadline)?;
        }
        Ok(())
    }
}

impl ControlBuffer {
    /// The datagrams in `bytes`, which were received with this ancillary data: parted by the size
    /// that came with them ([`Ancillary::GroSize`]), or one if none did.
    ///
    /// Coalescing is asked for with `UDP_GRO`; without it every message is one datagram. Buffers
    /// of 64 KiB lose nothing.
    #[must_use]
    #[doc(alias = "UDP_GRO")]
    pub fn segments<'a>(&self, bytes: &'a [u8]) -> Segments<'a> {
        let size = self.messages().find_map(|piece| match piece {
            Ancillary::GroSize(size) if size > 0 => usize::try_from(size).ok(),
            _ => None,
        });
        Segments { rest: Some(bytes), size: size.unwrap_or(usize::MAX) }
    }
}

/// The datagrams that arrived as one message. At least one; an empty datagram is one too.
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    rest: Option<&'a [u8]>,
    size: usize,
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (first, rest) = match self.rest?.split_at_checked(self.size) {
            Some((first, rest)) => (first, (!rest.is_empty()).then_some(rest)),
            None => (self.rest?, None),
        };
        self.rest = rest;
        Some(first)
    }
}

impl FusedIterator for Segments<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8], size: usize) -> Vec<usize> {
        Segments { rest: Some(bytes), size }.map(<[u8]>::len).collect()
    }

    #[test]
    fn segments_are_of_the_size_but_for_the_last() {
        assert_eq!(split(&[0; 10], 4), [4, 4, 2]);
        assert_eq!(split(&[0; 8], 4), [4, 4]);
        assert_eq!(split(&[0; 3], 4), [3]);
        assert_eq!(split(&[], 4), [0]);
        assert_eq!(split(&[0; 3], usize::MAX), [3]);
    }
}
