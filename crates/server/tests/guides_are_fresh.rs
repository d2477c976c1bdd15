//! The guides say what the code says: the engines' answers, word for word, and every guard with its
//! default.
//!
//! `SWITCHBOARD_WRITE_GUIDES=1 cargo test -p switchboard --test guides_are_fresh` writes the part
//! of docs/engines.md that is made from the engines.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use switchboard::{Engine, Guards};

fn guide(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

/// The seven questions, each with every engine's answer.
fn answers() -> String {
    let mut text = String::new();
    let questions: Vec<_> = Engine::ALL.iter().map(|engine| engine.questions()).collect();
    for (number, (question, _)) in questions[0].iter().enumerate() {
        write!(text, "\n### {question}?\n\n| | |\n|---|---|\n").unwrap();
        for (engine, answers) in Engine::ALL.iter().zip(&questions) {
            writeln!(text, "| `{engine}` | {} |", answers[number].1).unwrap();
        }
    }
    text + "\n"
}

#[test]
fn the_engines_answer_in_the_guide_as_in_their_files() {
    let path = guide("engines.md");
    let text = fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once("guides_are_fresh.rs -->\n").unwrap();
    let (made, tail) = rest.split_once("<!-- to here -->").unwrap();
    if std::env::var_os("SWITCHBOARD_WRITE_GUIDES").is_some() {
        let fresh = format!("{head}guides_are_fresh.rs -->\n{}<!-- to here -->{tail}", answers());
        fs::write(&path, fresh).unwrap();
        return;
    }
    assert_eq!(made, answers(), "write it anew, as the head of this test says");
}

#[test]
fn every_engine_is_in_the_advice() {
    let text = fs::read_to_string(guide("engines.md")).unwrap();
    for engine in Engine::ALL {
        assert!(text.contains(&format!("| `{engine}`")), "{engine}");
    }
}

#[test]
fn every_guard_is_in_its_guide_with_its_default() {
    let text = fs::read_to_string(guide("guards.md")).unwrap();
    let printed = format!("{:?}", Guards::default());
    let fields = printed.trim_start_matches("Guards { ").trim_end_matches(" }");
    for field in fields.split(", ") {
        let (name, default) = field.split_once(": ").unwrap();
        let row = text.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row in docs/guards.md"));
        let told = match default.trim_start_matches("Some(").trim_end_matches(')') {
            "None" if name.starts_with("deadline_") => "| off |",
            "None" => "",
            "65536" => "| 64 KiB |",
            "1048576" => "| 1 MiB |",
            "300s" => "| 5 min |",
            "30s" => "| 30 s |",
            "10s" => "| 10 s |",
            "1s" => "| 1 s |",
            other => panic!("{name}: say how the guide writes {other}"),
        };
        assert!(row.contains(told), "{name} is {default}, and the guide says: {row}");
    }
    for engine in Engine::ALL {
        let limit = format!("`{engine}` {}", engine.limit_connections());
        assert!(text.contains(&limit), "{limit}");
    }
}
