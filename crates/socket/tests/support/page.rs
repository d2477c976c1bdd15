//! A page that compares Python's names with ours, as data: tables of three cells, in which names
//! stand as code.
//!
//! Each test that mounts it uses a part of it.

#![allow(dead_code)]

/// What a row says where Python's name has no counterpart.
pub(crate) const NOTHING: &str = "No equivalent needed";

/// A row of a table.
pub(crate) struct Row<'a> {
    pub(crate) line: usize,
    pub(crate) python: &'a str,
    pub(crate) ours: &'a str,
    pub(crate) notes: &'a str,
}

/// The rows of the page's tables, without their heads.
pub(crate) fn rows(page: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (at, line) in page.lines().enumerate() {
        let Some(inner) = line.strip_prefix("| ").and_then(|rest| rest.strip_suffix('|')) else {
            continue;
        };
        // A bar within a cell is written `\|`.
        let bars = inner.match_indices('|').filter(|(bar, _)| !inner[..*bar].ends_with('\\'));
        let ends: Vec<usize> = bars.map(|(bar, _)| bar).collect();
        let [first, second] = ends[..] else { panic!("line {}: not three cells", at + 1) };
        let (python, ours) = (inner[..first].trim(), inner[first + 1..second].trim());
        if python != "Python" {
            rows.push(Row { line: at + 1, python, ours, notes: inner[second + 1..].trim() });
        }
    }
    rows
}

/// The code spans of a text.
pub(crate) fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The path that a code span begins with.
pub(crate) fn path(span: &str) -> &str {
    let end = span.find(|letter: char| !letter.is_alphanumeric() && !"_:.".contains(letter));
    span[..end.unwrap_or(span.len())].trim_end_matches([':', '.'])
}

/// Those of `names` that no row has in its first cell, with `before` in front of the name.
pub(crate) fn without_row<'a>(
    page: &str,
    before: &str,
    names: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let rows = rows(page);
    let has =
        |name: &String| rows.iter().any(|row| code(row.python).any(|span| path(span) == name));
    names.map(|name| format!("{before}{name}")).filter(|name| !has(name)).collect()
}

/// Whether a row says why there is no counterpart.
pub(crate) fn has_reason(notes: &str) -> bool {
    notes.split_once(NOTHING).is_some_and(|(_, reason)| reason.len() > 12)
}
