//! What a check is: a rule, what to do when it is broken, and the proof that it can fail.
//!
//! A check looks at a whole `Tree` and says where the rule is broken; it never reads the disk
//! itself. That is what lets the same function judge this repository and the few lines of a proof.

use std::fmt;

use crate::tree::Tree;

/// The files of a proof: path and text.
pub(crate) type Sample = &'static [(&'static str, &'static str)];

/// One rule of the house.
pub(crate) struct Check {
    /// Everything in the tree that breaks the rule.
    pub(crate) run: fn(&Tree) -> Vec<Finding>,
    /// What a person who broke the rule does now.
    pub(crate) remedy: &'static str,
    /// Trees that break the rule, each with every place (`path:line`) where it is broken.
    pub(crate) broken: &'static [(Sample, &'static [&'static str])],
    /// Trees that look as if they broke the rule, and do not.
    pub(crate) sound: &'static [Sample],
}

/// One place where a rule is broken.
#[derive(Debug)]
pub(crate) struct Finding {
    place: String,
    what: String,
}

impl Finding {
    /// `line` counts from 1.
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding { place: format!("{path}:{line}"), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Asserts that this repository keeps the rule.
pub(crate) fn holds_here(check: &Check) {
    let findings = (check.run)(Tree::of_this_repository());
    let list: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(list.is_empty(), "\n\n{}\n\nWhat to do: {}\n", list.join("\n"), check.remedy);
}

/// Asserts that the check finds each place in each broken tree, and no other.
pub(crate) fn finds_what_is_broken(check: &Check) {
    assert!(!check.broken.is_empty(), "a check needs a proof that it can fail");
    for (sample, places) in check.broken {
        let findings = (check.run)(&Tree::of(sample));
        let found: Vec<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(found, *places, "in {sample:#?}: {findings:#?}");
    }
}

/// Asserts that the check accuses none of the sound trees.
pub(crate) fn lets_pass_what_is_sound(check: &Check) {
    assert!(!check.sound.is_empty(), "a check needs a proof that it can pass");
    for sample in check.sound {
        let findings = (check.run)(&Tree::of(sample));
        assert!(findings.is_empty(), "in {sample:#?}: {findings:#?}");
    }
}
