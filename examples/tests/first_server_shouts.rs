//! The server of the README does what the README says: `nc` gets its lines back in capitals.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};
use support::{Ours, Program, connect, has, root};

fn start() -> (Program, String) {
    Program::serve(Ours, "first_server", "127.0.0.1", &[])
}

#[test]
fn lines_come_back_in_capitals() {
    let (_server, port) = start();
    let mut stream = connect("127.0.0.1", &port);
    stream.write_all(b"hello\nw").unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HELLO\n");
    stream.write_all(b"orld").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "WORLD");
}

#[test]
fn nc_gets_its_answer() {
    if !has("nc") {
        return;
    }
    let (_server, port) = start();
    let mut nc = Command::new("nc")
        .args(["-N", "-w", "10", "127.0.0.1", &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    nc.stdin.take().unwrap().write_all(b"is anybody there\n").unwrap();
    let output = nc.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"IS ANYBODY THERE\n");
}

#[test]
fn the_readme_shows_this_very_program() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let program = std::fs::read_to_string(root().join("examples/first_server.rs")).unwrap();
    let body = program.split_once("\n\n").unwrap().1;
    assert!(readme.contains(body), "the README's server is not examples/first_server.rs");
}

#[test]
fn the_readme_lists_every_engine() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for engine in switchboard::Engine::ALL {
        let row = format!("| `Engine::{engine:?}` | {}", engine.summary());
        assert!(readme.contains(&row), "the README's table of engines lacks: {row}");
    }
}
