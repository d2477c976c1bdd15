//! Links in the project's prose: that each leads somewhere, and that each guide is led to.
//!
//! Relative links only, and what follows `#` when it names a heading of a Markdown file. What lies
//! on other people's machines is not asked for: a test that needs the network is no test. Links in
//! Rust documentation are rustdoc's to check.

use std::collections::BTreeSet;

use crate::check::{Check, Finding};
use crate::tree::{File, Tree, join};

pub(crate) const LINKS: Check = Check {
    run: dead_links,
    remedy: "mend the link: the path is relative to the file it stands in, the part after `#` is \
             the heading in lower case with hyphens for spaces",
    broken: &[
        (&[("a.md", "A\n[b](b.md) and [a](a.md)\n")], &["a.md:2"]),
        (
            &[("a.md", "[b]: docs/b.md \"B\"\n"), ("docs/c.md", "[a](../../a.md)")],
            &["a.md:1", "docs/c.md:1"],
        ),
        (&[("a.md", "# One two\n[b](#two) [c](b.md#one)\n"), ("b.md", "# Two\n")], &["a.md:2"; 2]),
    ],
    sound: &[
        &[
            (
                "a.md",
                "# A: `b`-c, D!\n[b](docs/b.md#it-is) [c](docs) [d](#a-b-c-d)\n![e](./docs/e.png)",
            ),
            ("docs/b.md", "## It *is*\n[a](../a.md) [b](https://b/c) [c](mailto:d)\n"),
            ("docs/e.png", ""),
        ],
        &[("a.md", "`[b](b.md)`\n```text\n[c](c.md)\n```\n")],
        &[("a.rs", "//! [a](b.md)\n")],
    ],
};

pub(crate) const GUIDES: Check = Check {
    run: orphan_guides,
    remedy: "link to it from README.md, ARCHITECTURE.md or a guide that they link to",
    broken: &[(
        &[
            ("README.md", "[a](docs/a.md)\n"),
            ("docs/a.md", "A.\n"),
            ("docs/b.md", "[c](c.md)\n"),
            ("docs/c.md", "[b](b.md)\n"),
        ],
        &["docs/b.md:1", "docs/c.md:1"],
    )],
    sound: &[&[
        ("ARCHITECTURE.md", "[a](docs/a.md#b)\n"),
        ("docs/a.md", "[b](sub/b.md)\n"),
        ("docs/sub/b.md", "B.\n"),
    ]],
};

/// A link to a place in this repository.
struct Link {
    line: usize,
    /// As written.
    target: String,
    /// The path from the root, without the part after `#`; `None` if it leaves the repository.
    path: Option<String>,
    /// The part after `#`; empty if there is none.
    heading: String,
}

fn dead_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.markdown() {
        for link in links(file).iter().filter(|link| !leads_somewhere(tree, link)) {
            let what = format!("`{}` leads nowhere", link.target);
            findings.push(Finding::new(&file.path, link.line, what));
        }
    }
    findings
}

fn leads_somewhere(tree: &Tree, link: &Link) -> bool {
    let Some(path) = link.path.as_deref().filter(|path| tree.has(path)) else { return false };
    let page = tree.file(path).filter(|file| file.path.ends_with(".md"));
    page.is_none_or(|page| link.heading.is_empty() || headings(page).contains(&link.heading))
}

fn orphan_guides(tree: &Tree) -> Vec<Finding> {
    let mut to_read: Vec<&File> = tree.markdown().filter(|file| file.folder().is_empty()).collect();
    let mut reached = BTreeSet::new();
    while let Some(file) = to_read.pop() {
        if reached.insert(&file.path) {
            let paths = links(file).into_iter().filter_map(|link| link.path);
            to_read.extend(paths.filter_map(|path| tree.file(&path)));
        }
    }
    let guides = tree.markdown().filter(|file| file.path.starts_with("docs/"));
    guides
        .filter(|file| !reached.contains(&file.path))
        .map(|file| Finding::new(&file.path, 1, "no other page leads here"))
        .collect()
}

/// The links of a page to places in this repository.
fn links(file: &File) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, text) in prose(file) {
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let reference = text.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        let reference = reference.and_then(|(_, rest)| rest.split_whitespace().next());
        for target in inline.chain(reference).map(|target| target.trim_matches(['<', '>'])) {
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push(link(file, line, target));
            }
        }
    }
    found
}

fn link(file: &File, line: usize, target: &str) -> Link {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match path {
        "" => Some(file.path.clone()),
        path => join(file.folder(), path),
    };
    Link { line, target: target.to_owned(), path, heading: heading.to_owned() }
}

/// The headings of a page, spelt as links spell them.
fn headings(file: &File) -> Vec<String> {
    let lines = file.text.lines().filter(|line| line.starts_with('#'));
    let titles = lines.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let spell = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c => c.is_alphanumeric().then_some(c),
    };
    titles.map(|title| title.chars().filter_map(spell).collect()).collect()
}

/// The lines of a page outside code blocks, counted from 1, each without its code spans.
fn prose(file: &File) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            found.push((at + 1, without_code_spans(line)));
        }
    }
    found
}

/// A code span is blanked from its backtick to the next; a link's text may be one.
fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("_")
}
