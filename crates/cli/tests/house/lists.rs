//! The three lists: options, engines, services. What has a file is in its list, once, and what is
//! in a list has its file.
//!
//! The lists are macros, so the compiler sees that each row is complete; what it cannot see is a
//! file that no row names, and an engine that does not say what it costs.

use crate::check::{Check, Finding};
use crate::rust_text::{bracketed, line_of, names};
use crate::tree::{File, Tree};

pub(crate) const OPTIONS: Check = Check {
    run: unlisted_options,
    remedy: "name the level's `ROWS` once in `ALL` in options/mod.rs; write an option's row once",
    broken: &[
        (
            &[
                ("crates/socket/src/options/mod.rs", "const ALL: A = &[tcp::ROWS, tcp::ROWS];\n"),
                ("crates/socket/src/options/ip.rs", "options! {\n ROWS = level A on B C;\n}\n"),
                (
                    "crates/socket/src/options/tcp.rs",
                    "options! {\n ROWS = level A on B C;\n}\noptions! {\n \
                     MP_ROWS = level D on B C;\n}\n",
                ),
            ],
            &[
                "crates/socket/src/options/ip.rs:2",
                "crates/socket/src/options/tcp.rs:2",
                "crates/socket/src/options/tcp.rs:5",
            ],
        ),
        (
            &[
                ("crates/socket/src/options/mod.rs", "const ALL: A = &[ip::ROWS];\n"),
                (
                    "crates/socket/src/options/ip.rs",
                    "options! {\n    ROWS = level A on B C;\n    a: D = E { read only };\n    \
                     b: D = E { read only };\n}\n",
                ),
            ],
            &["crates/socket/src/options/ip.rs:1"],
        ),
    ],
    sound: &[&[
        (
            "crates/socket/src/options/mod.rs",
            "const ALL: A = &[ip::ROWS];\nmacro_rules! options {}\n",
        ),
        ("crates/socket/src/options/encoding.rs", "//! options! {}\n"),
        (
            "crates/socket/src/options/ip.rs",
            "options! {\n    ROWS = level A on B C;\n    /// = E,\n    \
             a / set_a: D = E { sample { f(); 1 } };\n    b: D = F { read only };\n}\n",
        ),
    ]],
};

pub(crate) const ENGINES: Check = Check {
    run: unlisted_engines,
    remedy: "an engine is one file in crates/server/src/engine/ and one row in its `engines!` list",
    broken: &[(
        &[
            (
                "crates/server/src/engine/mod.rs",
                "engines! {\n    Serial: \"1\";\n    Lost: \"1\";\n}\n",
            ),
            ("crates/server/src/engine/serial.rs", ""),
            ("crates/server/src/engine/threads.rs", ""),
        ],
        &["crates/server/src/engine/threads.rs:1", "crates/server/src/engine/mod.rs:1"],
    )],
    sound: &[&[
        ("crates/server/src/engine/mod.rs", "engines! {\n    /// A.\n    serial => { A, B },\n}\n"),
        ("crates/server/src/engine/serial.rs", ""),
    ]],
};

pub(crate) const QUESTIONS: Check = Check {
    run: unanswered_questions,
    remedy: "answer all seven questions, in the words of CONTRIBUTING.md, in the `//!` text of the \
             engine's file",
    broken: &[(
        &[(
            "crates/server/src/engine/a.rs",
            "//! What runs a request? How does it stop?\n// What does a panic do?\n//! A slow \
                client?\n",
        )],
        &["crates/server/src/engine/a.rs:1"; 5],
    )],
    sound: &[&[
        ("crates/server/src/engine/mod.rs", "//! The engines.\n"),
        (
            "crates/server/src/engine/a.rs",
            "//! What runs a request? What do requests share? What does a slow client cost?\n\
             //! Memory per connection? What does a panic do? How does it stop? When not to\n\
             //! use it?\n",
        ),
    ]],
};

pub(crate) const SERVICES: Check = Check {
    run: unlisted_services,
    remedy: "a service is one file with a `ROW` in crates/services/src/ and one word in \
             `services!`",
    broken: &[(
        &[
            ("crates/services/src/lib.rs", "services! { echo, echo, lost, row }\n"),
            ("crates/services/src/echo.rs", "pub const ROW: Row = A;\n"),
            ("crates/services/src/row.rs", "struct Row;\n"),
            ("crates/services/src/web/mod.rs", "pub const ROW: Row = A;\n"),
        ],
        &[
            "crates/services/src/echo.rs:1",
            "crates/services/src/web/mod.rs:1",
            "crates/services/src/lib.rs:1",
            "crates/services/src/lib.rs:1",
        ],
    )],
    sound: &[&[
        ("crates/services/src/lib.rs", "services! {\n    echo,\n    web,\n}\n"),
        ("crates/services/src/echo.rs", "pub const ROW: Row = A;\n"),
        ("crates/services/src/row.rs", "struct Row;\n// const ROW: Row\n"),
        ("crates/services/src/web/mod.rs", "pub const ROW: Row = A;\n"),
    ]],
};

const OPTIONS_FOLDER: &str = "crates/socket/src/options";
const ENGINES_FOLDER: &str = "crates/server/src/engine";
const SERVICES_FOLDER: &str = "crates/services/src";

/// What the opening text of every engine answers, so that engines can be compared.
const ASKED: [&str; 7] = [
    "What runs a request?",
    "What do requests share?",
    "What does a slow client cost?",
    "Memory per connection?",
    "What does a panic do?",
    "How does it stop?",
    "When not to use it?",
];

/// A list as it stands in a file.
struct List<'a> {
    /// The line it starts on.
    line: usize,
    /// What stands between its brackets, without comments and literals.
    body: &'a str,
}

