//! SIGTERM and Ctrl-C finish what is under way, a second one ends it at once, and nothing stays
//! behind.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use support::{LIMIT, Running, fresh_path, switchboard};

const ENGINES: [&str; 4] = ["serial", "threads", "processes", "coroutines"];

fn client(server: &Running) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.write_all(b"a\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    client
}

#[test]
fn one_signal_ends_it_with_0_though_a_client_idles() {
    for engine in ENGINES {
        for signal in [Signal::INT, Signal::TERM] {
            // A grace longer than the limit of this test: whoever waits for it has failed.
            let mut server = Running::serve(&["--engine", engine, "--grace", "10m", "echo", "0"]);
            let mut idle = client(&server);
            server.signal(signal);
            assert_eq!(server.end().code(), Some(0), "{engine}: {:?}", server.err.all());
            assert_eq!(idle.read(&mut [0]).unwrap(), 0);
            let line = server.err.wait_for("close");
            assert!(line.ends_with("(server stopping)"), "{line}");
            assert!(!server.port_file().exists());
        }
    }
}

#[test]
fn an_answer_under_way_is_finished() {
    for engine in ENGINES {
        let args = ["-v", "--engine", engine, "hello", "0", "--delay", "200ms"];
        let mut server = Running::serve(&args);
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let mut welcome = [0; 9];
        client.read_exact(&mut welcome).unwrap();
        client.write_all(b"slow\n").unwrap();
        server.err.wait_for(" in 5 B");
        server.signal(Signal::TERM);
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "hello, slow!\n");
        assert_eq!(server.end().code(), Some(0), "{:?}", server.err.all());
    }
}

#[test]
fn a_handler_that_does_not_end_is_cut_off_at_the_grace_limit_with_1() {
    for engine in ENGINES {
        let args = ["-v", "--engine", engine, "--grace", "50ms", "hello", "0", "--delay", "10m"];
        let mut server = Running::serve(&args);
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        client.write_all(b"never\n").unwrap();
        server.err.wait_for(" in 6 B");
        server.signal(Signal::TERM);
        assert_eq!(server.end().code(), Some(1), "{engine}: {:?}", server.err.all());
        let line = server.err.wait_for("switchboard: drain");
        assert!(line.contains("cut off"), "{line}");
        assert!(!server.port_file().exists());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let signals = [(Signal::INT, 130), (Signal::TERM, 143)];
    for (engine, (signal, code)) in ENGINES.iter().flat_map(|one| signals.map(|two| (*one, two))) {
        let args = ["-v", "--engine", engine, "--grace", "10m", "hello", "0", "--delay", "10m"];
        let mut server = Running::serve(&args);
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        client.write_all(b"never\n").unwrap();
        server.err.wait_for(" in 6 B");
        server.signal(signal);
        server.err.wait_for("stopping; 1 open may take 10m");
        server.signal(signal);
        assert_eq!(server.end().code(), Some(code), "{engine}: {:?}", server.err.all());
        assert!(!server.port_file().exists());
    }
}

#[test]
fn a_port_can_be_had_again_at_once() {
    let server = Running::serve(&["echo", "0"]);
    let port = server.port().to_string();
    let client = client(&server);
    server.stop();
    drop(client);
    let server = Running::serve(&["echo", &port]);
    assert_eq!(server.port().to_string(), port);
    server.stop();
}

#[test]
fn it_ends_when_nobody_reads_its_json() {
    let mut command = switchboard(&["serve", "--json", "echo", "0", "--port-file"]);
    let port_file = fresh_path("port");
    command.arg(&port_file).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // The line of the listener, up to its end, so that the port file is near.
    let mut byte = [0];
    while byte != *b"\n" {
        stdout.read_exact(&mut byte).unwrap();
    }
    drop(stdout);
    let begun = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < LIMIT, "it does not end");
        // Every connection is a line that nobody reads.
        if let Ok(port) = std::fs::read_to_string(&port_file) {
            let _ = TcpStream::connect(("127.0.0.1", port.trim().parse().unwrap()));
        }
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", support::told(&output));
}
