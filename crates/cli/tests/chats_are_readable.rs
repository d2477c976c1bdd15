//! `chat`: a name first, then lines both ways, with nothing on the screen that could control it.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use support::scripted::{accept, listen};
use support::{Running, run, switchboard, terminal, told};

/// A server of one member: asks for a name, answers the first line with another's, and says
/// goodbye to `/quit`. It says what it heard.
fn server() -> (u16, JoinHandle<Vec<String>>) {
    let (listener, port) = listen();
    (port, thread::spawn(move || serve(&listener)))
}

fn serve(listener: &TcpListener) -> Vec<String> {
    let mut client = accept(listener);
    client.write_all(b"Welcome. Your name?\n").unwrap();
    let mut heard = Vec::new();
    for line in BufReader::new(client.try_clone().unwrap()).lines() {
        let line = line.unwrap();
        match line.as_str() {
            "/quit" => {
                client.write_all(b"* Goodbye.\n").unwrap();
                heard.push(line);
                return heard;
            }
            // In one piece: what comes in several is shown as several, if they are far apart.
            _ if heard.is_empty() => {
                client.write_all(format!("* You are {line}.\n").as_bytes()).unwrap();
            }
            _ => client.write_all(b"bob: \x1b[31mhi\x07 \xff\n").unwrap(),
        }
        heard.push(line);
    }
    heard
}

const SEEN: &str = "bob: \\u{1b}[31mhi\\u{7} \\xff\n";

#[test]
fn in_a_pipe_lines_go_both_ways() {
    let (port, server) = server();
    let input = b"hello\n/quit\n";
    let output = run(&mut switchboard(&["chat", "--name", "ann", &port.to_string()]), input);
    let said = format!("Welcome. Your name?\n* You are ann.\n{SEEN}* Goodbye.\n");
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), said);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    assert_eq!(server.join().unwrap(), ["ann", "hello", "/quit"]);
}

#[test]
fn without_a_name_the_first_line_is_it() {
    let (port, server) = server();
    let output = run(&mut switchboard(&["chat", &port.to_string()]), b"ann\n");
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(server.join().unwrap(), ["ann"]);
}

#[test]
fn the_chat_service_is_understood() {
    let server = Running::serve(&["chat", "127.0.0.1:0"]);
    let port = server.port().to_string();
    let input = b"/who\n/quit\n";
    let output = run(&mut switchboard(&["chat", "--name", "ann", &port]), input);
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    assert!(said.starts_with("Welcome. Your name?\n* You are ann, in lobby"), "{said}");
    assert!(said.ends_with("* In lobby: ann\n* Goodbye.\n"), "{said}");
    server.stop();
}

#[test]
fn at_a_terminal_messages_come_above_the_line() {
    let (port, server) = server();
    let script = [
        "Welcome. Your name?",
        "",
        "> ",
        "ann\\r",
        "* You are ann.",
        "",
        "> ",
        "hello\\r",
        "bob: \\\\u{1b}[31mhi\\\\u{7} \\\\xff",
        "",
        "> ",
        "/quit\\r",
        "* Goodbye.",
        "",
    ];
    let Some(said) = terminal::play(&format!("chat {port}"), &script) else { return };
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    assert_eq!(server.join().unwrap(), ["ann", "hello", "/quit"]);
}

#[test]
fn plain_at_a_terminal_is_without_a_prompt() {
    let (port, server) = server();
    let script = ["Welcome. Your name?", "ann\\r", "* You are ann.", "/quit\\r", "* Goodbye.", ""];
    let Some(said) = terminal::play(&format!("chat --plain {port}"), &script) else { return };
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    assert!(!said.contains("> "), "{said}");
    server.join().unwrap();
}

#[test]
fn what_cannot_be_a_chat_is_2_and_nobody_there_is_7() {
    let (_held, closed) = support::scripted::nobody();
    let rows: [(&[&str], i32, &str); 3] = [
        (&["chat", "udp://127.0.0.1:1"], 2, "needs a stream"),
        (&["chat", "--name", "a\nb"], 2, "one line"),
        (&["chat", &closed.to_string()], 7, "connection refused"),
    ];
    for (words, code, part) in rows {
        let output = run(&mut switchboard(words), b"");
        let line = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert!(line.contains(part) && line.matches('\n').count() == 1, "{line}");
    }
}
