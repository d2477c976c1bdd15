//! Whoever supervises a server is told how it is (`sd_notify(3)`), and SIGHUP makes it reload; but
//! a server whose terminal goes goes too.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use support::{LIMIT, Running, fresh_path, has, switchboard};

/// What a supervisor hears.
struct Supervisor(UnixDatagram, PathBuf);

impl Supervisor {
    fn hears(&self) -> String {
        let mut room = [0; 4096];
        let count = self.0.recv(&mut room).expect("the server says something");
        String::from_utf8(room[..count].to_vec()).unwrap()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.1);
    }
}

/// Starts a server under a supervisor that listens on a path, with more variables.
fn supervised(variables: &[(&str, &str)], args: &[&str]) -> (Supervisor, Running) {
    let path = fresh_path("supervisor");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let (port_file, mut command) = (fresh_path("port"), switchboard(&["serve", "--port-file"]));
    command.arg(&port_file).args(args).env("NOTIFY_SOCKET", &path);
    command.envs(variables.iter().copied());
    let server = Running::start(command, port_file);
    (Supervisor(socket, path), server)
}

fn client(server: &Running) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.write_all(b"a\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    client
}

#[test]
fn it_says_when_it_is_ready_and_when_it_stops() {
    for engine in ["serial", "threads"] {
        let (supervisor, mut server) = supervised(&[], &["--engine", engine, "echo", "0"]);
        let said = supervisor.hears();
        let port = server.port();
        assert_eq!(said, format!("READY=1\nSTATUS=serving at tcp://127.0.0.1:{port}"));
        let _idle = client(&server);
        server.signal(Signal::TERM);
        assert_eq!(supervisor.hears(), "STOPPING=1\nSTATUS=stopping, 1 open");
        assert_eq!(server.end().code(), Some(0));
    }
}

#[test]
fn an_abstract_name_will_do() {
    let name = format!("switchboard-supervised-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut command = switchboard(&["serve"]);
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    let board = Running::start(command, fresh_path("none"));
    let said = Supervisor(socket, PathBuf::new()).hears();
    let more = services::ALL.iter().map(|row| row.schemes.len()).sum::<usize>() - 1;
    assert!(said.starts_with("READY=1\nSTATUS=serving at tcp://"), "{said}");
    assert!(said.ends_with(&format!(" and {more} more")), "{said}");
    board.stop();
}

#[test]
fn a_hang_up_reloads_and_disturbs_nobody() {
    let (supervisor, server) = supervised(&[], &["echo", "0"]);
    assert!(supervisor.hears().starts_with("READY=1"));
    let mut client = client(&server);
    for _ in 0..3 {
        server.signal(Signal::HUP);
        let said = supervisor.hears();
        let moment = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&said);
        assert!(moment.parse::<u64>().unwrap() > 0);
        assert_eq!(supervisor.hears(), "READY=1");
    }
    server.wait_until("third reload", || {
        let reloads = |line: &&String| *line == "switchboard: reloaded";
        server.err.all().iter().filter(reloads).count() == 3
    });
    client.write_all(b"b\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    server.stop();
}

#[test]
fn the_watchdog_hears_that_all_is_well_also_while_nothing_happens() {
    let variables = [("WATCHDOG_USEC", "100000")];
    let (supervisor, server) = supervised(&variables, &["echo", "0"]);
    // A slow start may give signs of life before it is ready.
    let (mut ready, mut alive) = (false, 0);
    while !ready || alive < 3 {
        match &*supervisor.hears() {
            "WATCHDOG=1" => alive += 1,
            said => ready = said.starts_with("READY=1") && !ready || panic!("heard {said:?}"),
        }
    }
    server.stop();
}

#[test]
fn a_watchdog_for_another_process_hears_nothing() {
    let variables = [("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let (supervisor, mut server) = supervised(&variables, &["echo", "0"]);
    assert!(supervisor.hears().starts_with("READY=1"));
    drop(client(&server));
    server.err.wait_for("close");
    server.signal(Signal::TERM);
    assert!(supervisor.hears().starts_with("STOPPING=1"));
    assert_eq!(server.end().code(), Some(0));
}

/// What cannot be told is said once, and the server serves.
#[test]
fn a_supervisor_that_cannot_be_told_stops_nobody() {
    let rows = [
        ("NOTIFY_SOCKET", "/nowhere/at/all", "no such file or directory"),
        (
            "NOTIFY_SOCKET",
            "relative",
            "NOTIFY_SOCKET is \"relative\", not an absolute path or @NAME",
        ),
        ("WATCHDOG_USEC", "soon", "WATCHDOG_USEC is \"soon\", not a number from 1 up"),
    ];
    for (variable, value, why) in rows {
        let (port_file, mut command) = (fresh_path("port"), switchboard(&["serve", "--port-file"]));
        command.arg(&port_file).args(["echo", "0"]);
        command.env("NOTIFY_SOCKET", "/nowhere").env(variable, value);
        let server = Running::start(command, port_file);
        let line = server.err.wait_for("cannot tell");
        assert_eq!(line, format!("switchboard: cannot tell the service manager: {why}"));
        server.wait_until("the port file", || server.port_file().exists());
        drop(client(&server));
        server.signal(Signal::HUP);
        server.err.wait_for("reloaded");
        assert_eq!(server.err.all().iter().filter(|line| line.contains("cannot tell")).count(), 1);
        server.stop();
    }
}

/// Runs the program on a terminal of its own, says its number, and takes the terminal away when its
/// own input ends. Then it waits for the program and says how it ended.
const TERMINAL: &str = r#"
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
sys.stdin.read()
os.close(terminal)
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status), flush=True)
"#;

#[test]
fn a_server_whose_terminal_goes_ends_cleanly() {
    if !has("python3") {
        return;
    }
    let port_file = fresh_path("port");
    let program = switchboard(&["serve", "--port-file"]);
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL]).arg(program.get_program()).args(program.get_args());
    command.arg(&port_file).args(["echo", "0"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while !port_file.exists() {
        assert!(begun.elapsed() < LIMIT, "no port file");
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    drop(child.stdin.take());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    assert!(said.ends_with("\n0\n"), "{said}");
    assert!(!port_file.exists(), "the port file is left behind");
}
