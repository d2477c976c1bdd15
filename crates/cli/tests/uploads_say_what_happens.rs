//! `send`: a file arrives as it is, an early no is heard, and whoever waits is told why.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Output;
use std::thread;

use support::scripted::{accept, listen, nobody, python_server, read_head};
use support::{Running, fresh_path, run, switchboard, told};

/// Takes PUTs of both kinds and answers with path, length and SHA-256.
const UPLOADS: &str = r#"
import hashlib, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_PUT(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        said = f"{self.path} {len(body)} {hashlib.sha256(body).hexdigest()}\n".encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port)
server.serve_forever()
"#;

/// A file with this name's ending and so many bytes that do not repeat soon.
fn file(name: &str, bytes: usize) -> PathBuf {
    let path = fresh_path(name);
    let some: Vec<u8> =
        (0..65_521_u32).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
    let mut content = some.repeat(bytes / some.len() + 1);
    content.truncate(bytes);
    fs::write(&path, content).unwrap();
    path
}

fn send(words: &[&str], input: &[u8]) -> Output {
    run(&mut switchboard(&[&["send"], words].concat()), input)
}

/// The command must end with this code, and with one line in which these words stand.
fn fails(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{}", told(output));
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(line.starts_with("switchboard: ") && line.matches('\n').count() == 1, "{line}");
    for word in words {
        assert!(line.contains(word), "\"{word}\" is not in: {line}");
    }
}

#[test]
fn a_file_arrives_as_it_is() {
    let Some((_server, port)) = python_server(UPLOADS, &[]) else { return };
    let url = format!("http://127.0.0.1:{port}/");
    for bytes in [0, 5, 5_000_000] {
        let path = file("a b%.bin", bytes);
        let sum = run(std::process::Command::new("sha256sum").arg("-b").arg(&path), b"").stdout;
        let sum = String::from_utf8(sum).unwrap().trim_start_matches('\\')[..64].to_owned();
        let output = send(&[path.to_str().unwrap(), &url], b"");
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = name.replace('%', "%25").replace(' ', "%20");
        let expected = format!("/{name} {bytes} {sum}\n");
        assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), expected);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
        // From a pipe the same bytes go in chunks, under the name in the URL.
        let output = send(&["-", &format!("{url}x")], &fs::read(&path).unwrap());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("/x {bytes} {sum}\n"));
        fs::remove_file(path).unwrap();
    }
    let path = file("json", 5);
    let output = send(&["--json", path.to_str().unwrap(), &format!("{url}x")], b"");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["t"], &told["status"], &told["bytes"]),
        (&"sent".into(), &201.into(), &5.into())
    );
    assert!(told["answer"].as_str().unwrap().starts_with("/x 5 "), "{told}");
    fs::remove_file(path).unwrap();
}

