//! What the manifests say: that arrows between crates point right, and why each library is here.
//!
//! A manifest is read line by line: one dependency a line, as all of this project's are written.
//! Whether an arrow is needed, and whether a reason is a good one, is for a reviewer.

use crate::check::{Check, Finding};
use crate::tree::{File, Tree};

pub(crate) const ARROWS: Check = Check {
    run: arrows_to_the_left,
    remedy: "move the code to the room it belongs to; a new crate or arrow needs its reason in \
             ARCHITECTURE.md and its place in `HOUSE`",
    broken: &[
        (
            &[("crates/socket/Cargo.toml", "[dependencies]\ncoroutine.workspace = true\n")],
            &["crates/socket/Cargo.toml:2"],
        ),
        (
            &[("crates/server/Cargo.toml", "[dev-dependencies.services]\nworkspace = true\n")],
            &["crates/server/Cargo.toml:1"],
        ),
        (
            &[("crates/coroutine/Cargo.toml", "[dependencies]\na = { path = \"../server\" }\n")],
            &["crates/coroutine/Cargo.toml:2"],
        ),
        (
            &[("crates/cli/Cargo.toml", "[dev-dependencies]\nswitchboard-cli = 1\n")],
            &["crates/cli/Cargo.toml:2"],
        ),
        (&[("crates/new/Cargo.toml", "[package]\n")], &["crates/new/Cargo.toml:1"]),
    ],
    sound: &[
        &[(
            "crates/cli/Cargo.toml",
            "[dependencies]\nservices = 1\n[dev-dependencies]\nsocket = 1\n",
        )],
        &[("crates/socket/Cargo.toml", "[package]\nname = \"switchboard-socket\"\n")],
        &[("crates/socket/Cargo.toml", "[dependencies]\nlibc = 1\n")],
        &[("examples/Cargo.toml", "[dependencies]\nswitchboard = 1\n")],
    ],
};

pub(crate) const REASONS: Check = Check {
    run: dependencies_without_reason,
    remedy: "write above the dependency, here or in the root manifest, what it saves us",
    broken: &[
        (
            &[("crates/cli/Cargo.toml", "# A.\n\n[dependencies]\na = 1\n")],
            &["crates/cli/Cargo.toml:4"],
        ),
        (
            &[
                ("Cargo.toml", "[workspace.dependencies]\n# A.\na = 1\n\nb = 1\n"),
                (
                    "crates/cli/Cargo.toml",
                    "[dependencies]\na.workspace = true\nb.workspace = true\n",
                ),
            ],
            &["Cargo.toml:5", "crates/cli/Cargo.toml:3"],
        ),
    ],
    sound: &[
        &[
            ("Cargo.toml", "[workspace.dependencies]\n# A.\na = { b = [\n  \"c\",\n] }\n"),
            ("bench/Cargo.toml", "[dependencies]\n# B and C.\nb = 1\nc = 1\nd = 1 # D.\n"),
            ("crates/cli/Cargo.toml", "[dependencies]\na = { workspace = true }\nsocket = 1\n"),
        ],
        &[("crates/cli/Cargo.toml", "[package]\nname = \"a\"\n")],
    ],
};

/// The rooms of the house from left to right: folder under `crates/`, package.
const HOUSE: [(&str, &str); 5] = [
    ("cli", "switchboard-cli"),
    ("services", "switchboard-services"),
    ("server", "switchboard"),
    ("coroutine", "switchboard-coroutine"),
    ("socket", "switchboard-socket"),
];

/// One dependency as a manifest has it.
struct Dependency<'a> {
    line: usize,
    name: &'a str,
    value: &'a str,
    /// A comment stands above it, or above the group of lines it belongs to, or behind it.
    has_reason: bool,
}

impl Dependency<'_> {
    /// Which room of the house this is; `None` for a library from elsewhere.
    fn room(&self) -> Option<usize> {
        HOUSE.iter().position(|(folder, package)| {
            [folder, package].contains(&&self.name)
                || self.value.contains(&format!("\"{package}\""))
                || self.value.contains(&format!("/{folder}\""))
        })
    }
}

fn dependencies(file: &File) -> Vec<Dependency<'_>> {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let has_reason = has_reason(&lines[..at], line);
        let mut add = |name, value| {
            found.push(Dependency { line: at + 1, name, value, has_reason });
        };
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            inside = section.0.ends_with("dependencies");
            let table = section.0.rsplit_once('.');
            if let Some((_, name)) = table.filter(|(table, _)| table.ends_with("dependencies")) {
                add(name, "");
            }
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
            let name = key.split('.').next().unwrap_or(key).trim().trim_matches('"');
            if !name.starts_with('#') {
                add(name, value);
            }
        }
    }
    found
}

fn has_reason(above: &[&str], line: &str) -> bool {
    let own = line.split_once('=').is_some_and(|(_, value)| value.contains(" # "));
    let group = above.iter().rev().take_while(|line| !line.is_empty() && !line.starts_with('['));
    own || group.into_iter().any(|line| line.starts_with('#'))
}

fn arrows_to_the_left(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.manifests() {
        let Some(folder) = file.folder().strip_prefix("crates/") else { continue };
        let Some(from) = HOUSE.iter().position(|(room, _)| *room == folder) else {
            findings.push(Finding::new(&file.path, 1, "this crate is not in the picture"));
            continue;
        };
        for dependency in dependencies(file) {
            if let Some(to) = dependency.room().filter(|to| *to <= from) {
                let what = format!("an arrow to the left, from {folder} to {}", HOUSE[to].0);
                findings.push(Finding::new(&file.path, dependency.line, what));
            }
        }
    }
    findings
}

fn dependencies_without_reason(tree: &Tree) -> Vec<Finding> {
    let reasons: Vec<&str> = tree
        .file("Cargo.toml")
        .map(dependencies)
        .unwrap_or_default()
        .iter()
        .filter(|dependency| dependency.has_reason)
        .map(|dependency| dependency.name)
        .collect();
    let mut findings = Vec::new();
    for file in tree.manifests() {
        for dependency in dependencies(file) {
            let has_reason = dependency.has_reason || reasons.contains(&dependency.name);
            if dependency.room().is_none() && !has_reason {
                let what = format!("no reason for `{}`", dependency.name);
                findings.push(Finding::new(&file.path, dependency.line, what));
            }
        }
    }
    findings
}
