//! The server of the README does what the README says: `nc` gets its lines back in capitals.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The example as a child process, ended when dropped.
struct Example {
    child: Child,
    port: u16,
}

impl Example {
    fn start() -> Example {
        // The example takes an address and prints nothing, so the port is found beforehand.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = env!("CARGO_BIN_EXE_first_server");
        let child = Command::new(program).arg(format!("127.0.0.1:{port}")).spawn().unwrap();
        Example { child, port }
    }

    /// A connection, as soon as the example listens.
    fn connect(&mut self) -> TcpStream {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                    return stream;
                }
                Err(error) => assert!(Instant::now() < end, "never listened: {error}"),
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the example has ended");
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn lines_come_back_in_capitals() {
    let mut example = Example::start();
    let mut stream = example.connect();
    stream.write_all(b"hello\nw").unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HELLO\n");
    stream.write_all(b"orld").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "WORLD");
}

#[test]
fn nc_gets_its_answer() {
    let mut example = Example::start();
    drop(example.connect());
    let nc = Command::new("nc")
        .args(["-N", "-w", "10", "127.0.0.1", &example.port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut nc = match nc {
        Ok(nc) => nc,
        Err(error) if std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none() => {
            return println!("skipped: nc: {error}");
        }
        Err(error) => panic!("nc: {error}"),
    };
    nc.stdin.take().unwrap().write_all(b"is anybody there\n").unwrap();
    let output = nc.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"IS ANYBODY THERE\n");
}

#[test]
fn the_readme_shows_this_very_program() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let readme = std::fs::read_to_string(format!("{root}/README.md")).unwrap();
    let program = std::fs::read_to_string(format!("{root}/examples/first_server.rs")).unwrap();
    let body = program.split_once("\n\n").unwrap().1;
    assert!(readme.contains(body), "the README's server is not examples/first_server.rs");
}

#[test]
fn the_readme_lists_every_engine() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let readme = std::fs::read_to_string(format!("{root}/README.md")).unwrap();
    for engine in switchboard::Engine::ALL {
        let row = format!("| `Engine::{engine:?}` | {}", engine.summary());
        assert!(readme.contains(&row), "the README's table of engines lacks: {row}");
    }
}
