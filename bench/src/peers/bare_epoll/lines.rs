//! The line protocol of the bare loop: every whole line is found and copied into one answer for
//! all that one `recv` brought. No server that looks at lines at all does with less.

use super::Protocol;

/// What has arrived of lines that are not whole yet, by the number of the connection.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<Vec<u8>>,
    answer: Vec<u8>,
}

impl Protocol for Lines {
    fn answer<'a>(&'a mut self, number: usize, received: &'a [u8]) -> &'a [u8] {
        if self.begun.len() <= number {
            self.begun.resize_with(number + 1, Vec::new);
        }
        self.answer.clear();
        let (begun, mut rest) = (&mut self.begun[number], received);
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if !begun.is_empty() {
                self.answer.append(begun);
            }
            self.answer.extend_from_slice(&rest[..=end]);
            rest = &rest[end + 1..];
        }
        begun.extend_from_slice(rest);
        &self.answer
    }

    fn closed(&mut self, number: usize) {
        if let Some(begun) = self.begun.get_mut(number) {
            begun.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_answered() {
        let mut lines = Lines::default();
        assert_eq!(lines.answer(3, b"a"), b"");
        assert_eq!(lines.answer(7, b"x\n"), b"x\n");
        assert_eq!(lines.answer(3, b"b\nc\nd"), b"ab\nc\n");
        lines.closed(3);
        assert_eq!(lines.answer(3, b"e\n"), b"e\n");
    }
}
