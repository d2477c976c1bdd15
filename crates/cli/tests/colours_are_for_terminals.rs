//! Colour at a terminal only, and never where `NO_COLOR` or `--json` says so; a flag goes before.

mod support;

use support::{run, switchboard, terminal, told};

#[test]
fn a_terminal_has_colour_unless_somebody_says_no() {
    let plain = "env -u NO_COLOR";
    for (before, words, coloured) in [
        (plain, "services", true),
        // no-color.org: any value but an empty one.
        ("env NO_COLOR=1", "services", false),
        ("env NO_COLOR=", "services", true),
        ("env -u NO_COLOR TERM=dumb", "services", false),
        (plain, "services --json", false),
        (plain, "services --color never", false),
        ("env NO_COLOR=1", "services --color always", true),
        (plain, "services --json --color always", false),
        (plain, "--help", true),
        ("env NO_COLOR=1", "--help", false),
    ] {
        let Some(said) = terminal::play_behind(before, words, &[]) else { return };
        assert!(said.starts_with("ended 0\n"), "{said}");
        assert_eq!(said.contains("\\x1b["), coloured, "{before} {words}: {said}");
    }
}

#[test]
fn a_pipe_has_none_unless_somebody_says_always() {
    for (words, coloured) in [
        (&["services"][..], false),
        (&["services", "--color", "always"], true),
        (&["services", "--color", "always", "--json"], false),
        (&["--help"], false),
        (&["engines", "-v"], false),
    ] {
        let output = run(switchboard(words).env_remove("NO_COLOR"), b"");
        assert_eq!(output.stdout.contains(&0x1b), coloured, "{words:?} {}", told(&output));
    }
}
