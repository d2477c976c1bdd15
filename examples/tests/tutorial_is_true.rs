//! The tutorial is true: its programs are the programs, its commands print what it says they do,
//! and it says the same in both languages.

mod console;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use console::{Block, blocks};
use support::root;

/// The pages in each language, by name.
fn pages() -> [BTreeMap<String, String>; 2] {
    let is_chinese = |path: &str| path.starts_with("docs/tutorial/zh/");
    let (chinese, english): (Vec<_>, Vec<_>) =
        support::tutorial().into_iter().partition(|(path, _)| is_chinese(path));
    [english, chinese].map(|pages| {
        let name = |path: String| path.rsplit('/').next().unwrap().to_owned();
        pages.into_iter().map(|(path, text)| (name(path), text)).collect()
    })
}

/// The path, from the root, of the last program of this kind that the page links to before `line`.
fn last_link(text: &str, line: usize, ending: &str) -> Option<String> {
    let before: Vec<&str> = text.lines().take(line).collect();
    let before = before.join("\n");
    let links = before.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let paths = links.map(|(path, _)| path.trim_start_matches("../").to_owned());
    paths.filter(|path| path.starts_with("examples/") && path.ends_with(ending)).last()
}

/// An excerpt may stand further to the left than its program has it.
fn indented(text: &str, spaces: usize) -> String {
    let line = |line: &str| match line.is_empty() {
        true => "\n".to_owned(),
        false => format!("{:spaces$}{line}\n", ""),
    };
    text.lines().map(line).collect()
}

#[test]
fn programs_are_shown_as_they_are() {
    for (path, text) in support::tutorial() {
        for block in blocks(&path, &text) {
            let ending = match block.language.as_str() {
                "rust" => ".rs",
                "python" => ".py",
                "console" | "text" => continue,
                other => panic!("{}: {other:?} is not checked by anybody", block.place),
            };
            let line = block.place.rsplit(':').next().unwrap().parse().unwrap();
            let program = last_link(&text, line, ending);
            let program = program.unwrap_or_else(|| panic!("{}: of which program?", block.place));
            let source = std::fs::read_to_string(root().join(&program)).unwrap();
            let there = (0..=8).any(|spaces| source.contains(&indented(&block.text, spaces)));
            assert!(there, "{} is not in {program}", block.place);
        }
    }
}

#[test]
fn every_console_block_of_the_tutorial_is_true() {
    let mut seen = BTreeSet::new();
    let mut shown = Vec::new();
    for (path, text) in support::tutorial() {
        shown.extend(blocks(&path, &text));
    }
    // A translation has the same blocks, for which a second run would show nothing new.
    shown.retain(|block| block.language == "console" && seen.insert(block.text.clone()));
    assert!(!shown.is_empty());
    console::run_all(&shown, support::programs());
}

#[test]
fn every_program_has_its_chapter() {
    let [english, _] = pages();
    let all: String = english.into_values().collect();
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".rs") && name != "first_server.rs" {
            assert!(all.contains(&format!("](../../examples/{name})")), "no chapter has {name}");
        }
    }
}

#[test]
fn both_languages_have_the_same_chapters() {
    let [english, chinese] = pages();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&english), names(&chinese));
    assert!(english.len() > 10);
}

#[test]
fn both_languages_have_the_same_structure_and_the_same_code() {
    let [english, chinese] = pages();
    // Pictures made of text have words in them.
    let code = |block: Block| match block.language.as_str() {
        "text" => (block.language, String::new()),
        _ => (block.language, block.text),
    };
    let code = |text: &str| blocks("", text).into_iter().map(code).collect::<Vec<_>>();
    for (name, page) in &english {
        let translation = &chinese[name];
        assert_eq!(code(page), code(translation), "code of {name}");
        let levels = |text: &str| headings(text).into_iter().map(|(level, _)| level).collect();
        let (ours, theirs): (Vec<usize>, Vec<usize>) = (levels(page), levels(translation));
        assert_eq!(ours, theirs, "headings of {name}");
        for (_, title) in headings(translation) {
            assert!(title.chars().any(is_han), "{name} is not translated: {title}");
        }
        let rows = |text: &str| text.lines().filter(|line| line.starts_with('|')).count();
        assert_eq!(rows(page), rows(translation), "tables of {name}");
    }
}

#[test]
fn both_languages_name_the_same_things_and_lead_to_the_same_places() {
    let [english, chinese] = pages();
    for (name, page) in &english {
        let translation = &chinese[name];
        // A translation may say a name once more, for its own grammar.
        let (ours, theirs) = (named(page), named(translation));
        let missing: Vec<_> = ours.difference(&theirs).collect();
        assert!(missing.is_empty(), "{name}: {missing:?} is not in the translation");
        assert_eq!(links(page), links(translation), "links of {name}");
    }
}

/// A page without its blocks of code, in one line.
fn prose(text: &str) -> String {
    let mut in_code = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// What stands in backquotes.
fn named(text: &str) -> BTreeSet<String> {
    prose(text).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Where the links lead, from the root; but those from one language to the other.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = targets.map(|(target, _)| target.trim_start_matches("../").to_owned());
    let mut targets: Vec<_> =
        targets.filter(|to| !["README.md", "zh/README.md"].contains(&to.as_str())).collect();
    targets.sort();
    targets
}

/// Level and title of each heading.
fn headings(text: &str) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let level = line.chars().take_while(|c| *c == '#').count();
        if level > 0 && !in_code {
            found.push((level, line[level..].trim().to_owned()));
        }
    }
    found
}

/// A Chinese character.
fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}
