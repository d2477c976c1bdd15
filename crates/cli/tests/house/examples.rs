//! Tutorial programs: that each fits a screen, and that a test runs it.
//!
//! Programs are the Rust files under `examples/` outside its tests. That the test is a good one is
//! for a reviewer; that there is one is checked by its naming the program outside a comment.

use crate::check::{Check, Finding};
use crate::rust_text::has_word;
use crate::tree::{File, Tree};

const LINES: usize = 60;

pub(crate) const LENGTH: Check = Check {
    run: long_examples,
    remedy: "teach one idea; what does not serve it goes",
    broken: &[(&[("examples/a.rs", SIXTY_ONE)], &["examples/a.rs:61"])],
    sound: &[&[("examples/a.rs", SIXTY), ("examples/tests/a.rs", SIXTY_ONE)]],
};

pub(crate) const TESTED: Check = Check {
    run: untested_examples,
    remedy: "run it in a test under examples/tests/ and check what it prints",
    broken: &[
        (&[("examples/a.rs", "")], &["examples/a.rs:1"]),
        (
            &[("examples/a.rs", ""), ("examples/tests/b.rs", "// a\nrun(\"a_server\");\n")],
            &["examples/a.rs:1"],
        ),
    ],
    sound: &[&[("examples/a.rs", ""), ("examples/tests/b.rs", "run(\"a\");\n")]],
};

/// Texts of as many lines.
const SIXTY: &str = concat!(
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
);
const SIXTY_ONE: &str = concat!(
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n//",
);

fn programs(tree: &Tree) -> impl Iterator<Item = &File> {
    let outside_tests = |file: &&File| !file.path.starts_with("examples/tests/");
    tree.rust().filter(|file| file.path.starts_with("examples/")).filter(outside_tests)
}

fn long_examples(tree: &Tree) -> Vec<Finding> {
    let lengths = programs(tree).map(|file| (file, file.text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > LINES);
    long.map(|(file, lines)| {
        let what = format!("{lines} lines, where {LINES} are the end");
        Finding::new(&file.path, LINES + 1, what)
    })
    .collect()
}

fn untested_examples(tree: &Tree) -> Vec<Finding> {
    let tests = tree.rust().filter(|file| file.path.starts_with("examples/tests/"));
    let tests: Vec<&str> = tests.map(|file| file.rust.without_comments.as_str()).collect();
    programs(tree)
        .filter(|program| !tests.iter().any(|test| has_word(test, program.stem())))
        .map(|program| Finding::new(&program.path, 1, "no test names this program"))
        .collect()
}
