//! Clients that reset, vanish, half-close or say nothing leave the server as it was: it serves the
//! next one, and no descriptor is lost.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

use socket::{Deadline, Socket};
use support::{LIMIT, Running, has};

const ENGINES: [&str; 4] = ["serial", "threads", "processes", "coroutines"];

/// Services with a message and the answer to it.
const SERVICES: [(&[&str], &[u8], &[u8]); 3] = [
    (&["echo"], b"ping", b"ping"),
    (&["upper"], b"ping", b"PING"),
    (&["hello", "--raw"], b"ping", b"welcome!hello, ping!"),
];

fn connect(port: u16) -> TcpStream {
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client
}

fn exchange(client: &mut TcpStream, message: &[u8], answer: &[u8]) {
    let mut room = vec![0; answer.len()];
    client.write_all(message).unwrap();
    client.read_exact(&mut room).unwrap();
    assert_eq!(room.escape_ascii().to_string(), answer.escape_ascii().to_string());
}

/// Closes with a reset, as a client does that dies with data unread: `SO_LINGER` of zero.
fn reset(client: TcpStream) {
    let socket = Socket::from(std::os::fd::OwnedFd::from(client));
    let (on, seconds) = (1_i32.to_ne_bytes(), 0_i32.to_ne_bytes());
    // `SOL_SOCKET` and `SO_LINGER` of Linux; socket(7).
    socket.setsockopt(1, 13, &[on, seconds].concat()).unwrap();
    drop(socket);
}

/// A client in a process of its own that talks and is then killed; answers how many there were.
fn vanish(port: u16) -> usize {
    if !has("nc") {
        return 0;
    }
    let mut client = Command::new("nc")
        .args(["127.0.0.1", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.as_mut().unwrap().write_all(b"ping").unwrap();
    client.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    1
}

#[test]
fn three_rude_clients_leave_it_serving_a_fourth() {
    for engine in ENGINES {
        for (service, message, answer) in SERVICES {
            let args = [&["--engine", engine], service, &["127.0.0.1:0"]].concat();
            let server = Running::serve(&args);
            let port = server.port();
            // The first connection makes what is made once.
            exchange(&mut connect(port), message, answer);
            server.err.wait_for("#1 127.0.0.1:");
            server.wait_until("close of the first", || closed(&server) == 1);
            let descriptors = server.descriptors();

            let mut first = connect(port);
            exchange(&mut first, message, answer);
            reset(first);

            let vanished = vanish(port);

            let mut third = connect(port);
            third.write_all(message).unwrap();
            third.shutdown(Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            third.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, answer, "{args:?}");

            let mut fourth = connect(port);
            exchange(&mut fourth, message, answer);
            drop(fourth);

            server.wait_until("close of all", || closed(&server) == 4 + vanished);
            server.wait_until("return of all descriptors", || server.descriptors() <= descriptors);
            server.stop();
        }
    }
}

fn closed(server: &Running) -> usize {
    server.err.all().iter().filter(|line| line.contains(" close ")).count()
}

#[test]
fn a_client_that_says_nothing_is_let_go() {
    for engine in ENGINES {
        let server = Running::serve(&["--engine", engine, "--first-byte", "50ms", "echo", "0"]);
        let mut silent = connect(server.port());
        let mut rest = Vec::new();
        silent.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
        let line = server.err.wait_for("close");
        assert!(line.ends_with("in 0 B out 0 B (timed out: no first byte)"), "{line}");
        // Who is too slow to say something in time is let go as well, and tries again.
        server.wait_until("answer", || {
            let (mut client, mut room) = (connect(server.port()), [0; 4]);
            let said = client.write_all(b"next").and_then(|()| client.read_exact(&mut room));
            said.is_ok() && &room == b"next"
        });
        server.stop();
    }
}

#[test]
fn an_address_with_too_many_connections_is_refused_and_then_served_again() {
    let server = Running::serve(&["--max-per-ip", "1", "echo", "0"]);
    let mut first = connect(server.port());
    exchange(&mut first, b"a", b"a");
    let mut second = connect(server.port());
    assert_eq!(second.read(&mut [0]).unwrap_or(0), 0, "it was served beyond the limit");
    server.err.wait_for("refused (too many connections from this address)");
    drop(first);
    server.err.wait_for("close");
    let endpoint = format!("127.0.0.1:{}", server.port()).parse::<socket::Address>().unwrap();
    let endpoint = endpoint.resolve().unwrap().remove(0);
    // The place is free once the line is out, or a moment later.
    server.wait_until("place for another", || {
        let client = Socket::connected(&endpoint, Deadline::After(LIMIT)).unwrap();
        let _ = client.send(b"b");
        matches!(client.recv_by(&mut [0; 1], Deadline::After(LIMIT)), Ok(1))
    });
    server.stop();
}
