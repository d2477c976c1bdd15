//! The `Range` of a request, RFC 9110, section 14: one piece of a file.
//!
//! Several pieces at once are answered with the whole, which the RFC leaves to the server. Readers
//! that resume or seek ask for one; several small ones in one request are mostly asked for by those
//! who want to make a server work.

use std::ops::Range;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Everything.
    Whole,
    /// These bytes, of which there is at least one.
    Part(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// Reads the value of `Range` for a file of `size` bytes. What cannot be read is as if it were not
/// there.
pub(crate) fn read(value: &str, size: u64) -> Wanted {
    let Some((unit, ranges)) = value.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return Wanted::Whole };
    match (number(first), number(last)) {
        (Some(begin), Some(end)) if begin > end => Wanted::Whole,
        (Some(begin), end) if end.is_some() || last.is_empty() => {
            let end = end.map_or(size, |last| last.saturating_add(1).min(size));
            if begin < end { Wanted::Part(begin..end) } else { Wanted::Nothing }
        }
        (None, Some(count)) if first.is_empty() => {
            let part = size.saturating_sub(count)..size;
            if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
        }
        _ => Wanted::Whole,
    }
}

/// A number of digits only. One too large to hold is larger than any file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_is_found_and_all_else_is_the_whole() {
        let rows = [
            ("bytes=0-0", 10, Wanted::Part(0..1)),
            ("bytes=0-", 10, Wanted::Part(0..10)),
            ("bytes=9-9", 10, Wanted::Part(9..10)),
            ("bytes=3-100", 10, Wanted::Part(3..10)),
            ("bytes=-3", 10, Wanted::Part(7..10)),
            ("bytes=-30", 10, Wanted::Part(0..10)),
            ("Bytes = 1-2", 10, Wanted::Part(1..3)),
            ("bytes=0-18446744073709551615", 10, Wanted::Part(0..10)),
            ("bytes=0-99999999999999999999999", 10, Wanted::Part(0..10)),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=99999999999999999999999-", 10, Wanted::Nothing),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=-5", 0, Wanted::Nothing),
            ("bytes=5-4", 10, Wanted::Whole),
            ("bytes=0-1,3-4", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes=1", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=1-x", 10, Wanted::Whole),
            ("bytes=--1", 10, Wanted::Whole),
            ("bytes=1--", 10, Wanted::Whole),
            ("lines=0-1", 10, Wanted::Whole),
        ];
        for (value, size, wanted) in rows {
            assert_eq!(read(value, size), wanted, "{value} of {size}");
        }
    }
}
