//! Limits on length: of a line, of a file, of a function.
//!
//! All three apply to every Rust file, tests and benchmarks too. Columns are characters, not bytes.
//! A function is measured from the line of its `fn` to that of its closing brace; its documentation
//! above it is not counted. Prose, manifests and scripts are not measured.

use crate::check::{Check, Finding};
use crate::tree::{File, Tree};

const COLUMNS: usize = 100;
const FILE_LINES: usize = 700;
const FUNCTION_LINES: usize = 70;

/// The literal, seven times.
macro_rules! seven {
    ($text:expr) => {
        concat!($text, $text, $text, $text, $text, $text, $text)
    };
}

/// The literal, ten times.
macro_rules! ten {
    ($text:expr) => {
        concat!($text, $text, $text, $text, $text, $text, $text, $text, $text, $text)
    };
}

pub(crate) const LINES: Check = Check {
    run: long_lines,
    remedy: "break the line; only a comment with a URL may be longer, by as much as the URL",
    broken: &[
        (&[("a.rs", concat!("//! A.\n", ten!("0123456789"), "1\n"))], &["a.rs:2"]),
        (&[("a.rs", concat!("//! <http://a> ", ten!("0123456789")))], &["a.rs:1"]),
        (&[("a.rs", concat!("let a = \"http://", ten!("0123456789"), "\";"))], &["a.rs:1"]),
    ],
    sound: &[
        &[("a.rs", ten!("ééééééééé\n"))],
        &[("a.rs", ten!("éééééééééé"))],
        &[("a.rs", concat!("//! See <http://", ten!("0123456789"), "> for more."))],
        &[("a.md", concat!(ten!("0123456789"), "1"))],
    ],
};

pub(crate) const FILES: Check = Check {
    run: long_files,
    remedy: "find the second idea in the file and give it a file of its own",
    broken: &[(&[("a.rs", concat!(seven!(ten!(ten!("\n"))), "\n"))], &["a.rs:701"])],
    sound: &[
        &[("a.rs", seven!(ten!(ten!("\n"))))],
        &[("a.md", concat!(seven!(ten!(ten!("\n"))), "\n"))],
    ],
};

pub(crate) const FUNCTIONS: Check = Check {
    run: long_functions,
    remedy: "keep the decisions, and move a step that has a name of its own into a function",
    broken: &[
        (&[("a.rs", concat!("fn a() {", seven!(ten!("\n")), "}\n"))], &["a.rs:1"]),
        (&[("a.rs", concat!("  pub(crate) const fn a(", seven!(ten!("\n")), ") {}"))], &["a.rs:1"]),
        (
            &[("a.rs", concat!("\nunsafe extern \"C\" fn a() {", seven!(ten!("\n{}")), "}"))],
            &["a.rs:2"],
        ),
    ],
    sound: &[
        &[("a.rs", concat!("fn a() {\n\n\n\n\n\n", seven!("\n\n\n\n\n\n\n\n\n"), "}"))],
        &[("a.rs", concat!("fn a() {}", seven!(ten!("\n")), "fn b() {}"))],
        &[("a.rs", concat!("fn a(b: [u8; 2]);", seven!(ten!("\n")), "{}"))],
        &[("a.rs", concat!("/// fn a() {", seven!(ten!("\n/// b")), "}"))],
        &[("a.rs", concat!("fn a() { b('}') }", seven!(ten!("\n"))))],
    ],
};

fn long_lines(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (at, line) in file.text.lines().enumerate() {
            let columns = line.chars().count() - url_columns(line);
            if columns > COLUMNS {
                let what = format!("{columns} columns, where {COLUMNS} are the end");
                findings.push(Finding::new(&file.path, at + 1, what));
            }
        }
    }
    findings
}

/// The width of the URLs in a line that is a comment.
fn url_columns(line: &str) -> usize {
    if !line.trim_start().starts_with("//") {
        return 0;
    }
    let urls = line.split_whitespace().filter(|word| word.contains("://"));
    urls.map(|url| url.chars().count()).sum()
}

fn long_files(tree: &Tree) -> Vec<Finding> {
    let lengths = tree.rust().map(|file| (file, file.text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > FILE_LINES);
    long.map(|(file, lines)| {
        let what = format!("{lines} lines, where {FILE_LINES} are the end");
        Finding::new(&file.path, FILE_LINES + 1, what)
    })
    .collect()
}

fn long_functions(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(long_functions_of).collect()
}

fn long_functions_of(file: &File) -> Vec<Finding> {
    let lines: Vec<&str> = file.rust.code.lines().collect();
    let mut findings = Vec::new();
    for at in (0..lines.len()).filter(|at| starts_function(lines[*at])) {
        let length = item_lines(&lines[at..]);
        if length > FUNCTION_LINES {
            let what = format!("a function of {length} lines, where {FUNCTION_LINES} are the end");
            findings.push(Finding::new(&file.path, at + 1, what));
        }
    }
    findings
}

fn starts_function(line: &str) -> bool {
    let is_qualifier = |word: &&str| {
        ["pub", "default", "const", "async", "unsafe", "extern"].contains(word)
            || word.starts_with("pub(")
    };
    line.split_whitespace().find(|word| !is_qualifier(word)) == Some("fn")
}

/// How many lines the item takes that starts the first line: to the brace that closes its body, or
/// to the semicolon it has in a body's place.
fn item_lines(lines: &[&str]) -> usize {
    let mut depth = 0;
    for (at, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(c, '}' | ';') {
                return at + 1;
            }
        }
    }
    lines.len()
}
