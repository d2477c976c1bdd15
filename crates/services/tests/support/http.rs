//! Folders, requests and answers, as a test of an HTTP service needs them.

#![allow(dead_code)] // each test file uses its own part

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use switchboard::socket::Socket;

use super::Serving;

/// A folder of its own for each test, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(format!("switchboard-http-{process}-{number}"));
        fs::create_dir(&path).expect("the name is fresh");
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().expect("names here are text")
    }

    /// Writes a file that has been there for an hour, and the folders above it.
    pub(crate) fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Folder {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|it| it.set_modified(hour_ago))
            .expect("its time");
        self
    }

    /// The names in it, sorted, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|it| it.expect("an entry").file_name().to_string_lossy().into()).collect();
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The next answer; `None` at the end. `bodiless` is whether it answers a HEAD.
    pub(crate) fn read(source: &mut impl BufRead, bodiless: bool) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if source.read_line(&mut head).expect("an answer") == 0 {
                assert!(head.is_empty(), "half an answer: {head}");
                return None;
            }
        }
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let mut answer = Answer { status, head, body: Vec::new() };
        if bodiless || matches!(status, 100 | 204 | 304) {
            return Some(answer);
        }
        let body = &mut answer.body;
        match answer.head.to_lowercase() {
            head if head.contains("\r\ntransfer-encoding: chunked\r\n") => loop {
                let mut line = String::new();
                source.read_line(&mut line).expect("a chunk");
                let size = usize::from_str_radix(line.trim_end(), 16).expect("its size");
                let mut chunk = vec![0; size + 2];
                source.read_exact(&mut chunk).expect("all of it");
                body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    break;
                }
            },
            head => match head.split_once("\r\ncontent-length: ") {
                Some((_, rest)) => {
                    let length = rest.split_once('\r').and_then(|it| it.0.parse().ok());
                    body.resize(length.expect("a length"), 0);
                    source.read_exact(body).expect("all of it");
                }
                None => drop(source.read_to_end(body).expect("the end")),
            },
        }
        Some(answer)
    }

    /// The value of a field; empty if it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server says that the connection goes on.
    pub(crate) fn keeps(&self) -> bool {
        self.field("connection") != "close"
    }
}

/// A client that asks one thing after another.
pub(crate) struct Client(pub(crate) BufReader<Socket>);

impl Client {
    pub(crate) fn of(serving: &Serving) -> Client {
        let socket = serving.client();
        // Requests are sent in pieces here, each of which is to arrive now.
        socket.set_tcp_nodelay(true).expect("it is TCP");
        Client(BufReader::new(socket))
    }

    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        self.0.get_ref().send_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Answer {
        Answer::read(&mut self.0, false).expect("an answer")
    }

    /// Asks for a path, with more fields, each with its line end.
    pub(crate) fn ask(&mut self, method: &str, path: &str, fields: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        Answer::read(&mut self.0, method == "HEAD").expect("an answer")
    }

    /// Sends a body with its length.
    pub(crate) fn send_body(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        body: &[u8],
    ) -> Answer {
        let length = body.len();
        let fields = format!("{fields}Content-Length: {length}\r\n");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        self.send([head.as_bytes(), body].concat());
        self.answer()
    }

    /// Asserts that the server has closed the connection without another word.
    pub(crate) fn assert_end(mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("an end");
        assert!(rest.is_empty(), "more than expected: {}", rest.escape_ascii());
    }
}

/// Asks for a path on a connection of its own.
pub(crate) fn ask(serving: &Serving, method: &str, path: &str, fields: &str) -> Answer {
    Client::of(serving).ask(method, path, fields)
}

/// Sends these bytes, and nothing more, and answers all that comes back.
pub(crate) fn talk(serving: &Serving, bytes: &[u8]) -> Vec<Answer> {
    let client = serving.client();
    // A server that refuses need not take all of it.
    let _ = client.send_all(bytes);
    let _ = client.shutdown(std::net::Shutdown::Write);
    let mut source = BufReader::new(client);
    std::iter::from_fn(|| Answer::read(&mut source, false)).collect()
}

/// Whether a tool is here. If not, the test prints why it does less, or fails where nothing may be
/// left out.
pub(crate) fn has(tool: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(tool).is_file());
    if !found {
        assert!(
            std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(),
            "not tested: {tool} is not installed"
        );
        eprintln!("not tested: {tool} is not installed");
    }
    found
}

/// Runs a command to its end, with this input. The watchdog of the test limits it.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // A command that does not want its input closes it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("it was started");
    writer.join().expect("it does not panic");
    output
}

/// What curl prints for these arguments, which has to succeed.
pub(crate) fn curl(args: &[&str]) -> String {
    let output = run(Command::new("curl").args(["-sS", "--max-time", "50"]).args(args), b"");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {args:?}: {} {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
