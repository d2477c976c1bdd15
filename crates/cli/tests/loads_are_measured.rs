//! `bench`: every question is accounted for, wrong bytes are found, and nothing hangs.

mod support;

use std::process::Output;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;
use support::scripted::{self, accept, listen, nobody, python_server};
use support::{Running, fresh_path, run, switchboard, told};

fn bench(words: &[&str]) -> Output {
    run(&mut switchboard(&[&["bench"], words].concat()), b"")
}

/// For loads in which no answer is late, however busy the machine is.
const PATIENT: &[&str] = &["--timeout", "1m"];

/// The object of a load with these words.
fn measured(words: &[&str]) -> (Value, i32) {
    let output = bench(&[&["--json"], words].concat());
    let told =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)));
    (told, output.status.code().unwrap())
}

/// A load without errors.
fn clean(words: &[&str]) -> Value {
    let (told, code) = measured(&[PATIENT, words].concat());
    assert_eq!((&told["errors"], code), (&serde_json::json!({}), 0), "{told}");
    told
}

#[test]
fn each_question_is_asked_once_and_answered() {
    let server = Running::serve(&["echo", "127.0.0.1:0"]);
    let port = server.port().to_string();
    for more in [
        &["--size", "1"][..],
        &["--size", "200000"],
        &["--pipeline", "8"],
        &["--pipeline", "8", "--size", "100000"],
        &["--workers", "1"],
        &["--rate", "5000"],
        &["--rate", "5000", "--size", "50000"],
    ] {
        let words = [&["--requests", "300", "--connections", "7", &port], more].concat();
        let told = clean(&words);
        assert_eq!(told["answers"], 300, "{told}");
    }
    server.stop();
}

#[test]
fn datagrams_and_unix_sockets_are_loaded_too() {
    let server = Running::serve(&["echo", "udp://127.0.0.1:0"]);
    let address = format!("udp://127.0.0.1:{}", server.port());
    for more in [&["--size", "8"][..], &["--size", "1400", "--pipeline", "3"], &["--rate", "2000"]]
    {
        let words = [&["--requests", "200", "--connections", "3", &address], more].concat();
        assert_eq!(clean(&words)["answers"], 200);
    }
    server.stop();
    let path = fresh_path("echo.sock");
    let mut command = switchboard(&["serve", "echo", "--json"]);
    command.arg(&path);
    let server = Running::start(command, fresh_path("none"));
    server.out.wait_for("listening");
    let words = ["--requests", "200", "--connections", "3", path.to_str().unwrap()];
    assert_eq!(clean(&words)["answers"], 200);
    server.stop();
}

