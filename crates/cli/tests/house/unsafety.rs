//! Where `unsafe` may stand, and that it is argued.
//!
//! The compiler enforces one operation per block (`Cargo.toml`, the workspace's lints) and the
//! documentation of unsafe functions. What it cannot know is which rooms of this house may hold
//! unsafe code at all. That an argument convinces is for a reviewer.

use crate::check::{Check, Finding};
use crate::rust_text::{has_word, line_of};
use crate::tree::{File, Tree};

pub(crate) const PLACES: Check = Check {
    run: misplaced,
    remedy: "move the unsafe operation behind a safe function in crates/socket/src/sys/ or \
             crates/coroutine/, or do without it",
    broken: &[
        (&[("crates/socket/src/a.rs", "\nunsafe { a() }\n")], &["crates/socket/src/a.rs:2"]),
        (&[("bench/src/a.rs", "unsafe impl Send for A {}\n")], &["bench/src/a.rs:1"]),
    ],
    sound: &[
        &[("crates/socket/src/sys/a.rs", "unsafe { a() }\n")],
        &[("crates/coroutine/tests/a.rs", "unsafe { a() }\n")],
        &[("a.rs", "#![forbid(unsafe_code)]\n//! No unsafe code.\nlet a = \"unsafe\";\n")],
    ],
};

pub(crate) const ARGUMENTS: Check = Check {
    run: unargued,
    remedy: "write `// SAFETY:` above it: the fact that makes it sound, and where it is ensured",
    broken: &[
        (&[("a.rs", "let a = unsafe { b() };\n")], &["a.rs:1"]),
        (&[("a.rs", "// SAFETY: A.\na();\nunsafe { b() };\n")], &["a.rs:3"]),
        (&[("a.rs", "// SAFETY: A.\n\nunsafe { b() };\n")], &["a.rs:3"]),
        (&[("a.rs", "// SAFETY:\nunsafe { b() };\n")], &["a.rs:2"]),
        (&[("a.rs", "// It is safe.\nunsafe impl Send for A {}\n")], &["a.rs:2"]),
        (&[("a.rs", "// SAFETY: A.\nunsafe { b() };\nunsafe { c() };\n")], &["a.rs:3"]),
    ],
    sound: &[
        &[("a.rs", "// SAFETY: A,\n// and B.\nlet a =\n    unsafe { b() };\n")],
        &[("a.rs", "// SAFETY: A.\n#[cfg(b)]\nunsafe impl Send for A {}\n")],
        &[("a.rs", "/// # Safety\n/// A.\nunsafe fn a() {}\nunsafe extern \"C\" {}\n")],
    ],
};

/// What a path starts with where `unsafe` may stand: two rooms of the product, and the peers that
/// it is measured against, some of which have no other way.
const ROOMS: [&str; 3] = ["crates/socket/src/sys/", "crates/coroutine/", "bench/src/peers/"];

fn misplaced(tree: &Tree) -> Vec<Finding> {
    let allowed = |file: &File| ROOMS.iter().any(|room| file.path.starts_with(room));
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !allowed(file)) {
        for (at, line) in file.rust.code.lines().enumerate() {
            if has_word(line, "unsafe") {
                findings.push(Finding::new(&file.path, at + 1, "`unsafe` outside its rooms"));
            }
        }
    }
    findings
}

fn unargued(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(unargued_of).collect()
}

fn unargued_of(file: &File) -> Vec<Finding> {
    let code = &file.rust.code;
    let lines: Vec<(&str, &str)> = code.lines().zip(file.rust.without_literals.lines()).collect();
    let mut findings = Vec::new();
    for (at, word) in code.match_indices("unsafe") {
        let next = code[at + word.len()..].trim_start();
        let line = line_of(code, at);
        let needs_one = next.starts_with('{') || next.starts_with("impl");
        if needs_one && !is_argued(&lines[..line]) {
            findings.push(Finding::new(&file.path, line, "`unsafe` without its argument"));
        }
    }
    findings
}

/// True if an argument stands above, or in, the statement that the last of `lines` belongs to. Each
/// line comes without its comments, and with them.
fn is_argued(lines: &[(&str, &str)]) -> bool {
    let (own, above) = lines.split_last().expect("the line of the word itself is there");
    let belongs = |(code, both): &&(&str, &str)| {
        let blank = both.trim().is_empty();
        !blank && !code.trim().ends_with([';', '{', '}', ','])
    };
    let statement = above.iter().rev().take_while(belongs).chain([own]);
    statement.into_iter().any(|(_, both)| is_argument(both))
}

fn is_argument(line: &str) -> bool {
    line.split_once("SAFETY:").is_some_and(|(_, argument)| !argument.trim().is_empty())
}
