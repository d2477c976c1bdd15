//! Lines of a chat: whatever a member sends, nothing of it controls another's terminal, and a name
//! is one word.

use services::fuzz::read_chat_line;

/// Reads the bytes as a line, without its end.
pub(crate) fn run(bytes: &[u8]) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let (shown, name) = read_chat_line(line);
    if let Some(shown) = shown {
        let quiet = |letter: char| !letter.is_control() || letter == '\t';
        assert!(shown.chars().all(quiet), "{shown:?}");
        // The marks of Unicode that turn the direction of what follows.
        let turns = ['\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'];
        assert!(!shown.contains(turns), "{shown:?}");
    }
    if let Some(name) = name {
        assert!((1..=24).contains(&name.chars().count()), "{name:?}");
        assert!(!name.contains(char::is_whitespace) && !name.contains(['/', '\\']), "{name:?}");
    }
}