#[test]
fn the_upload_service_says_what_it_has() {
    let folder = fresh_path("uploads");
    let server = Running::serve(&["upload", folder.to_str().unwrap(), "127.0.0.1:0"]);
    let path = file("two.bin", 2_000_000);
    let name = path.file_name().unwrap().to_str().unwrap();
    let words = [path.to_str().unwrap(), &format!("http://127.0.0.1:{}/", server.port())];
    let output = send(&words, b"");
    let sum = run(std::process::Command::new("sha256sum").arg(&path), b"").stdout;
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    for part in [name, "2000000", std::str::from_utf8(&sum[..64]).unwrap()] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(fs::read(folder.join(name)).unwrap() == fs::read(&path).unwrap());
    // The name is taken now, which is known before anything is sent.
    fails(&send(&words, b""), 22, &["409", " after "]);
    server.stop();
    fs::remove_dir_all(folder).unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn a_no_is_heard_before_and_while_it_is_sent() {
    let path = file("large", 40_000_000);
    let no = |status| format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\nno\n").into_bytes();
    for (first, answer) in [
        (&b""[..], no("413 Content Too Large")),
        (b"HTTP/1.1 100 Continue\r\n\r\n", no("507 Insufficient Storage")),
    ] {
        let (listener, port) = listen();
        let server = thread::spawn(move || {
            let mut client = accept(&listener);
            let head = read_head(&mut client);
            client.write_all(first).unwrap();
            if !first.is_empty() {
                client.read_exact(&mut vec![0; 1 << 20]).unwrap();
            }
            client.write_all(&answer).unwrap();
            // Not a byte more is read: the client has to stop by itself.
            (client, head)
        });
        let output = send(&[path.to_str().unwrap(), &format!("127.0.0.1:{port}/x")], b"");
        let (_client, head) = server.join().unwrap();
        assert!(head.contains("Expect: 100-continue\r\n"), "{head}");
        fails(&output, 22, &[if first.is_empty() { "413" } else { "507" }, " after "]);
        assert_eq!(output.stdout, b"no\n");
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn a_no_is_heard_though_the_server_has_closed() {
    let path = file("large", 40_000_000);
    let (listener, port) = listen();
    let server = thread::spawn(move || {
        let mut client = accept(&listener);
        read_head(&mut client);
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        client.read_exact(&mut vec![0; 1 << 20]).unwrap();
        client.write_all(b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n").unwrap();
        // Closing with input unread resets the connection.
    });
    let output = send(&[path.to_str().unwrap(), &format!("127.0.0.1:{port}/x")], b"");
    server.join().unwrap();
    fails(&output, 22, &["409 Conflict"]);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_stalled_transfer_says_so_and_goes_on() {
    let path = file("large", 30_000_000);
    let (listener, port) = listen();
    let mut command = switchboard(&["send"]);
    command.arg(&path).arg(format!("127.0.0.1:{port}/x"));
    let mut running = Running::start(command, fresh_path("none"));
    let mut client = accept(&listener);
    read_head(&mut client);
    client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    let line = running.err.wait_for("stalled");
    assert!(line.starts_with("sent ") && line.contains("not a byte for "), "{line}");
    let mut left = vec![0; 30_000_000];
    client.read_exact(&mut left).unwrap();
    assert!(left == fs::read(&path).unwrap());
    client.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nsaved").unwrap();
    running.out.wait_for("saved");
    assert!(running.end().success());
    fs::remove_file(path).unwrap();
}

#[test]
fn a_server_that_takes_nothing_is_28() {
    let path = file("large", 30_000_000);
    let (_silent, port) = listen();
    let words = ["--timeout", "300ms", path.to_str().unwrap(), &format!("127.0.0.1:{port}/x")];
    fails(&send(&words, b""), 28, &["not a byte was taken for 300ms", "--timeout"]);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_bar_shows_how_far_it_is() {
    let path = file("large", 30_000_000);
    let (listener, port) = listen();
    let server = thread::spawn(move || {
        let mut client = accept(&listener);
        read_head(&mut client);
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        client.read_exact(&mut vec![0; 30_000_000]).unwrap();
        client.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 6\r\n\r\n\x1b[31m!").unwrap();
    });
    let words = format!("send {} 127.0.0.1:{port}/x", path.display());
    let script = ["of 28.61 MiB [", "", "=", "", "/s, ", "", " left", "", "\\\\u{1b}[31m!", ""];
    let Some(said) = support::terminal::play(&words, &script) else { return };
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    server.join().unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn every_way_to_fail_has_its_code_and_one_line() {
    let path = file("small", 5);
    let small = path.to_str().unwrap();
    let (_held, port) = nobody();
    let url = format!("127.0.0.1:{port}/x");
    fails(&send(&[small, &url], b""), 7, &["connection refused"]);
    fails(&send(&[small, "http://nobody.invalid/"], b""), 6, &["nobody.invalid"]);
    fails(&send(&[small, "https://a/"], b""), 2, &["https", "curl"]);
    fails(&send(&["-", "http://a/"], b""), 2, &["stdin has no name"]);
    fails(&send(&["/no/such/file", &url], b""), 1, &["read /no/such/file", "no such file"]);
    fails(&send(&["/tmp", &url], b""), 1, &["read /tmp", "folder"]);
    let gone: [(&[u8], i32, &str); 3] = [
        (b"", 52, "without an answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 56, "before the answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Cr", 56, "middle of the head"),
    ];
    for (first, code, words) in gone {
        let (listener, port) = listen();
        let server = thread::spawn(move || {
            let mut client = accept(&listener);
            read_head(&mut client);
            client.write_all(first).unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
        });
        let output = send(&[small, &format!("127.0.0.1:{port}/x")], b"");
        server.join().unwrap();
        fails(&output, code, &[words]);
    }
    fs::remove_file(path).unwrap();
}
