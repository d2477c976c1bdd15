//! What a crate offers, found by reading its source: types, their members, functions, constants.
//!
//! It knows the forms that occur in this crate, its macros of named values among them, and relies
//! on rustfmt for where things stand on a line. What it does not know it does not find, which a
//! test that looks for it will tell. It is no parser, and does not look into function bodies.

#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything public, by where a user finds it.
#[derive(Debug, Default)]
pub(crate) struct PublicItems {
    /// What each module shows under its own path; the root is the empty one.
    modules: BTreeMap<String, BTreeSet<String>>,
    /// `Type::member`: functions, constants, variants, fields.
    members: BTreeSet<String>,
}

/// Macros whose rows are named values of a type.
const MACROS_OF_VALUES: &[&str] = &["kinds! {", "flag_set! {", "families! {"];

impl PublicItems {
    /// Reads a folder of source files.
    pub(crate) fn of(folder: &Path) -> PublicItems {
        let mut items = PublicItems::default();
        items.read_folder(folder, "");
        items
    }

    fn read_folder(&mut self, folder: &Path, module: &str) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let module = match name {
                "mod" | "lib" => module.to_owned(),
                name => [module, name].join("::").trim_start_matches(':').to_owned(),
            };
            if path.is_dir() {
                self.read_folder(&path, &module);
            } else {
                self.read(&module, &std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    /// Reads the source of one module.
    pub(crate) fn read(&mut self, module: &str, source: &str) {
        let shown = self.modules.entry(module.to_owned()).or_default();
        let uses = source.split("\npub use ").skip(1);
        shown.extend(uses.flat_map(used).map(str::to_owned));
        let mut block = Block::default();
        for line in source.lines() {
            match line.len() - line.trim_start().len() {
                0 => {
                    shown.extend(item(line).map(str::to_owned));
                    block.begin(line);
                }
                4 => self.members.extend(block.member(line.trim_start())),
                8 => self.members.extend(block.value(line.trim_start())),
                _ => {}
            }
            shown.extend(block.named.take());
        }
    }

    /// Adds what a module shows and the source does not spell out.
    pub(crate) fn show(&mut self, module: &str, names: impl IntoIterator<Item = String>) {
        self.modules.entry(module.to_owned()).or_default().extend(names);
    }

    /// Adds members that the source does not spell out.
    pub(crate) fn add_members(&mut self, names: impl IntoIterator<Item = String>) {
        self.members.extend(names);
    }

    /// Whether a user of the crate `root` can write this path: `root::module::Type::member`,
    /// `Type::member`, `root::function`.
    pub(crate) fn has(&self, root: &str, path: &str) -> bool {
        let mut segments: Vec<&str> = path.split("::").collect();
        if segments.first() == Some(&root) {
            segments.remove(0);
        }
        let is_shown = |module: &str, name: &str| {
            self.modules.get(module).is_some_and(|shown| shown.contains(name))
        };
        let (module, rest) = match segments[..] {
            [first, ..] if !is_shown("", first) => return false,
            [module, ref rest @ ..] if self.modules.contains_key(module) => (module, rest),
            ref rest => ("", rest),
        };
        match rest {
            [] => !module.is_empty(),
            [name] => is_shown(module, name),
            [name, member] => {
                is_shown(module, name) && self.members.contains(&format!("{name}::{member}"))
            }
            _ => false,
        }
    }
}

/// What the lines that are read stand in.
#[derive(Default)]
struct Block {
    /// The type whose members they are.
    owner: Option<String>,
    inside: Inside,
    /// A type that a macro makes.
    named: Option<String>,
}

#[derive(Default, PartialEq)]
enum Inside {
    #[default]
    Nothing,
    Impl,
    Trait,
    Enum,
    Struct,
    Values,
}

impl Block {
    /// A line without indentation.
    fn begin(&mut self, line: &str) {
        let owner = |rest| word(rest).map(str::to_owned);
        let (inside, owner) = if let Some(rest) = line.strip_prefix("impl") {
            let inherent = !line.contains(" for ");
            (Inside::Impl, owner(after_generics(rest)).filter(|_| inherent))
        } else if let Some(rest) = line.strip_prefix("pub trait ") {
            (Inside::Trait, owner(rest))
        } else if let Some(rest) = line.strip_prefix("pub enum ") {
            (Inside::Enum, owner(rest))
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            (Inside::Struct, owner(rest))
        } else if MACROS_OF_VALUES.contains(&line) {
            (Inside::Values, None)
        } else if line.starts_with(['/', '#', ')', '>']) || line.is_empty() {
            return;
        } else {
            (Inside::Nothing, None)
        };
        (self.inside, self.owner) = (inside, owner);
    }

    /// A line one step in.
    fn member(&mut self, line: &str) -> Option<String> {
        let name = match self.inside {
            Inside::Nothing => None,
            Inside::Impl => item(line),
            Inside::Trait => line.strip_prefix("fn ").and_then(word),
            Inside::Enum => word(line).filter(|word| word.starts_with(char::is_uppercase)),
            Inside::Struct => line.strip_prefix("pub ").and_then(word),
            Inside::Values if line.ends_with(" {") => {
                self.owner = word(line).map(str::to_owned);
                self.named.clone_from(&self.owner);
                None
            }
            Inside::Values => None,
        };
        Some(format!("{}::{}", self.owner.as_ref()?, name?))
    }

    /// A line of a macro that may be a row: `NAME = …` or `Name(…)`.
    fn value(&self, line: &str) -> Option<String> {
        let name = word(line).filter(|_| self.inside == Inside::Values)?;
        let is_row = line[name.len()..].starts_with([' ', '(']) && !line.starts_with('#');
        is_row.then_some(format!("{}::{name}", self.owner.as_ref()?))
    }
}

/// The name of a public item that begins on this line.
fn item(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let kinds = ["const fn ", "fn ", "const ", "struct ", "enum ", "trait ", "type ", "mod "];
    kinds.iter().find_map(|kind| rest.strip_prefix(kind)).and_then(word)
}

/// What a `pub use` shows: `a::b` shows `b`, `a::{b, c}` shows `b` and `c`.
fn used(rest: &str) -> impl Iterator<Item = &str> {
    let statement = rest.split(';').next().unwrap_or_default();
    let list = statement.split_once('{').map_or(statement, |(_, list)| list);
    list.trim_end_matches('}').split(',').filter_map(|path| path.trim().rsplit("::").next())
}

/// What follows `<…>`, if that comes first.
fn after_generics(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            ' ' if depth == 0 => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// The identifier that the text begins with.
fn word(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let word = &text[..end.unwrap_or(text.len())];
    (!word.is_empty()).then_some(word)
}
