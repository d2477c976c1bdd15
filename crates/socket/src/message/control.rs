//! The layout of ancillary data: `struct cmsghdr` and what follows it, as bytes.
//!
//! ```text
//!   0         8        12       16                        CMSG_LEN        CMSG_SPACE
//!   | length  | level  | type   | data …                  | padding …     | the next one
//!   ◄───────────── length ────────────────────────────────►
//! ```
//! (64-bit; the length is a machine word, and everything starts at a multiple of one.) It is all
//! safe code, and any bytes can be thrown at it: a length that reaches past the end is cut there,
//! one that is shorter than its own header ends the walk.
//!
//! What the data means is `ancillary.rs`.

/// The unit to which the kernel aligns: `sizeof(size_t)`.
const WORD: usize = size_of::<usize>();
/// `sizeof(struct cmsghdr)`, in the kernel's layout, and with that where the data begins.
const HEADER: usize = WORD + 2 * size_of::<i32>();
/// The largest length that C's signed `socklen_t` arithmetic is sure to hold.
const LARGEST: usize = i32::MAX as usize;

const _: () = assert!(HEADER == size_of::<libc::cmsghdr>() && HEADER.is_multiple_of(WORD));

/// The bytes that one message with `length` bytes of data takes, without padding after it.
/// `CMSG_LEN`; `None` where that is more than `i32::MAX`.
///
/// Room of this size takes the message and nothing more. `cmsg(3)`.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(socket::cmsg_len(4), Some(20));
/// assert_eq!(socket::cmsg_len(usize::MAX), None);
/// ```
#[must_use]
#[doc(alias = "CMSG_LEN")]
pub const fn cmsg_len(length: usize) -> Option<usize> {
    match length <= LARGEST - HEADER {
        true => Some(HEADER + length),
        false => None,
    }
}

/// The bytes that one message with `length` bytes of data takes when another follows it.
/// `CMSG_SPACE`; `None` where that is more than `i32::MAX`.
///
/// Room for several messages is the sum of theirs. Because of the padding it may be room for one
/// descriptor more than was counted. `cmsg(3)`.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(socket::cmsg_space(4), Some(24));
/// assert_eq!(socket::cmsg_space(usize::MAX), None);
/// ```
#[must_use]
#[doc(alias = "CMSG_SPACE")]
pub const fn cmsg_space(length: usize) -> Option<usize> {
    match length <= LARGEST - HEADER - (WORD - 1) {
        true => Some(HEADER + length.next_multiple_of(WORD)),
        false => None,
    }
}

/// One message in a control buffer: whose it is, what it is, and its data as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) level: i32,
    pub(crate) kind: i32,
    pub(crate) data: &'a [u8],
}

/// The messages of a control buffer, in order.
#[derive(Debug, Clone)]
pub(crate) struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    /// Walks over what the kernel wrote, which must begin with a header.
    pub(crate) fn new(bytes: &'a [u8]) -> Walk<'a> {
        Walk { rest: bytes }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let rest = std::mem::take(&mut self.rest);
        let (header, _) = rest.split_first_chunk::<HEADER>()?;
        let (length, header) = header.split_first_chunk().expect("a word is shorter");
        let (level, kind) = header.split_first_chunk().expect("two integers remain");
        let kind = kind.first_chunk().expect("one integer remains");
        let length = usize::from_ne_bytes(*length);
        if length < HEADER {
            return None;
        }
        if let Some(next) = length.checked_next_multiple_of(WORD) {
            self.rest = rest.get(next..).unwrap_or_default();
        }
        Some(Message {
            level: i32::from_ne_bytes(*level),
            kind: i32::from_ne_bytes(*kind),
            data: &rest[HEADER..length.min(rest.len())],
        })
    }
}

/// Writes a message's header and answers the place for its data and the room after it.
///
/// `room` must hold [`cmsg_space`] of `length`.
pub(crate) fn begin(room: &mut [u8], level: i32, kind: i32, length: usize) -> [&mut [u8]; 2] {
    let (message, after) = room.split_at_mut(HEADER + length.next_multiple_of(WORD));
    let (header, data) = message.split_at_mut(HEADER);
    let (word, rest) = header.split_at_mut(WORD);
    let (level_place, kind_place) = rest.split_at_mut(size_of::<i32>());
    word.copy_from_slice(&(HEADER + length).to_ne_bytes());
    level_place.copy_from_slice(&level.to_ne_bytes());
    kind_place.copy_from_slice(&kind.to_ne_bytes());
    let (data, padding) = data.split_at_mut(length);
    padding.fill(0);
    [data, after]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_do_not_fit_are_none() {
        assert_eq!(cmsg_len(LARGEST - HEADER), Some(LARGEST));
        for length in [LARGEST - HEADER + 1, LARGEST, usize::MAX - HEADER, usize::MAX] {
            assert_eq!(cmsg_len(length), None);
            assert_eq!(cmsg_space(length), None);
        }
        assert_eq!(cmsg_space(LARGEST - HEADER), None);
    }

    #[test]
    fn what_is_written_is_walked_over_again() {
        let data: [&[u8]; 4] = [b"", b"1", b"12345678", b"123456789"];
        let mut bytes = vec![0xFF; data.iter().map(|data| cmsg_space(data.len()).unwrap()).sum()];
        let mut room = &mut bytes[..];
        for (index, data) in data.iter().enumerate() {
            let [place, after] = begin(room, index as i32, -1, data.len());
            place.copy_from_slice(data);
            room = after;
        }
        assert!(room.is_empty());
        let found: Vec<_> = Walk::new(&bytes).collect();
        assert_eq!(found.len(), data.len());
        for (index, message) in found.iter().enumerate() {
            let expected = Message { level: index as i32, kind: -1, data: data[index] };
            assert_eq!(*message, expected);
        }
    }

    #[test]
    fn a_cut_buffer_gives_what_is_there() {
        let mut bytes = vec![0; cmsg_space(8).unwrap() * 2];
        let [first, after] = begin(&mut bytes, 1, 2, 8);
        first.copy_from_slice(b"abcdefgh");
        let [second, _] = begin(after, 3, 4, 8);
        second.copy_from_slice(b"ijklmnop");
        for length in 0..bytes.len() {
            let walked: Vec<_> = Walk::new(&bytes[..length]).collect();
            let whole = cmsg_space(8).unwrap();
            let expected = usize::from(length >= HEADER) + usize::from(length >= whole + HEADER);
            assert_eq!(walked.len(), expected, "at {length}");
            if let Some(last) = walked.last() {
                let start = (expected - 1) * whole + HEADER;
                assert_eq!(last.data, &bytes[start..length.min(start + 8)]);
            }
        }
    }

    #[test]
    fn impossible_lengths_end_the_walk() {
        for length in [0, 1, HEADER - 1] {
            let mut bytes = vec![0; 64];
            bytes[..WORD].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Walk::new(&bytes).count(), 0);
        }
        for length in [65, usize::MAX - 1, usize::MAX] {
            let mut bytes = vec![0; 64];
            bytes[..WORD].copy_from_slice(&length.to_ne_bytes());
            let walked: Vec<_> = Walk::new(&bytes).collect();
            assert_eq!(walked.len(), 1);
            assert_eq!(walked[0].data.len(), 64 - HEADER);
        }
    }
}
