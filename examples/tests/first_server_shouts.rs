//! The server of the README does what the README says: `nc` gets its lines back in capitals.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The example as a child process, ended when dropped.
struct Example {
    child: Child,
    port: u16,
}

impl Example {
    /// Starts it on a free port, and waits until it listens.
    fn start() -> Example {
        let program = env!("CARGO_BIN_EXE_first_server");
        let mut child = Command::new(program).arg("127.0.0.1:0").spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(port) = listening_port(child.id()) {
                return Example { child, port };
            }
            assert!(Instant::now() < end, "never listened");
            assert!(child.try_wait().unwrap().is_none(), "the example has ended");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }
}

/// The port on which a process listens. The example prints nothing, so the kernel is asked: the
/// inodes of the process's sockets, and the table of IPv4 sockets, in which 0A is "listening".
fn listening_port(process: u32) -> Option<u16> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let sockets: Vec<String> = files
        .filter_map(|file| Some(std::fs::read_link(file.ok()?.path()).ok()?.display().to_string()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ours = columns.get(3) == Some(&"0A") && sockets.iter().any(|one| one == columns[9]);
        let (_, port) = columns.get(1)?.split_once(':')?;
        if ours { u16::from_str_radix(port, 16).ok() } else { None }
    })
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn lines_come_back_in_capitals() {
    let example = Example::start();
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
    let example = Example::start();
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
