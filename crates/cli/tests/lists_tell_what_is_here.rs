//! The commands that tell: `options`, `doctor`, `resolve`, completions, manual pages, help.

mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::{fresh_path, has, run, switchboard, told};

fn said(words: &[&str]) -> Output {
    run(&mut switchboard(words), b"")
}

/// What is on stdout of a command that succeeds and says nothing else.
fn text(words: &[&str]) -> String {
    let output = said(words);
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?} {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_option_has_a_line() {
    let all: Vec<_> = socket::options::ALL.iter().copied().flatten().collect();
    let table = text(&["options"]);
    let names: Vec<_> = table.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, all.iter().map(|row| row.name).collect::<Vec<_>>());
    let objects = objects(&text(&["options", "--json"]));
    assert_eq!(objects.len(), all.len());
    for object in &objects {
        assert!(object["now"].is_string() != object["why_not"].is_string(), "{object}");
    }
    let type_of = objects.iter().find(|object| object["name"] == "SO_TYPE").unwrap();
    assert_eq!((&type_of["now"], &type_of["level"]), (&"SOCK_STREAM".into(), &"SOL_SOCKET".into()));
}

#[test]
fn options_are_found_by_a_part_of_their_name() {
    let table = text(&["options", "keepidle"]);
    assert!(table.lines().count() == 2 && table.contains("TCP_KEEPIDLE"), "{table}");
    assert!(text(&["options", "-v", "so_rcvbuf"]).contains("methods  so_rcvbuf, set_so_rcvbuf"));
    for (name, part) in [("no_such", "options lists all"), ("SO_BSDCOMPAT", "without effect")] {
        let output = said(&["options", name]);
        let line = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(output.status.code() == Some(1) && line.contains(part), "{}", told(&output));
    }
}

#[test]
fn the_doctor_says_what_to_change() {
    let findings = said(&["doctor", "--json"]);
    let changes = |output: &Output| {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        objects(&text).iter().filter(|one| one["verdict"] == "change").count()
    };
    assert_eq!(findings.status.code(), Some(i32::from(changes(&findings) > 0)));
    let program = format!("ulimit -n 100; exec {} doctor", env!("CARGO_BIN_EXE_switchboard"));
    let output = run(Command::new("sh").args(["-c", &program]), b"");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    let line = table.lines().find(|line| line.starts_with("open files")).unwrap();
    assert!(
        line.contains("100") && line.contains("change") && line.contains("ulimit -n"),
        "{line}"
    );
}

#[test]
fn a_name_is_resolved_as_programs_here_would() {
    let numbers = text(&["resolve", "127.0.0.1", "http"]);
    assert_eq!(numbers.lines().last(), Some("127.0.0.1:80  stream"), "{numbers}");
    let bare = text(&["resolve", "::1"]);
    let line = bare.lines().last().unwrap();
    assert!(line.starts_with("::1 ") && line.contains("stream dgram"), "{bare}");
    let object = objects(&text(&["resolve", "--json", "[::1]", "443"])).remove(0);
    assert_eq!((&object["ip"], &object["port"]), (&"::1".into(), &443.into()));
    for words in [&["nobody.invalid"][..], &["127.0.0.1", "no-such-service"], &["-6", "127.0.0.1"]]
    {
        let output = said(&[&["resolve"], words].concat());
        let line = String::from_utf8(output.stderr.clone()).unwrap();
        let told = told(&output);
        assert!(output.status.code() == Some(6) && line.matches('\n').count() == 1, "{told}");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&["completions", shell]);
        for word in commands().iter().map(String::as_str).chain(["pipeline", "first-byte"]) {
            assert!(script.contains(word), "{shell} has no {word}");
        }
    }
    if has("bash") {
        let script = text(&["completions", "bash"]);
        let output = run(Command::new("bash").arg("-n"), script.as_bytes());
        assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
        // What bash does at the key Tab.
        for (words, expected) in [
            ("switchboard ser", "serve services"),
            ("switchboard serve ec", "echo"),
            ("switchboard serve echo --engine c", "coroutines"),
        ] {
            let asked = format!(
                "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1))\n\
                 _switchboard switchboard \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\n\
                 echo \"${{COMPREPLY[@]}}\""
            );
            let output = run(&mut Command::new("bash"), asked.as_bytes());
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), expected, "{words}");
        }
    }
    if has("zsh") {
        let script = text(&["completions", "zsh"]);
        let output = run(Command::new("zsh").arg("-fn"), script.as_bytes());
        assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    }
    assert_eq!(said(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn fish_completes_with_what_each_word_means() {
    if !has("fish") {
        return;
    }
    let script = text(&["completions", "fish"]);
    for (words, expected) in [
        ("switchboard ser", &["serve\tServe one service", "services\tList the services"][..]),
        ("switchboard serve ec", &["echo\tany bytes come back"]),
        ("switchboard serve echo --engine c", &["coroutines"]),
    ] {
        let asked = format!("{script}\ncomplete -C '{words}'\n");
        let output = run(Command::new("fish").arg("--no-config"), asked.as_bytes());
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(shown.lines().count(), expected.len(), "{words}: {}", told(&output));
        for (shown, expected) in shown.lines().zip(expected) {
            assert!(shown.starts_with(expected), "{words}: {}", told(&output));
        }
    }
}

#[test]
fn each_command_has_its_page() {
    assert!(text(&["man"]).contains(".TH switchboard 1"));
    let folder = fresh_path("man");
    let output = said(&["man", "--out", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", told(&output));
    let services = services::ALL.iter().map(|row| format!("serve {}", row.name));
    for command in [String::new()].into_iter().chain(commands()).chain(services) {
        let words: Vec<_> = command.split_whitespace().collect();
        let page = [&["switchboard"], &words[..]].concat().join("-");
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(&format!(".TH {page} 1")), "{text}");
        let references = text.split_whitespace().filter_map(|word| word.strip_suffix("(1)"));
        for reference in references {
            let page = folder.join(format!("{}.1", reference.replace('\\', "")));
            assert!(page.exists(), "{page:?} is not there, of which {command:?} tells");
        }
        let help = self::text(&[&words[..], &["--help"]].concat());
        let flags = help.split([' ', ',']).filter(|word| word.starts_with("--") && word.len() > 2);
        for flag in flags {
            // roff spells a hyphen so that it stays one.
            let flag = flag.trim_end().trim_end_matches(['.', ':', ')']).replace('-', "\\-");
            assert!(text.contains(&flag), "{flag} is not in {page}.1");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let output = said(&["man", "--out", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(23), "{}", told(&output));
    std::fs::remove_file(&folder).unwrap();
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = text(&["--help"]);
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(names.len() > 15, "{help}");
    names
}

#[test]
fn the_first_help_and_each_help_have_examples() {
    let first = text(&[]);
    let examples =
        first.lines().filter(|line| line.starts_with("  ") && line.contains("switchboard"));
    assert!((6..=8).contains(&examples.count()), "{first}");
    for command in &commands() {
        let help = text(&[command, "--help"]);
        assert!(help.contains(&format!("Example: switchboard {command}")), "{help}");
    }
    for row in services::ALL {
        let help = text(&["serve", row.name, "--help"]);
        assert!(help.contains(&format!("Example: switchboard serve {}", row.name)), "{help}");
        assert!(!help.contains('{'), "{help}");
    }
}
