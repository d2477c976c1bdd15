//! An upload appears under its name when all of it has come, and otherwise nothing of it is left.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, SystemTime};

use support::http::{Client, Folder, ask, has, talk};
use support::{Serving, watchdog};
use switchboard::{Deadline, Engine, Socket};

/// SHA-256 of "hello\n", as `sha256sum` says it.
const HELLO: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

fn service(folder: &Folder, more: &[&str]) -> Serving {
    Serving::of("upload", &[&[folder.text()], more].concat(), "http")
}

/// A form with these files.
fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in files {
        body.extend_from_slice(b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"");
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\"\r\nContent-Type: text/plain\r\n\r\n");
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=b\r\n";

/// Waits until nothing is being received any more.
fn settled(serving: &Serving) {
    while serving.control.counters().open() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn every_way_in_works_on_every_engine() {
    let _watchdog = watchdog();
    let large: Vec<u8> = (0..1_000_003_u32).map(|at| ((at * 7) >> 2) as u8).collect();
    for engine in Engine::ALL {
        let folder = Folder::new();
        let inside = folder.path().join("made/when/needed");
        let serving = Serving::http("upload", &[inside.to_str().unwrap()], *engine);
        let mut client = Client::of(&serving);
        assert!(client.ask("GET", "/", "").text().is_empty() && !inside.exists());

        let answer = client.send_body("PUT", "/a%20b.txt", "", b"hello\n");
        let line = format!("saved 6 bytes, SHA-256 {HELLO}, as a b.txt\n");
        assert_eq!((answer.status, answer.text()), (201, line), "{engine}");
        assert_eq!(answer.field("location"), "/a%20b.txt");

        let mut chunked =
            b"PUT /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in large.chunks(9999) {
            chunked.extend_from_slice(format!("{:x};x=y\r\n", piece.len()).as_bytes());
            chunked.extend_from_slice(piece);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
        client.send(&chunked);
        assert_eq!(client.answer().status, 201);

        let files: [(&str, &[u8]); 4] =
            [("f.bin", &large), ("g.txt", b"hello\n"), ("", b""), ("C:\\x\\h.txt", b"")];
        let answer = client.send_body("POST", "/", FORM, &form(&files));
        assert_eq!((answer.status, answer.text().lines().count()), (201, 3), "{}", answer.text());
        let list = client.ask("GET", "/", "").text();
        let names: Vec<_> = list.lines().filter_map(|line| line.split_once("  ")).collect();
        let size = "1000003";
        let expected =
            [("6", "a b.txt"), (size, "chunked"), (size, "f.bin"), ("6", "g.txt"), ("0", "h.txt")];
        assert_eq!(names, expected, "{engine}");
        let page = client.ask("GET", "/", "Accept: text/html\r\n").text();
        assert!(page.contains("<form method=\"post\"") && page.contains(">chunked<td"), "{page}");
        for name in ["chunked", "f.bin"] {
            assert!(fs::read(inside.join(name)).unwrap() == large, "{engine}: {name}");
        }
        drop(client);
        serving.stop();
    }
}

#[test]
fn nothing_is_overwritten_unless_that_is_wanted() {
    let _watchdog = watchdog();
    let folder = Folder::new().with("a.txt", "first");
    fs::create_dir(folder.path().join("dir")).unwrap();
    let serving = service(&folder, &[]);
    let mut client = Client::of(&serving);
    assert_eq!(client.send_body("PUT", "/a.txt", "", b"second").status, 409);
    assert_eq!(client.send_body("PUT", "/dir", "", b"second").status, 409);
    let answer = client.send_body("PUT", "/a.txt", "If-None-Match: *\r\n", b"second");
    assert_eq!(answer.status, 412);
    let files: [(&str, &[u8]); 3] = [("a.txt", b"2"), ("a.txt", b"3"), ("dir", b"4")];
    let answer = client.send_body("POST", "/", FORM, &form(&files));
    let names: Vec<_> =
        answer.text().lines().map(|it| it.rsplit_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(
        (answer.status, names),
        (201, vec!["a-1.txt".into(), "a-2.txt".into(), "dir-1".into()])
    );
    assert_eq!(folder.read("a.txt"), b"first");
    assert_eq!(folder.read("a-2.txt"), b"3");
    drop(client);
    serving.stop();

    let serving = service(&folder, &["--overwrite"]);
    let mut client = Client::of(&serving);
    assert_eq!(client.send_body("PUT", "/a.txt", "", b"second").status, 200);
    assert_eq!(folder.read("a.txt"), b"second");
    assert_eq!(client.send_body("POST", "/", FORM, &form(&[("a.txt", b"third")])).status, 200);
    assert_eq!(folder.read("a.txt"), b"third");
    let answer = client.send_body("PUT", "/a.txt", "If-None-Match: *\r\n", b"fourth");
    assert_eq!(answer.status, 412);
    assert_eq!(client.send_body("PUT", "/dir", "", b"x").status, 409);
    assert_eq!(folder.names(), ["a-1.txt", "a-2.txt", "a.txt", "dir", "dir-1"]);
    drop(client);
    serving.stop();
}

#[test]
fn what_cannot_be_a_name_is_refused_before_it_is_sent() {
    let _watchdog = watchdog();
    let folder = Folder::new();
    let serving = service(&folder, &[]);
    let paths = [
        "/",
        "/a/b",
        "/a%2fb",
        "/..",
        "/%2e%2e",
        "/..%2fa",
        "/.a",
        "/%2ea",
        "/a%00",
        "/a%0a",
        "/a%5cb",
        "/%1b[2J",
        "/%ff",
        "/%",
        "/%c2%85",
        &format!("/{}", "x".repeat(241)),
    ];
    for path in paths {
        // The client waits for leave to send the body, and never gets it.
        let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
        let answer = ask(&serving, "PUT", path, fields);
        assert_eq!((answer.status, answer.keeps()), (400, false), "{path}: {answer:?}");
    }
    for name in [".a", "a\u{1b}b", "..", &"x".repeat(241)] {
        let answer = Client::of(&serving).send_body("POST", "/", FORM, &form(&[(name, b"x")]));
        assert_eq!(answer.status, 400, "{name:?}");
    }
    assert_eq!(folder.names(), [""; 0]);
    // And with leave it is given first.
    let mut client = Client::of(&serving);
    assert_eq!(
        client.ask("PUT", "/a", "Content-Length: 5\r\nExpect: 100-Continue\r\n").status,
        100
    );
    client.send("hello");
    assert_eq!(client.answer().status, 201);
    drop(client);
    serving.stop();
}

#[test]
fn what_is_too_much_is_refused_and_nothing_of_it_is_left() {
    let _watchdog = watchdog();
    let folder = Folder::new();
    let serving = service(&folder, &["--max-size", "1000"]);
    let mut client = Client::of(&serving);
    assert_eq!(client.send_body("PUT", "/a", "", &[0; 1000]).status, 201);
    let exact: [(&str, &[u8]); 2] = [("b", &[0; 400]), ("c", &[0; 600])];
    assert_eq!(client.send_body("POST", "/", FORM, &form(&exact)).status, 201);
    drop(client);
    let names = folder.names();
    assert_eq!(names, ["a", "b", "c"]);

    let over: [(&str, &[u8]); 2] = [("d", &[0; 400]), ("e", &[0; 601])];
    assert_eq!(Client::of(&serving).send_body("POST", "/", FORM, &form(&over)).status, 413);
    assert_eq!(Client::of(&serving).send_body("PUT", "/d", "", &[0; 1001]).status, 413);
    let chunks = format!(
        "PUT /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
        "x".repeat(1001)
    );
    assert_eq!(talk(&serving, chunks.as_bytes())[0].status, 413);
    let fields = "Content-Length: 1001\r\nExpect: 100-continue\r\n";
    assert_eq!(ask(&serving, "PUT", "/d", fields).status, 413);
    let many = vec![("n", &b""[..]); 101];
    assert_eq!(Client::of(&serving).send_body("POST", "/", FORM, &form(&many)).status, 413);
    let disk = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", 1_u64 << 61);
    assert_eq!(folder.names(), names);
    serving.stop();

    // More than any disk has: known before it is sent.
    let serving = service(&folder, &["--max-size", "4000000T"]);
    assert_eq!(ask(&serving, "PUT", "/d", &disk).status, 507);
    assert_eq!(folder.names(), names);
    serving.stop();
}

/// What is under way when the server is asked to stop is finished, and is the last.
#[test]
fn a_server_that_stops_finishes_what_it_has_begun() {
    let _watchdog = watchdog();
    let folder = Folder::new();
    let serving = service(&folder, &[]);
    let mut client = Client::of(&serving);
    let begun = client.ask("PUT", "/a", "Content-Length: 6\r\nExpect: 100-continue\r\n");
    assert_eq!(begun.status, 100);
    client.send("hel");
    serving.control.shutdown();
    // Who takes connections hears of it first, and then whoever answers.
    let endpoint = serving.address.resolve().unwrap().remove(0);
    let connects = || Socket::connected(&endpoint, Deadline::Never).is_ok();
    while connects() || !serving.drains.load(SeqCst) {
        std::thread::yield_now();
    }
    client.send("lo\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.keeps()), (201, false));
    assert_eq!(folder.read("a"), b"hello\n");
    client.assert_end();
    serving.stop();
}

/// However an upload ends too early, and wherever.
#[test]
fn what_is_cut_short_leaves_nothing() {
    let _watchdog = watchdog();
    let folder = Folder::new();
    let serving = service(&folder, &[]);
    let put = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n".to_vec();
    let put = [put, vec![b'x'; 200_000]].concat();
    let body = form(&[("b", &[1; 1000]), ("c", &[2; 150_000])]);
    let head =
        format!("POST / HTTP/1.1\r\nHost: a\r\n{FORM}Content-Length: {}\r\n\r\n", body.len());
    let post = [head.as_bytes(), &body].concat();
    for request in [put, post] {
        for cut in [60, 150, 300, 5000, 140_000, request.len() - 1] {
            // The client has finished too early, and waits for what that means.
            let answers = talk(&serving, &request[..cut]);
            assert_eq!(answers.last().map(|it| it.status), Some(400), "cut at {cut}");
            // The client goes.
            Client::of(&serving).send(&request[..cut]);
            // The client goes with a reset.
            let client = Client::of(&serving);
            client.send(&request[..cut]);
            client.0.get_ref().set_so_linger(Some(Duration::ZERO)).unwrap();
        }
    }
    let wrong = [
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    ];
    for request in wrong {
        assert_eq!(talk(&serving, request.as_bytes())[0].status, 400, "{request}");
    }
    // With blocks on their way to the disk, and room allocated for what will not come.
    let large = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n".to_vec();
    let large = [large, vec![b'x'; 9 << 20]].concat();
    for cut in [2 << 20, (5 << 20) + 1, large.len()] {
        assert_eq!(talk(&serving, &large[..cut])[0].status, 400, "cut at {cut}");
        Client::of(&serving).send(&large[..cut]);
    }
    settled(&serving);
    assert_eq!(folder.names(), [""; 0]);
    serving.stop();
}

/// Whether it goes by the page cache or not, and whatever was allocated for it on the way.
#[test]
fn a_large_file_has_its_bytes_and_nothing_of_the_disk_beside() {
    let _watchdog = watchdog();
    let large: Vec<u8> = (0..9_000_001_u32).map(|at| ((at * 7) >> 3) as u8).collect();
    for engine in Engine::ALL {
        let folder = Folder::new();
        let serving = Serving::http("upload", &[folder.text()], *engine);
        let mut client = Client::of(&serving);
        assert_eq!(client.send_body("PUT", "/whole", "", &large).status, 201, "{engine}");
        // The room of a form is that of all its files.
        let files: [(&str, &[u8]); 2] = [("part", &large[..5_000_000]), ("rest", &large)];
        assert_eq!(client.send_body("POST", "/", FORM, &form(&files)).status, 201, "{engine}");
        for (name, length) in [("whole", large.len()), ("part", 5_000_000), ("rest", large.len())] {
            assert!(folder.read(name) == large[..length], "{engine}: {name}");
            let taken = fs::metadata(folder.path().join(name)).unwrap().blocks() * 512;
            assert!(taken < length as u64 + (1 << 20), "{engine}: {name} takes {taken}");
        }
        drop(client);
        serving.stop();
    }
}

#[test]
fn a_client_that_is_killed_leaves_nothing() {
    let _watchdog = watchdog();
    if !has("curl") {
        return;
    }
    let folder = Folder::new();
    let serving = service(&folder, &[]);
    let source = Folder::new().with("big", vec![b'x'; 4 << 20]);
    let big = source.path().join("big");
    let file = format!("file=@{}", big.display());
    for args in [["-T", big.to_str().unwrap()], ["-F", &file]] {
        // Slow enough that it is still at it when its file has begun to arrive.
        let mut command = Command::new("curl");
        command.args(["-sS", "--limit-rate", "100k"]).args(args).arg(serving.url() + "/");
        let mut curl = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while folder.names().is_empty() {
            std::thread::yield_now();
        }
        curl.kill().unwrap();
        curl.wait().unwrap();
        settled(&serving);
        assert_eq!(folder.names(), [""; 0], "{args:?}");
    }
    serving.stop();
}

#[test]
fn what_a_killed_server_left_is_removed_and_nothing_else() {
    let _watchdog = watchdog();
    let folder = Folder::new()
        .with(".switchboard-upload-1-0", "left an hour ago")
        .with(".hidden", "somebody's own")
        .with("switchboard-upload-1-0", "somebody's own");
    let fresh = ".switchboard-upload-2-0";
    fs::write(folder.path().join(fresh), "somebody may be about to lock it").unwrap();
    let held = folder.path().join(".switchboard-upload-3-0");
    let holder = fs::File::create(&held).unwrap();
    rustix::fs::flock(&holder, rustix::fs::FlockOperation::LockExclusive).unwrap();
    holder.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let serving = service(&folder, &[]);
    assert_eq!(Client::of(&serving).send_body("PUT", "/a", "", b"x").status, 201);
    let left = [".hidden", fresh, ".switchboard-upload-3-0", "a", "switchboard-upload-1-0"];
    assert_eq!(folder.names(), left);
    serving.stop();
}

#[test]
fn what_is_not_understood_is_said_so() {
    let _watchdog = watchdog();
    let folder = Folder::new();
    let serving = service(&folder, &[]);
    let mut client = Client::of(&serving);
    let rows = [
        ("POST", "/", "Content-Type: application/x-www-form-urlencoded\r\n", "a=b", 415),
        ("POST", "/", "Content-Type: multipart/form-data\r\n", "a=b", 415),
        ("POST", "/", "", "a=b", 415),
        ("POST", "/a", FORM, "--b--\r\n", 405),
        ("DELETE", "/a", "", "", 405),
        ("GET", "/a", "", "", 405),
        ("PUT", "/a", "Origin: http://evil.example\r\n", "x", 403),
        ("PUT", "/a", "Origin: null\r\n", "x", 403),
        ("PUT", "/a", "Origin: http://a\r\n", "x", 201),
        ("PUT", "/whole", "Content-Range: bytes 0-4/5\r\n", "whole", 201),
    ];
    for (method, path, fields, body, status) in rows {
        let answer = client.send_body(method, path, fields, body.as_bytes());
        assert_eq!(answer.status, status, "{method} {path} {fields}{answer:?}");
    }
    drop(client);
    let rows = [
        ("PUT", "/b", "Content-Range: bytes 5-9/10\r\n", "later", 400),
        ("PUT", "/b", "Content-Range: bytes 0-4/10\r\n", "first", 400),
        ("PUT", "/b", "Content-Range: bytes 0-4/*\r\n", "first", 400),
        ("PUT", "/b", "Content-Range: bytes 0-9/10\r\n", "first", 400),
        ("POST", "/", FORM, "--b--\r\n", 400),
        ("POST", "/", FORM, "no form at all", 400),
        (
            "POST",
            "/",
            FORM,
            "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--b--",
            400,
        ),
    ];
    for (method, path, fields, body, status) in rows {
        let answer = Client::of(&serving).send_body(method, path, fields, body.as_bytes());
        assert_eq!(answer.status, status, "{method} {path} {fields}{answer:?}");
    }
    for version in ["1.0", "1.1"] {
        let request = format!("PUT /b HTTP/{version}\r\nHost: a\r\n\r\nuntil the end");
        assert_eq!(talk(&serving, request.as_bytes())[0].status, 411);
    }
    assert_eq!(folder.names(), ["a", "whole"]);
    serving.stop();
}