impl List<'_> {
    /// The call of macro `name` in `file` that starts a line.
    fn find<'a>(file: &'a File, name: &str) -> Option<List<'a>> {
        let code = &file.rust.code;
        let call = format!("{name}!");
        let starts_line = |at: usize| at == 0 || code[..at].ends_with(['\n', ':']);
        let at = code.match_indices(&call).map(|(at, _)| at).find(|at| starts_line(*at))?;
        let body = bracketed(code[at + call.len()..].trim_start())?;
        Some(List { line: line_of(code, at), body })
    }

    /// What stands between `separators` that are outside brackets.
    fn pieces(&self, separators: &[char]) -> Vec<&str> {
        let mut depth = 0;
        let parts = |c: char| {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && separators.contains(&c)
        };
        self.body.split(parts).collect()
    }

    /// The name each row starts with, in lower case.
    fn row_names(&self) -> Vec<String> {
        let rows = self.pieces(&[',', ';', '\n']).into_iter();
        rows.filter_map(|row| names(row).next()).map(str::to_lowercase).collect()
    }

    /// The name after the `=` of each row that has one.
    fn c_names(&self) -> Vec<&str> {
        let rows = self.pieces(&[';']).into_iter();
        rows.filter_map(|row| names(row.split_once('=')?.1).next()).collect()
    }
}

fn in_folder<'a>(tree: &'a Tree, folder: &'a str) -> impl Iterator<Item = &'a File> {
    tree.rust().filter(move |file| file.folder() == folder)
}

fn unlisted_options(tree: &Tree) -> Vec<Finding> {
    let all = tree.file(&format!("{OPTIONS_FOLDER}/mod.rs")).map_or("", |file| &file.rust.code);
    let listed: Vec<&str> = all.split([',', '[', ']']).map(str::trim).collect();
    let mut findings = Vec::new();
    for file in in_folder(tree, OPTIONS_FOLDER) {
        for (line, rows) in row_lists(&file.rust.code) {
            let name = format!("{}::{rows}", file.stem());
            let times = listed.iter().filter(|word| **word == name).count();
            if times != 1 {
                let what = format!("`{name}` stands {times} times in `ALL`");
                findings.push(Finding::new(&file.path, line, what));
            }
        }
        let Some(list) = List::find(file, "options") else { continue };
        findings.extend(repeated(&list.c_names()).map(|name| {
            Finding::new(&file.path, list.line, format!("`{name}` has more than one row"))
        }));
    }
    findings
}

/// The lists of rows in a file, `NAME = level …`, with their lines.
fn row_lists(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().filter_map(|(index, line)| {
        let (name, rest) = line.trim().split_once(" = ")?;
        let named = !name.is_empty()
            && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        (named && rest.starts_with("level ")).then_some((index + 1, name))
    })
}

fn unlisted_engines(tree: &Tree) -> Vec<Finding> {
    let path = format!("{ENGINES_FOLDER}/mod.rs");
    let engines = in_folder(tree, ENGINES_FOLDER).filter(|file| file.path != path);
    let engines: Vec<(&str, &File)> = engines.map(|file| (file.stem(), file)).collect();
    compare(tree.file(&path), "engines", &engines)
}

fn unlisted_services(tree: &Tree) -> Vec<Finding> {
    let services: Vec<(&str, &File)> =
        tree.rust().filter_map(|file| Some((service_name(file)?, file))).collect();
    compare(tree.file(&format!("{SERVICES_FOLDER}/lib.rs")), "services", &services)
}

/// The name of the service whose row the file holds.
fn service_name(file: &File) -> Option<&str> {
    let folder = file.folder().strip_prefix(SERVICES_FOLDER)?;
    let name = if file.name() == "mod.rs" { folder.trim_start_matches('/') } else { file.stem() };
    file.rust.code.contains("const ROW:").then_some(name)
}

/// Compares what has a file, by name, with what stands in the list.
fn compare(holder: Option<&File>, name: &str, files: &[(&str, &File)]) -> Vec<Finding> {
    let Some((holder, list)) = holder.and_then(|file| Some((file, List::find(file, name)?))) else {
        let unlisted = |(_, file): &(&str, &File)| {
            Finding::new(&file.path, 1, format!("there is no list `{name}!`"))
        };
        return files.iter().map(unlisted).collect();
    };
    let listed = list.row_names();
    let mut findings = Vec::new();
    for (stem, file) in files {
        let times = listed.iter().filter(|word| word == stem).count();
        if times != 1 {
            let what = format!("`{stem}` stands {times} times in the list `{name}!`");
            findings.push(Finding::new(&file.path, 1, what));
        }
    }
    for word in listed.iter().filter(|word| !files.iter().any(|(stem, _)| stem == word)) {
        let what = format!("`{word}` stands in the list `{name}!` and has no file");
        findings.push(Finding::new(&holder.path, list.line, what));
    }
    findings
}

fn unanswered_questions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in in_folder(tree, ENGINES_FOLDER).filter(|file| file.name() != "mod.rs") {
        let opening = file.text.lines().map_while(|line| line.strip_prefix("//!"));
        let words: Vec<&str> = opening.flat_map(str::split_whitespace).collect();
        let opening = words.join(" ");
        for question in ASKED.iter().filter(|question| !opening.contains(**question)) {
            findings.push(Finding::new(&file.path, 1, format!("no answer to `{question}`")));
        }
    }
    findings
}

/// Those that stand more than once, as often as they are too many.
fn repeated<'a>(all: &[&'a str]) -> impl Iterator<Item = &'a str> {
    let again = all.iter().enumerate().filter(|(at, name)| all[..*at].contains(name));
    again.map(|(_, name)| *name)
}
