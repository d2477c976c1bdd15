//! What a line says: talk or a command; which names can be had; what may be shown to others.

/// The longest name of a member or a room, in characters.
const NAME_MAX: usize = 24;

/// What `/help` says.
pub(super) const HELP: &str = "\
* /join ROOM  go to another room\n\
* /nick NAME  take another name\n\
* /who        who is in the room\n\
* /quit       leave\n\
* Everything else is said to everybody in the room.\n";

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    Nothing,
    Say(&'a str),
    Join(&'a str),
    Nick(&'a str),
    Who,
    Help,
    Quit,
    /// A word that is no command.
    Unknown(&'a str),
    /// A command without what it needs, and what that is.
    Wrong(&'static str),
}

/// Reads a line. One that begins with `/` is a command; `//` says a line that begins with `/`.
pub(crate) fn read(line: &str) -> Command<'_> {
    let line = line.trim_end();
    if line.is_empty() {
        return Command::Nothing;
    }
    let Some(rest) = line.strip_prefix('/') else { return Command::Say(line) };
    if rest.starts_with('/') {
        return Command::Say(rest);
    }
    let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
    let argument = argument.trim();
    match (word, is_name(argument)) {
        ("/join", true) => Command::Join(argument),
        ("/nick", true) => Command::Nick(argument),
        ("/join", false) => Command::Wrong("/join ROOM: 1 to 24 letters, digits, - or _."),
        ("/nick", false) => Command::Wrong("/nick NAME: 1 to 24 letters, digits, - or _."),
        ("/who", _) => Command::Who,
        ("/help", _) => Command::Help,
        ("/quit", _) => Command::Quit,
        _ => Command::Unknown(word),
    }
}

/// Whether a member or a room can be called so. Letters and digits of any script.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
    (1..=NAME_MAX).contains(&name.chars().count()) && name.chars().all(fits)
}

/// The text with what could play tricks on a terminal written out: control characters, and those
/// that change the direction of what follows.
pub(crate) fn readable(text: &str) -> String {
    let tricky = |letter: char| {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
        let isolates = matches!(letter, '\u{2066}'..='\u{2069}' | '\u{feff}');
        (letter.is_control() && letter != '\t') || turns || isolates
    };
    if !text.contains(tricky) {
        return text.to_owned();
    }
    let shown = |letter: char| match tricky(letter) {
        true => letter.escape_unicode().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_talk_or_commands() {
        assert_eq!(read("hello  "), Command::Say("hello"));
        assert_eq!(read("  "), Command::Nothing);
        assert_eq!(read("//join is a command"), Command::Say("/join is a command"));
        assert_eq!(read("/join attic"), Command::Join("attic"));
        assert_eq!(read("/nick  ann "), Command::Nick("ann"));
        assert_eq!(read("/who ever"), Command::Who);
        assert_eq!(read("/fly away"), Command::Unknown("/fly"));
        assert!(matches!(read("/join"), Command::Wrong(_)));
        assert!(matches!(read("/nick two words"), Command::Wrong(_)));
    }

    #[test]
    fn names_are_words_of_any_script() {
        for name in ["a", "ann-2", "张伟", "x_y", &"n".repeat(24)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", " ", "a b", "a\u{1b}", "../..", "a:b", &"n".repeat(25)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn nothing_reaches_a_terminal_as_a_command() {
        assert_eq!(readable("tab\tand 漢字"), "tab\tand 漢字");
        assert_eq!(readable("\u{1b}[2J\u{7}"), "\\u{1b}[2J\\u{7}");
        assert_eq!(readable("\u{202e}txt.exe"), "\\u{202e}txt.exe");
        assert!(!readable("\u{9b}31m\r\n\u{0}").contains(char::is_control));
    }
}
