//! The picture of the README shows what the program shows.
//!
//! The script that drew it draws it again, of the program as it is now. What may differ are numbers
//! (bytes of a page) and what the engine found on this machine; all words and their places may not.

mod support;

use std::path::Path;
use std::process::Command;

use support::{fresh_path, has, run, skip, told};

#[test]
fn the_picture_of_the_readme_is_the_board() {
    let mut own_network = Command::new("unshare");
    own_network.args(["-rn", "ip", "link", "set", "lo", "up"]);
    if !has("python3") || !own_network.output().is_ok_and(|output| output.status.success()) {
        return skip("a network of its own (unshare -rn) or python3 cannot be had");
    }
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
    let fresh = fresh_path("board.svg");
    let mut script = Command::new("python3");
    script.arg(pictures.join("board.py")).arg(env!("CARGO_BIN_EXE_switchboard")).arg(&fresh);
    let output = run(&mut script, b"");
    assert!(output.status.success(), "{}", told(&output));
    let now = shown(&std::fs::read_to_string(&fresh).unwrap());
    let drawn = shown(&std::fs::read_to_string(pictures.join("board.svg")).unwrap());
    std::fs::remove_file(&fresh).unwrap();
    for row in services::ALL {
        assert!(now.iter().any(|line| line.ends_with(&format!(">{}", row.name))), "{now:?}");
    }
    assert_eq!(now, drawn, "draw it again: python3 docs/pictures/board.py");
}

/// The pieces of text with where and how they are drawn, without what may differ.
fn shown(picture: &str) -> Vec<String> {
    let pieces = picture.lines().filter_map(|line| line.strip_prefix("<text"));
    let piece = |piece: &str| {
        let (place, text) = piece.strip_suffix("</text>").unwrap().split_once('>').unwrap();
        // How long the text is follows from the text.
        let place = place.split(" textLength=").next().unwrap();
        let text = text.split(" (engine ").next().unwrap();
        let words: Vec<_> = text.split(' ').map(without_number).collect();
        format!("{place}>{}", words.join(" "))
    };
    pieces.map(piece).collect()
}

fn without_number(word: &str) -> &str {
    if word.parse::<u64>().is_ok() { "N" } else { word }
}
