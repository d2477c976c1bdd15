//! `nc`, `socat` and `switchboard connect` talk to each service, over each kind of socket.

mod support;

use std::process::Command;

use support::{Running, fresh_path, has, run, switchboard, told};

/// Every byte value, a mebibyte of them.
fn all_bytes() -> Vec<u8> {
    (0..1 << 20).map(|index: u32| (index.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect()
}

/// A service, what is said to it, and all that it says until it closes.
const TALKS: [(&[&str], &[u8], &[u8]); 4] = [
    (&["echo"], b"any \x00\xff bytes", b"any \x00\xff bytes"),
    (&["upper"], "straße\n".as_bytes(), b"STRASSE\n"),
    (&["hello"], b"tracy\nexit\n", b"welcome!\nhello, tracy!\n"),
    (&["hello", "--raw"], b"tracy", b"welcome!hello, tracy!"),
];

fn expect(mut client: Command, said: &[u8], answer: &[u8]) {
    let output = run(&mut client, said);
    let same = output.stdout == answer;
    assert!(same && output.status.success(), "{client:?} {}", told(&output));
}

#[test]
fn nc_talks_to_each_service() {
    if !has("nc") {
        return;
    }
    for (service, said, answer) in TALKS {
        let server = Running::serve(&[service, &["127.0.0.1:0"]].concat());
        let mut nc = Command::new("nc");
        nc.args(["-N", "127.0.0.1", &server.port().to_string()]);
        expect(nc, said, answer);
        server.stop();
    }
}

#[test]
fn socat_talks_to_each_service() {
    if !has("socat") {
        return;
    }
    for (service, said, answer) in TALKS {
        let server = Running::serve(&[service, &["127.0.0.1:0"]].concat());
        let mut socat = Command::new("socat");
        socat.args(["-t30", "-", &format!("TCP:127.0.0.1:{}", server.port())]);
        expect(socat, said, answer);
        server.stop();
    }
}

#[test]
fn connect_talks_to_each_service() {
    for (service, said, answer) in TALKS {
        let server = Running::serve(&[service, &["127.0.0.1:0"]].concat());
        expect(switchboard(&["connect", &server.port().to_string()]), said, answer);
        expect(switchboard(&["c", &format!("localhost:{}", server.port())]), said, answer);
        server.stop();
    }
}

#[test]
fn a_mebibyte_of_all_bytes_comes_back_the_same() {
    let bytes = all_bytes();
    assert!((0..=255).all(|byte| bytes.contains(&byte)));
    let server = Running::serve(&["echo", "127.0.0.1:0"]);
    expect(switchboard(&["connect", &server.port().to_string()]), &bytes, &bytes);
    let line = server.err.wait_for("close");
    assert!(line.contains(" in 1048576 B out 1048576 B (peer closed)"), "{line}");
    server.stop();
}

#[test]
fn unix_sockets_work_by_path_and_by_abstract_name() {
    let path = fresh_path("echo.sock");
    let path = path.to_str().unwrap();
    let name = format!("@{}", path.replace('/', "-"));
    for address in [path, &name] {
        let mut command = switchboard(&["serve", "echo", address]);
        command.arg("--json");
        let server = Running::start(command, fresh_path("none"));
        let listening = server.out.wait_for("listening");
        assert!(listening.contains(&format!("unix://{address}")), "{listening}");
        let bytes = all_bytes();
        expect(switchboard(&["connect", address]), &bytes, &bytes);
        if has("nc") && address == path {
            let mut nc = Command::new("nc");
            nc.args(["-N", "-U", path]);
            expect(nc, b"by path", b"by path");
        }
        server.stop();
        assert!(!std::path::Path::new(path).exists(), "the socket is left behind");
    }
}

#[test]
fn datagrams_go_there_and_back() {
    let server = Running::serve(&["echo", "udp://127.0.0.1:0"]);
    let address = format!("udp://127.0.0.1:{}", server.port());
    // Nobody can tell that a datagram peer has finished; the wait for more is what ends it.
    expect(switchboard(&["connect", "--timeout", "5s", &address]), b"one\x00\xff", b"one\x00\xff");
    if has("socat") {
        let mut socat = Command::new("socat");
        socat.args(["-t5", "-", &format!("UDP:127.0.0.1:{}", server.port())]);
        expect(socat, b"two", b"two");
    }
    let line = server.err.wait_for("datagram");
    assert!(line.contains(" in 5 B out 5 B "), "{line}");
    server.stop();
}

#[test]
fn in_a_pipe_there_is_nothing_but_data() {
    let server = Running::serve(&["echo", "127.0.0.1:0"]);
    let escapes = b"\x1b[31mred\x07\r\n";
    let output = run(&mut switchboard(&["connect", &server.port().to_string()]), escapes);
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&escapes[..], &b""[..]));
    server.stop();
}

#[test]
fn connect_ends_when_the_peer_closes_though_its_input_is_open() {
    let server = Running::serve(&["hello", "127.0.0.1:0"]);
    let mut command = switchboard(&["connect", &server.port().to_string()]);
    let piped = std::process::Stdio::piped;
    let mut child = command.stdin(piped()).stdout(piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"exit\n").unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut all).unwrap();
    assert_eq!(all, b"welcome!\n");
    assert!(child.wait().unwrap().success());
    drop(stdin);
    server.stop();
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let server = Running::serve(&["echo", "127.0.0.1:0"]);
    let mut command = switchboard(&["connect", &server.port().to_string()]);
    let piped = std::process::Stdio::piped;
    let mut child = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"first").unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0; 5]).unwrap();
    drop(stdout);
    // The answer to this has no reader any more: not the first time perhaps, if a child of another
    // test has been forked just now and not yet executed anything, but soon.
    while child.try_wait().unwrap().is_none() {
        let _ = std::io::Write::write_all(&mut stdin, b"second");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    server.stop();
}
