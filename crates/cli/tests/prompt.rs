//! `connect` at a terminal: a prompt, answers above it, nothing sent for an empty line, no control
//! byte of the peer on the screen, and a terminal that is afterwards as it was.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;

use support::{LIMIT, Running};

/// Plays a script of what is seen and what is then typed; answers the last lines.
fn terminal(port: u16, script: &[&str]) -> Option<String> {
    support::terminal::play(&format!("connect {port}"), script)
}

#[test]
fn lines_are_sent_and_answers_are_shown_until_the_end_of_input() {
    let server = Running::serve(&["-v", "echo", "127.0.0.1:0"]);
    // Typed with a mistake that is taken back. An empty line prompts again and sends nothing. An
    // answer comes above the prompt, or before there is one again: in both, one follows it, and
    // only then is the next line typed. What was typed without a mistake stands there twice.
    let script = [
        (">>: ", "hix\\x7f\\r"),
        ("hi\\r\\n", ""),
        (">>: ", "\\r"),
        (">>: ", "  \\r"),
        (">>: ", "you\\r"),
        ("you\\r\\n", ""),
        ("you\\r\\n", ""),
        (">>: ", "\\x04"),
    ];
    let script: Vec<_> = script.into_iter().flat_map(<[_; 2]>::from).collect();
    let Some(said) = terminal(server.port(), &script) else { return };
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    let line = server.err.wait_for("close");
    assert!(line.contains(" in 7 B out 7 B (peer closed)"), "{line}");
    server.stop();
}

#[test]
fn it_ends_when_the_peer_closes_and_shows_its_last_words() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let mut asked = [0; 3];
        client.read_exact(&mut asked).unwrap();
        client.write_all(b"half a line, then \x1b]0;title\x07 and goodbye").unwrap();
        asked
    });
    let script = [">>: ", "hi\\r", "half a line, then \\\\u{1b}]0;title\\\\u{7} and goodbye", ""];
    let said = terminal(port, &script);
    let Some(said) = said else { return };
    assert_eq!(&peer.join().unwrap(), b"hi\n");
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    assert!(said.contains("closed by the peer"), "{said}");
}

#[test]
fn a_paste_is_sent_line_by_line() {
    let server = Running::serve(&["-v", "hello", "127.0.0.1:0"]);
    let Some(said) = terminal(server.port(), &[">>: ", "a\\rb\\r\\rexit\\r"]) else { return };
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    assert!(said.contains("hello, b!"), "{said}");
    let line = server.err.wait_for("close");
    assert!(line.contains(" in 9 B "), "{line}");
    server.stop();
}

#[test]
fn what_was_said_can_be_said_again() {
    let server = Running::serve(&["-v", "echo", "127.0.0.1:0"]);
    // The key Up brings back the line before. How it is drawn is the editor's business.
    let script = [
        (">>: ", "first\\r"),
        ("first\\r\\n", ""),
        ("first\\r\\n", ""),
        (">>: ", "\\x1b[A\\r"),
        ("first\\r\\n", ""),
        (">>: ", "\\x04"),
    ];
    let script: Vec<_> = script.into_iter().flat_map(<[_; 2]>::from).collect();
    let Some(said) = terminal(server.port(), &script) else { return };
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    let line = server.err.wait_for("close");
    assert!(line.contains(" in 12 B out 12 B (peer closed)"), "{line}");
    server.stop();
}

#[test]
fn ctrl_c_ends_it_with_130() {
    let server = Running::serve(&["echo", "127.0.0.1:0"]);
    let Some(said) = terminal(server.port(), &[">>: ", "\\x03"]) else { return };
    assert!(said.starts_with("ended 130\nterminal restored\n"), "{said}");
    server.stop();
}
