//! Rust source with its code, its comments and its literals told apart.
//!
//! A rule about code must not be broken by a word in a comment, nor a rule about comments by a word
//! in a string. This lexer knows just enough of the language for that: comments (nested ones too),
//! strings (raw, byte and C ones too) and character literals, which it tells from lifetimes. It
//! does not know keywords, numbers or operators. Each view keeps every line and every column: what
//! it leaves out is blank.

/// What a character belongs to. The quotes of a literal are part of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The text of a Rust file, in three views.
pub(crate) struct RustText {
    /// Neither comments nor literals.
    pub(crate) code: String,
    /// Code and comments.
    pub(crate) without_literals: String,
    /// Code and literals.
    pub(crate) without_comments: String,
}

impl RustText {
    pub(crate) fn new(text: &str) -> RustText {
        let chars: Vec<char> = text.chars().collect();
        let kinds = kinds(&chars);
        let view = |keep: &[Kind]| {
            let blank = |(c, kind): (&char, &Kind)| match c {
                '\n' => '\n',
                _ if keep.contains(kind) => *c,
                _ => ' ',
            };
            chars.iter().zip(&kinds).map(blank).collect()
        };
        RustText {
            code: view(&[Kind::Code]),
            without_literals: view(&[Kind::Code, Kind::Comment]),
            without_comments: view(&[Kind::Code, Kind::Literal]),
        }
    }
}

/// True if `c` can stand in a name.
pub(crate) fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names in `text`, keywords and numbers among them.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !in_name(c)).filter(|name| !name.is_empty())
}

/// True if `word` stands in `text` and is not a part of a longer name.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let goes_on_before = word.starts_with(in_name) && before.is_some_and(in_name);
        let goes_on_after = word.ends_with(in_name) && after.is_some_and(in_name);
        !goes_on_before && !goes_on_after
    })
}

/// The text between the bracket at the start of `text` and its partner, in a view without literals
/// and comments. `None` if `text` starts with no bracket or the partner is missing.
pub(crate) fn bracketed(text: &str) -> Option<&str> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..at);
        }
    }
    None
}

/// The number, counted from 1, of the line that the byte at `at` stands on.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn kinds(chars: &[char]) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(chars.len());
    while kinds.len() < chars.len() {
        let (kind, length) = token(&chars[kinds.len()..]);
        let length = length.min(chars.len() - kinds.len());
        kinds.extend(std::iter::repeat_n(kind, length));
    }
    kinds
}

/// The kind and the length of what `rest`, which is not empty, starts with.
fn token(rest: &[char]) -> (Kind, usize) {
    match rest {
        ['/', '/', ..] => (Kind::Comment, find(rest, 2, '\n')),
        ['/', '*', ..] => (Kind::Comment, block_comment(rest)),
        ['"', ..] => (Kind::Literal, string(rest)),
        ['\'', '\\', ..] => (Kind::Literal, find(rest, 3, '\'') + 1),
        ['\'', _, '\'', ..] => (Kind::Literal, 3),
        [c, ..] if in_name(*c) => word(rest),
        _ => (Kind::Code, 1),
    }
}

/// The index of the first `wanted` at or after `from`, or the end.
fn find(rest: &[char], from: usize, wanted: char) -> usize {
    let found = rest.iter().skip(from).position(|c| *c == wanted);
    found.map_or(rest.len(), |at| from + at)
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// A name, or the raw string that a name such as `r` or `br` opens.
fn word(rest: &[char]) -> (Kind, usize) {
    let length = rest.iter().take_while(|c| in_name(**c)).count();
    let raw = matches!(rest[..length], ['r'] | ['b', 'r'] | ['c', 'r']);
    let hashes = rest[length..].iter().take_while(|c| **c == '#').count();
    if !raw || rest.get(length + hashes) != Some(&'"') {
        return (Kind::Code, length);
    }
    let mut at = length + hashes + 1;
    while at < rest.len() {
        at = find(rest, at, '"') + 1;
        let closing = rest.iter().skip(at).take(hashes);
        if closing.filter(|c| **c == '#').count() == hashes {
            break;
        }
    }
    (Kind::Literal, at + hashes)
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let cases = [
        ("let a = 1; // b", "let a = 1;     "),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"a("b\"c", 'd', '\'', '"')e"#, "a(      ,    ,     ,    )e"),
        ("fn f<'a>(b: &'a str)", "fn f<'a>(b: &'a str)"),
        (r##"a(r#"b"c"#, br"\", r#fn)"##, "a(        ,      , r#fn)"),
        ("/// a\nb \"c\nd\" e", "     \nb   \n   e"),
    ];
    for (text, code) in cases {
        assert_eq!(RustText::new(text).code, code, "of {text}");
    }
    assert_eq!(RustText::new("a // b").without_literals, "a // b");
    assert_eq!(RustText::new("a(\"b\") // c").without_comments, "a(\"b\")     ");
}
