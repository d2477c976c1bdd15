//! A peer's bytes made safe for a terminal.
//!
//! What a peer sends must not move the cursor, change the title or answer a question in the user's
//! name. Control characters, the invisible ones that reorder text, and bytes that are not UTF-8 are
//! shown as escapes; newlines and tabs stay, and so does everything that can simply be seen. A
//! character that arrives in two pieces is put together.

/// The longest incomplete character, in bytes.
const INCOMPLETE_MAX: usize = 3;

/// Makes bytes visible, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    held: Vec<u8>,
}

impl Screen {
    /// The text for these bytes and those held before; it may hold a few back.
    pub(crate) fn show(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let whole = self.held.len() - incomplete(&self.held);
        let rest = self.held.split_off(whole);
        visible(&std::mem::replace(&mut self.held, rest))
    }

    /// The text for what is held, when nothing more will come.
    pub(crate) fn end(&mut self) -> String {
        visible(&std::mem::take(&mut self.held))
    }
}

/// How many bytes at the end are the beginning of something: a character, or a line end of two.
fn incomplete(bytes: &[u8]) -> usize {
    if bytes.ends_with(b"\r") {
        return 1;
    }
    let begins = |length: &usize| {
        let tail = &bytes[bytes.len() - length..];
        std::str::from_utf8(tail).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
    };
    (1..=bytes.len().min(INCOMPLETE_MAX)).rev().find(begins).unwrap_or(0)
}

/// Bytes as text without control characters. `\r\n` is a newline.
pub(crate) fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut letters = chunk.valid().chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\n' | '\t' => text.push(letter),
                '\r' if letters.peek() == Some(&'\n') => {}
                _ if letter.is_control() || reorders(letter) => {
                    text.extend(letter.escape_default());
                }
                _ => text.push(letter),
            }
        }
        text.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    text
}

/// Bidirectional controls make a text read differently from what it says. Unicode UAX #9, 2.
fn reorders(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_never_reach_the_terminal() {
        let rows: [(&[u8], &str); 6] = [
            (b"plain\ttext\n", "plain\ttext\n"),
            (b"\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            (b"a\r\nb\rc", "a\nb\\rc"),
            (b"\xc2\x9b31m \xff", "\\u{9b}31m \\xff"),
            ("é € 😀 ß".as_bytes(), "é € 😀 ß"),
            ("\u{202e}gnp.exe".as_bytes(), "\\u{202e}gnp.exe"),
        ];
        for (bytes, expected) in rows {
            for cut in 0..=bytes.len() {
                let mut screen = Screen::default();
                let mut text = screen.show(&bytes[..cut]);
                text.push_str(&screen.show(&bytes[cut..]));
                text.push_str(&screen.end());
                assert_eq!(text, expected, "cut at {cut}");
            }
        }
    }
}
