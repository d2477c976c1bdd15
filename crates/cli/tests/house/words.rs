//! Words that must stand at the head of a file, and words that must stand nowhere.
//!
//! Whether an opening says anything worth reading is for a reviewer; that there is one is checked
//! here. So are the names that say nothing, and the marks of work put off.

use crate::check::{Check, Finding};
use crate::rust_text::{bracketed, has_word};
use crate::tree::{File, Tree};

pub(crate) const HEADS: Check = Check {
    run: missing_heads,
    remedy: "open the file with `//!`: what it is, why, and what it deliberately does not do",
    broken: &[
        (&[("a.rs", "fn a() {}\n")], &["a.rs:1"]),
        (&[("a.rs", "")], &["a.rs:1"]),
        (&[("a.rs", "//!\n//!\nfn a() {}\n")], &["a.rs:1"]),
        (&[("a.rs", "// A.\n\n/// B.\nfn a() {}\n")], &["a.rs:1"]),
        (&[("a.rs", "#![a(\n    b\n)]\n\nfn a() {}\n")], &["a.rs:5"]),
    ],
    sound: &[
        &[("a.rs", "//! A.\n")],
        &[("a.rs", "#![no_main]\n#![a(\n    \"]\",\n)]\n\n//! A.\n")],
        &[("a.md", "A.\n")],
    ],
};

pub(crate) const LEFTOVERS: Check = Check {
    run: leftovers,
    remedy: "do it now, or take it out and write an issue",
    broken: &[
        (&[("a.rs", "fn a() {\n    todo!()\n}\n")], &["a.rs:2"]),
        (&[("a.rs", "unimplemented!();\ndbg!(a);\n")], &["a.rs:1", "a.rs:2"]),
        (&[("a.rs", "// FIXME: a\n/* XXX */\n")], &["a.rs:1", "a.rs:2"]),
        (&[("a.rs", "#[ignore = \"slow\"]\n#[test]\n#[ignore]")], &["a.rs:1", "a.rs:3"]),
    ],
    sound: &[
        &[("a.rs", "let a = \"todo!() FIXME\"; // mkstemp's XXXXXX\n")],
        &[("a.rs", "not_todo!();\n")],
        &[("a.md", "no FIXME here\n")],
    ],
};

pub(crate) const NAMES: Check = Check {
    run: empty_names,
    remedy: "name the file for the one idea in it; if there are several, split it",
    broken: &[
        (&[("crates/a/src/util.rs", "")], &["crates/a/src/util.rs:1"]),
        (&[("crates/a/src/helpers/b.rs", "")], &["crates/a/src/helpers/b.rs:1"]),
    ],
    sound: &[&[("crates/a/tests/common.rs", ""), ("crates/a/src/utility.rs", "")]],
};

/// Marks of work put off, and of tests that do not run.
const LEFT: [&str; 6] = ["FIXME", "XXX", "todo!", "dbg!", "unimplemented!", "#[ignore"];

/// Names that fit every file and so describe none. Tests may share code under such a name.
const EMPTY: [&str; 7] = ["util", "utils", "helper", "helpers", "manager", "misc", "common"];

fn missing_heads(tree: &Tree) -> Vec<Finding> {
    tree.rust().filter_map(missing_head).collect()
}

fn missing_head(file: &File) -> Option<Finding> {
    let first = file.text.lines().skip(attribute_lines(file));
    let blank = first.clone().take_while(|line| line.trim().is_empty()).count();
    let head: Vec<&str> =
        first.skip(blank).map_while(|line| line.trim().strip_prefix("//!")).collect();
    let says_nothing = head.iter().all(|line| line.trim().is_empty());
    let line = if head.is_empty() && !file.text.is_empty() {
        attribute_lines(file) + blank + 1
    } else {
        1
    };
    says_nothing.then(|| Finding::new(&file.path, line, "the file does not say what it is"))
}

/// How many lines the inner attributes take with which the file starts.
fn attribute_lines(file: &File) -> usize {
    let mut rest = file.rust.code.as_str();
    let mut lines = 0;
    while let Some(attribute) = rest.strip_prefix("#!") {
        let inside = bracketed(attribute).unwrap_or_default();
        let after = attribute[inside.len()..]
            .find('\n')
            .map_or(attribute.len(), |end| inside.len() + end + 1);
        lines += attribute[..after].matches('\n').count();
        rest = &attribute[after..];
    }
    lines
}

fn leftovers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (at, line) in file.rust.without_literals.lines().enumerate() {
            for word in LEFT.iter().filter(|word| has_word(line, word)) {
                findings.push(Finding::new(&file.path, at + 1, format!("`{word}`")));
            }
        }
    }
    findings
}

fn empty_names(tree: &Tree) -> Vec<Finding> {
    let in_tests = |file: &File| file.path.split('/').any(|part| part == "tests");
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !in_tests(file)) {
        let folders = file.folder().split('/');
        for name in folders.chain([file.stem()]).filter(|name| EMPTY.contains(name)) {
            findings.push(Finding::new(&file.path, 1, format!("`{name}` says nothing")));
        }
    }
    findings
}
