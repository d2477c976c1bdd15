//! `serve` alone starts every service, each on its port or the next free one.
//!
//! The ports are the only fixed ones in any test, because they are the promise. Whoever has one
//! of them, the board moves on; so these tests do not mind what else runs here.

mod support;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use support::{Running, fresh_path, has, run, skip, switchboard, told};

/// Where each service is, by name: the port of its first listener.
fn ports(board: &Running) -> BTreeMap<String, u16> {
    let listeners: usize = services::ALL.iter().map(|row| row.schemes.len()).sum();
    let listening = || board.out.all().iter().filter(|line| line.contains("listening")).count();
    board.wait_until("line for each listener", || listening() == listeners);
    let mut ports = BTreeMap::new();
    for line in board.out.all() {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        let (service, address) = (&object["service"], object["address"].as_str().unwrap());
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        assert!(address.contains("://127.0.0.1:"), "{address} is not loopback");
        let first = *ports.entry(service.as_str().unwrap().to_owned()).or_insert(port);
        assert_eq!(first, port, "{service} has different ports");
    }
    ports
}

#[test]
fn every_service_is_on_the_board_and_answers() {
    let board = Running::start(switchboard(&["serve", "--json"]), fresh_path("none"));
    let ports = ports(&board);
    assert_eq!(ports.len(), services::ALL.len());
    let talks: [(&str, &[u8], &[u8]); 3] = [
        ("echo", b"hi", b"hi"),
        ("upper", b"hi", b"HI"),
        ("hello", b"tracy\nexit\n", b"welcome!\nhello, tracy!\n"),
    ];
    for (service, said, answer) in talks {
        let port = ports[service].to_string();
        let output = run(&mut switchboard(&["connect", &port]), said);
        assert_eq!(output.stdout, answer, "{service}");
        if has("nc") {
            let output = run(Command::new("nc").args(["-N", "127.0.0.1", &port]), said);
            assert_eq!(output.stdout, answer, "{service} by nc");
        }
    }
    board.stop();
}

#[test]
fn a_taken_port_is_passed_over_and_said_so() {
    let row = services::find("upper").unwrap();
    // Other tests' boards let go of it soon; if somebody keeps it, that serves as well.
    let taken = (0..1000).find_map(|_| {
        let taken = TcpListener::bind(("127.0.0.1", row.port)).ok();
        if taken.is_none() {
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
        taken
    });
    let board = Running::start(switchboard(&["serve"]), fresh_path("none"));
    let line = board.err.wait_for("upper: port 8888 is taken, using ");
    board.err.wait_for("Ctrl-C");
    let port: u16 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(services::ALL.iter().all(|row| row.port != port), "{port} belongs to another service");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    let lines = board.err.all();
    let row = lines.iter().find(|line| line.starts_with("upper ")).unwrap();
    assert!(row.contains(&format!("tcp://127.0.0.1:{port}")), "{row}");
    assert!(row.contains(&format!("nc 127.0.0.1 {port}")), "{row}");
    board.stop();
    drop(taken);
}

#[test]
fn the_table_has_a_line_to_try_for_each_service() {
    let board = Running::start(switchboard(&["serve"]), fresh_path("none"));
    board.err.wait_for("Ctrl-C");
    let lines = board.err.all();
    let first = lines.iter().find(|line| !line.contains("is taken")).unwrap();
    let (count, engine) = (services::ALL.len(), switchboard::Engine::default());
    let expected =
        format!("switchboard: {count} services listening on 127.0.0.1 (engine {engine})");
    assert!(first.starts_with(expected.trim_end_matches(')')), "{first}");
    for row in services::ALL {
        let line = lines.iter().find(|line| line.starts_with(row.name));
        let cells = line.expect(row.name).split("  ").filter(|cell| !cell.trim().is_empty());
        assert_eq!(cells.count(), 3, "{line:?}");
    }
    board.stop();
}

#[test]
fn the_lines_to_try_are_for_the_family_that_is_served() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("no IPv6 on loopback");
    }
    let board = Running::start(switchboard(&["serve", "-6"]), fresh_path("none"));
    board.err.wait_for("Ctrl-C");
    let lines = board.err.all();
    let tries = |name: &str| {
        let line = lines.iter().find(|line| line.starts_with(name)).expect(name);
        line.rsplit("  ").next().unwrap().to_owned()
    };
    let port = |text: &str| text.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let web = tries("web ");
    assert_eq!(web, format!("curl http://[::1]:{}/", port(&web)));
    if has("curl") {
        let words: Vec<_> = web.split(' ').skip(1).collect();
        let page = run(Command::new("curl").args(["-sS"]).args(words), b"");
        assert!(page.status.success() && !page.stdout.is_empty(), "{}", told(&page));
    }
    let echo = tries("echo ");
    assert_eq!(echo, format!("switchboard connect [::1]:{}", port(&echo)));
    let upper = tries("upper ");
    assert!(upper.starts_with("nc ::1 "), "{upper}");
    board.stop();
}

#[test]
fn connections_say_which_service_they_reached() {
    let board = Running::start(switchboard(&["serve"]), fresh_path("none"));
    board.err.wait_for("Ctrl-C");
    let lines = board.err.all();
    let line = lines.iter().find(|line| line.starts_with("hello")).unwrap();
    let port: u16 = line.rsplit(' ').next().unwrap().parse().unwrap();
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert!(board.err.wait_for(" open").ends_with(" open (hello)"));
    board.stop();
}

#[test]
fn a_port_file_cannot_hold_a_board() {
    let output = run(&mut switchboard(&["serve", "--port-file", "unused"]), b"");
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
}
