//! Whether a text is as a document shows it, where `…` stands for whatever differs.

/// Whether `text` is `expected`: a line that is only `…` is any lines, or none; `…` within a line
/// is anything.
pub(super) fn matches(expected: &str, text: &str) -> bool {
    let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
    lines_match(&lines(expected), &lines(text))
}

fn lines_match(expected: &[String], lines: &[String]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any == "…" => {
            (0..=lines.len()).any(|skipped| lines_match(rest, &lines[skipped..]))
        }
        Some((first, rest)) => match lines.split_first() {
            None => false,
            Some((line, lines)) => line_matches(first, line) && lines_match(rest, lines),
        },
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    let Some((before, rest)) = expected.split_once('…') else { return expected == line };
    let Some(line) = line.strip_prefix(before) else { return false };
    let places = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    places.into_iter().any(|at| line_matches(rest, &line[at..]))
}

#[test]
fn dots_stand_for_what_differs() {
    let same = ["a\nb\n", "…\n", "a\n…\n", "a\n…\nb\n", "…a\nb…\n", "a\n…b\n", "…\na\nb\n…\n"];
    for expected in same {
        assert!(matches(expected, "a\nb\n"), "{expected:?}");
    }
    for expected in ["a\n", "a\nb", "…b\n", "a…b\n", "b\n…\n", "a\n…\nc\n", ""] {
        assert!(!matches(expected, "a\nb\n"), "{expected:?}");
    }
    assert!(matches("I am …:1, you are …:2!\n", "I am a:1, you are b:2!\n"));
    assert!(!matches("I am …:1, you are …:2!\n", "I am a:1, you are b:3!\n"));
}
