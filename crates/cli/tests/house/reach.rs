//! That every Rust file is compiled: reached by `mod` from the root of a crate, a test, a
//! benchmark, an example or a program.
//!
//! A file that nothing names is not compiled, not tested and not linted, and no tool says so. Where
//! the modules' names come out of a list macro (`mod $name;`), every name in that file counts.

use std::collections::BTreeSet;

use crate::check::{Check, Finding};
use crate::rust_text::{in_name, names};
use crate::tree::{File, Tree, join};

pub(crate) const FILES: Check = Check {
    run: orphan_files,
    remedy: "declare it with `mod`, or delete it",
    broken: &[(
        &[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/b.rs", ""),
            ("crates/a/src/c.rs", "mod e;\n"),
            ("crates/a/src/d.rs", ""),
            ("crates/a/src/e.rs", ""),
            ("crates/a/src/lib.rs", "// mod b;\nmod c;\nmod inline { mod d; }\n"),
            ("crates/a/tests/t/b.rs", ""),
            ("examples/Cargo.toml", "[[bin]]\npath = \"b.rs\"\n"),
            ("examples/a.rs", ""),
        ],
        &[
            "crates/a/src/b.rs:1",
            "crates/a/src/d.rs:1",
            "crates/a/src/e.rs:1",
            "crates/a/tests/t/b.rs:1",
            "examples/a.rs:1",
        ],
    )],
    sound: &[
        &[
            ("crates/a/Cargo.toml", "[[bin]]\npath = \"odd/place.rs\"\n"),
            ("crates/a/build.rs", ""),
            ("crates/a/odd/place.rs", "#[path = \"../src/far.rs\"]\nmod other_name;\n"),
            ("crates/a/src/far.rs", ""),
            ("crates/a/src/lib.rs", "pub(crate) mod c;\nmod d;\nmod i {\n    mod g;\n}\n"),
            ("crates/a/src/c.rs", "mod e;\n"),
            ("crates/a/src/c/e.rs", ""),
            ("crates/a/src/d/mod.rs", "mod f;\n"),
            ("crates/a/src/d/f.rs", ""),
            ("crates/a/src/i/g.rs", ""),
            ("crates/a/src/bin/p.rs", ""),
        ],
        &[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/tests/t.rs", "mod v;\n"),
            ("crates/a/tests/u/main.rs", "mod v;\n"),
            ("crates/a/tests/u/v.rs", ""),
            ("crates/a/tests/v/mod.rs", ""),
            ("crates/a/benches/b.rs", ""),
        ],
        &[
            ("Cargo.toml", "[[example]]\npath = \"program.rs\"\n"),
            ("src/main.rs", "macro_rules! l { ($($a:ident)*) => { $(mod $a;)* } }\nl! { b }\n"),
            ("src/b.rs", ""),
            ("program.rs", ""),
        ],
    ],
};

fn orphan_files(tree: &Tree) -> Vec<Finding> {
    let mut to_read: Vec<&File> = tree.rust().filter(|file| is_root(tree, file)).collect();
    let mut reached = BTreeSet::new();
    while let Some(file) = to_read.pop() {
        if reached.insert(&file.path) {
            to_read.extend(named_by(file).iter().filter_map(|path| tree.file(path)));
        }
    }
    tree.rust()
        .filter(|file| !reached.contains(&file.path))
        .map(|file| Finding::new(&file.path, 1, "nothing declares this file"))
        .collect()
}

/// True if cargo compiles the file by itself: it lies where cargo looks, or its manifest names it.
fn is_root(tree: &Tree, file: &File) -> bool {
    let package = package_of(tree, file);
    let path = file.path[package.len()..].trim_start_matches('/');
    let manifest = join(package, "Cargo.toml").and_then(|path| tree.file(&path));
    let named = manifest.is_some_and(|manifest| manifest.text.contains(&format!("\"{path}\"")));
    let parts: Vec<&str> = path.split('/').collect();
    let found = matches!(
        parts[..],
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    );
    named || found
}

/// The folder of the package a file belongs to; empty if that is the root.
fn package_of<'a>(tree: &Tree, file: &'a File) -> &'a str {
    let mut folder = file.folder();
    while !folder.is_empty() && tree.file(&format!("{folder}/Cargo.toml")).is_none() {
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    folder
}

/// The paths at which the modules that a file declares may lie, and the files it names in literals.
fn named_by(file: &File) -> Vec<String> {
    let code = &file.rust.code;
    let declared = code.match_indices("mod ").filter(|(at, _)| !code[..*at].ends_with(in_name));
    let mut found = Vec::new();
    for (at, word) in declared {
        let rest = &code[at + word.len()..];
        let name = names(rest).next().filter(|name| rest.starts_with(name)).unwrap_or_default();
        if rest[name.len()..].starts_with(';') {
            found.extend(places(file, &enclosing(&code[..at]), name));
        }
    }
    if code.contains("mod $") {
        found.extend(names(code).flat_map(|name| places(file, "", name)));
    }
    let literals = file.rust.without_comments.split('"').skip(1).step_by(2);
    let paths = literals.filter(|literal| literal.ends_with(".rs"));
    found.extend(paths.filter_map(|path| join(file.folder(), path)));
    found
}

/// Where module `name` may lie, declared in `file` inside the inline modules `inline`.
fn places(file: &File, inline: &str, name: &str) -> Vec<String> {
    let below = if declares_beside_itself(file) { "" } else { file.stem() };
    let at = |end: &str| join(file.folder(), &format!("{below}/{inline}/{name}{end}"));
    [at(".rs"), at("/mod.rs")].into_iter().flatten().collect()
}

/// True if the modules that the file declares lie in its own folder: it is a root, or a `mod.rs`.
fn declares_beside_itself(file: &File) -> bool {
    let folder = file.folder().rsplit('/').next().unwrap_or_default();
    ["lib", "main", "mod", "build"].contains(&file.stem())
        || ["tests", "benches", "examples", "bin"].contains(&folder)
}

/// The inline modules open at the end of `code`, as a path.
fn enclosing(code: &str) -> String {
    let mut open: Vec<&str> = Vec::new();
    let mut item = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => {
                let mut words = names(&code[item..at]).skip_while(|word| *word != "mod");
                open.push(words.nth(1).unwrap_or_default());
            }
            '}' => drop(open.pop()),
            _ => {}
        }
        if matches!(c, '{' | '}' | ';') {
            item = at + 1;
        }
    }
    open.join("/")
}
