//! The house rules that a machine can check, as tests.
//!
//! STYLE.md and ARCHITECTURE.md say how this project is built; what in them can be decided by
//! reading text is decided here, so that a review may spend its time on what cannot. Every check
//! is one row of the list below and brings its own proof that it can fail: small trees that break
//! the rule, each with the places where the check must find it, and small trees that look guilty
//! and are not. The list makes three tests of each row: one on this repository, two on the proofs.
//!
//! Deliberately absent: a Rust parser. The checks read text of which comments and literals have
//! been told apart from code (`house/rust_text.rs`), and rely on rustfmt for the rest. Nothing here
//! waits for anything, so these tests, unlike all others, have no watchdog.

#[path = "house/check.rs"]
mod check;
#[path = "house/examples.rs"]
mod examples;
#[path = "house/length.rs"]
mod length;
#[path = "house/links.rs"]
mod links;
#[path = "house/lists.rs"]
mod lists;
#[path = "house/manifest.rs"]
mod manifest;
#[path = "house/reach.rs"]
mod reach;
#[path = "house/rust_text.rs"]
mod rust_text;
#[path = "house/tree.rs"]
mod tree;
#[path = "house/unsafety.rs"]
mod unsafety;
#[path = "house/words.rs"]
mod words;

/// One row per rule: the tests' name, and the check.
macro_rules! checks {
    ($($name:ident => $check:expr;)+) => {$(
        mod $name {
            #[test]
            fn holds_here() {
                crate::check::holds_here(&$check);
            }

            #[test]
            fn finds_what_is_broken() {
                crate::check::finds_what_is_broken(&$check);
            }

            #[test]
            fn lets_pass_what_is_sound() {
                crate::check::lets_pass_what_is_sound(&$check);
            }
        }
    )+};
}

checks! {
    lines_fit_the_width => crate::length::LINES;
    files_stay_short => crate::length::FILES;
    functions_stay_short => crate::length::FUNCTIONS;
    files_say_what_they_are => crate::words::HEADS;
    nothing_is_left_for_later => crate::words::LEFTOVERS;
    files_are_named_for_an_idea => crate::words::NAMES;
    unsafe_stays_in_its_rooms => crate::unsafety::PLACES;
    unsafe_is_argued => crate::unsafety::ARGUMENTS;
    arrows_point_right => crate::manifest::ARROWS;
    dependencies_have_a_reason => crate::manifest::REASONS;
    options_are_listed_once => crate::lists::OPTIONS;
    engines_are_listed_once => crate::lists::ENGINES;
    engines_answer_seven_questions => crate::lists::QUESTIONS;
    services_are_listed_once => crate::lists::SERVICES;
    links_lead_somewhere => crate::links::LINKS;
    guides_are_linked => crate::links::GUIDES;
    files_are_compiled => crate::reach::FILES;
    examples_fit_a_screen => crate::examples::LENGTH;
    examples_are_tested => crate::examples::TESTED;
}