#[test]
fn http_is_asked_and_its_errors_are_counted_by_name() {
    let folder = fresh_path("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("page"), "hello").unwrap();
    let args = [folder.to_str().unwrap(), "127.0.0.1"];
    let Some((_server, port)) = python_server(scripted::FILES, &args) else { return };
    let ours = Running::serve(&["web", folder.to_str().unwrap(), "127.0.0.1:0"]);
    for port in [port, ours.port()] {
        let (asked, port) = (["--requests", "50", "--connections", "4"], port.to_string());
        assert_eq!(clean(&[&asked[..], &["--http", "/page", &port]].concat())["answers"], 50);
        let (told, code) = measured(&[PATIENT, &asked, &["--http", "/none", &port]].concat());
        assert_eq!((&told["answers"], code), (&0.into(), 1), "{told}");
        assert_eq!(told["errors"]["http 404"], 50, "{told}");
    }
    ours.stop();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_open_loop_tells_both_times() {
    let server = Running::serve(&["echo", "127.0.0.1:0"]);
    let port = server.port().to_string();
    let words = ["--rate", "1000", "--duration", "500ms", "--connections", "5", &port];
    let told = clean(&words);
    assert_eq!((&told["answers"], &told["rate"]), (&500.into(), &1000.into()), "{told}");
    // Whoever counts from the planned moment never waits less.
    for number in ["p50_us", "max_us"] {
        let of = |name: &str| told[name][number].as_u64().unwrap();
        assert!(of("latency_from_planned") >= of("latency_from_sent"), "{told}");
    }
    let page = String::from_utf8(bench(&words).stdout).unwrap();
    for part in ["open loop at 1000/s", "from the planned moment", "from the actual send", "p99.9"]
    {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    server.stop();
}

#[test]
fn a_serial_server_shows_who_waited() {
    let server = Running::serve(&["echo", "127.0.0.1:0", "--engine", "serial"]);
    let port = server.port().to_string();
    let told = clean(&["--duration", "3s", "--connections", "3", "--workers", "2", &port]);
    // One connection is served for all of the time, the others after it; who asks may begin late.
    assert!(told["latency_from_sent"]["max_us"].as_u64().unwrap() >= 500_000, "{told}");
    assert!(told["answers"].as_u64().unwrap() > 3, "{told}");
    server.stop();
}

#[test]
fn wrong_bytes_are_found() {
    let server = Running::serve(&["upper", "127.0.0.1:0"]);
    let output = bench(&["--requests", "4", "--connections", "2", &server.port().to_string()]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("wrong bytes") && !page.contains("latency"), "{page}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("is that an echo server?"));
    server.stop();
}

#[test]
fn servers_that_break_are_counted_by_name() {
    let (silent, port) = listen();
    let words = ["--requests", "4", "--connections", "2", "--timeout", "50ms", &port.to_string()];
    let (told, code) = measured(&words);
    assert_eq!((&told["answers"], &told["errors"]["no answer"], code), (&0.into(), &4.into(), 1));
    drop(silent);
    let (listener, port) = listen();
    let server = thread::spawn(move || {
        // The first is whether anybody is there. Each of the others is heard and left.
        for _ in 0..3 {
            let client = accept(&listener);
            let mut room = [0; 64];
            let _ = std::io::Read::read(&mut { client }, &mut room);
        }
    });
    let (told, code) = measured(&["--requests", "2", "--connections", "1", &port.to_string()]);
    server.join().unwrap();
    assert_eq!((&told["errors"]["closed by the peer"], code), (&2.into(), 1), "{told}");
}

#[test]
fn a_server_that_goes_away_does_not_hold_up_the_end() {
    let (listener, port) = listen();
    let server = thread::spawn(move || (accept(&listener), accept(&listener)));
    let (told, code) = measured(&["--requests", "9", "--connections", "1", &port.to_string()]);
    drop(server.join().unwrap());
    assert_eq!((&told["answers"], code), (&0.into(), 1), "{told}");
    assert!(told["errors"]["connect: connection refused"].as_u64() > Some(0), "{told}");
}

#[test]
fn ctrl_c_tells_what_was_measured() {
    let server = Running::serve(&["-v", "echo", "127.0.0.1:0"]);
    let command = switchboard(&["bench", "--connections", "2", &server.port().to_string()]);
    let mut running = Running::start(command, fresh_path("none"));
    // The third of two connections: one of them has had an answer.
    server.err.wait_for_several(3, " in 64 B");
    running.signal(Signal::INT);
    assert_eq!(running.end().code(), Some(130), "{:?}", running.err.all());
    running.out.wait_for("from the actual send");
    server.stop();
}

#[test]
fn what_cannot_be_done_says_so_before_it_begins() {
    let (_held, closed) = nobody();
    let closed = closed.to_string();
    let rows: [(&[&str], i32, &str); 8] = [
        (&[&closed], 7, "connection refused"),
        (&["nobody.invalid:1"], 6, "nobody.invalid"),
        (&["udp://127.0.0.1:1", "--size", "7"], 2, "from 8"),
        (&["udp://127.0.0.1:1", "--http", "/"], 2, "needs a stream"),
        (&["1", "--http", "a"], 2, "begins with /"),
        (&["1", "--connections", "0"], 2, "from 1 up"),
        (&["1", "--requests", "1", "--duration", "1s"], 2, "cannot be used with"),
        (&["1", "--connections", "99999999999"], 1, "--connections"),
    ];
    for (words, code, part) in rows {
        let output = bench(words);
        let line = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert!(line.contains(part) && line.matches('\n').count() == 1, "{line}");
    }
}
