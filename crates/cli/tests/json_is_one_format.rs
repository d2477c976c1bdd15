//! `--json` is one format in every command: an object a line, each with the version of the format
//! and its type, names in lower case, bytes and times as whole numbers.

mod support;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::scripted::{accept, listen, read_head};
use support::{Running, fresh_path, run, switchboard, told};

/// What a command says in JSON, which has to be of this type, at least at the end.
fn objects(words: &[&str], kind: &str) -> Vec<Value> {
    let output = run(&mut switchboard(&[&["--json"], words].concat()), b"");
    // The doctor may have something to say against this machine.
    let ended = output.status.success() || words == ["doctor"];
    assert!(ended && output.stderr.is_empty(), "{words:?} {}", told(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<Value> = text.lines().map(checked).collect();
    assert_eq!(objects.last().map(|last| &last["t"]), Some(&kind.into()), "{text}");
    objects
}

/// The object in a line.
fn checked(line: &str) -> Value {
    assert!(line.starts_with("{\"v\":1,\"t\":\""), "{line}");
    let object: Value = serde_json::from_str(line).expect(line);
    fields(&object, line);
    object
}

/// Names and numbers of an object, and of those in it.
fn fields(object: &Value, line: &str) {
    for (name, value) in object.as_object().unwrap() {
        // These count by names that are not ours.
        if ["errors", "doing"].contains(&name.as_str()) {
            continue;
        }
        let plain =
            |letter: char| letter == '_' || letter.is_ascii_digit() || letter.is_lowercase();
        assert!(name.chars().all(plain), "{name} in {line}");
        if ["bytes", "_us", "_bytes", "port"].iter().any(|end| name.ends_with(end)) {
            assert!(value.is_u64() || value.is_null(), "{name} in {line}");
        }
        if value.is_object() {
            fields(value, line);
        }
    }
}

#[test]
fn the_lists_speak_it() {
    for (words, kind) in [
        (&["services"][..], "service"),
        (&["engines"], "engine"),
        (&["doctor"], "finding"),
        (&["options"], "option"),
        (&["resolve", "localhost", "80"], "address"),
        (&["addr", "localhost:80"], "address"),
        (&["addr", "vsock://2:80"], "address"),
        (&["version"], "version"),
    ] {
        objects(words, kind);
    }
}

#[test]
fn the_clients_speak_it_and_so_does_the_server() {
    let folder = fresh_path("folder");
    std::fs::create_dir(&folder).unwrap();
    let (page, out) = (folder.join("page"), folder.join("out"));
    std::fs::write(&page, "hello").unwrap();
    let [folder, page, out] = [&folder, &page, &out].map(|path| path.to_str().unwrap());
    let server = Running::serve(&["--json", "-v", "upload", folder, "127.0.0.1:0"]);
    let port = server.port().to_string();
    let url = format!("http://127.0.0.1:{port}/");
    objects(&["get", &url, "-o", out], "response");
    objects(&["send", page, &format!("{url}new")], "sent");
    objects(&["ping", "-c", "1", "--by", "tcp", "--port", &port, "127.0.0.1"], "summary");
    let bench = ["bench", &port, "--http", "/", "--requests", "5", "--connections", "2"];
    let bench = [&bench[..], &["--timeout", "1m"]].concat();
    objects(&bench, "bench");
    objects(&[&bench[..], &["--rate", "1000"]].concat(), "bench");
    let lines = server.out.clone();
    server.stop();
    // What it said last may still be on its way.
    lines.wait_for("drain_ended");
    let kinds: Vec<_> = lines.all().iter().map(|line| checked(line)["t"].clone()).collect();
    for kind in ["listening", "opened", "message", "closed", "drain_ended"] {
        assert!(kinds.contains(&kind.into()), "{kind} is not in {kinds:?}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_time_of_a_page_is_all_of_it() {
    let (listener, port) = listen();
    let server = thread::spawn(move || {
        let mut client = accept(&listener);
        read_head(&mut client);
        let thinks = Instant::now();
        thread::sleep(Duration::from_millis(20));
        let thought = thinks.elapsed();
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        thought
    });
    let out = fresh_path("out");
    let words = ["get", &format!("127.0.0.1:{port}"), "-o", out.to_str().unwrap()];
    let told = objects(&words, "response").remove(0);
    let thought = server.join().unwrap().as_micros();
    assert!(u128::from(told["elapsed_us"].as_u64().unwrap()) >= thought, "{told}");
    std::fs::remove_file(out).unwrap();
}
