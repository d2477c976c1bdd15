//! Sockets that somebody opened before the program started are served: those of a service manager
//! by their names, any by its number. The launcher is a few lines of Python, which leave sockets at
//! the descriptors from 3 on and become the program.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::process::Signal;
use support::{LIMIT, Running, fresh_path, has, run, switchboard, told};

/// Opens what the words before `--` say, `KIND=WHERE`, and executes what comes after. `NAME=VALUE`
/// in capitals is a variable; `LISTEN_PID=own` stands for its own number, which exec keeps.
const LAUNCHER: &str = r#"
import fcntl, os, socket, sys
words = sys.argv[1:]
split = words.index('--')
fds = []
for word in words[:split]:
    kind, where = word.split('=', 1)
    if kind.isupper() or '_' in kind:
        os.environ[kind] = str(os.getpid()) if where == 'own' else where
        continue
    if kind == 'file':
        fds.append(os.open('/dev/null', os.O_RDONLY))
        continue
    family = socket.AF_UNIX if kind == 'unix' else socket.AF_INET
    type = socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM
    s = socket.socket(family, type)
    if kind == 'connection':
        t = socket.create_server(('127.0.0.1', 0))
        s.connect(t.getsockname())
        fcntl.fcntl(t, fcntl.F_DUPFD, 200)
    else:
        s.bind(where if kind == 'unix' else ('127.0.0.1', 0))
    if kind in ('tcp', 'unix'):
        s.listen()
    fds.append(s.detach())
fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
for at, fd in enumerate(fds):
    os.dup2(fd, 3 + at)
    os.close(fd)
os.execv(words[split + 1], words[split + 1:])
"#;

/// The program as the launcher starts it; `None` without Python.
fn launched(opened: &[&str], args: &[&str]) -> Option<Command> {
    if !has("python3") {
        return None;
    }
    let program = switchboard(args);
    let mut command = Command::new("python3");
    command.args(["-c", LAUNCHER]).args(opened).arg("--");
    command.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Some(command)
}

/// The same as a service manager does it: the names, with colons between them.
fn activated(opened: &[&str], names: &str, args: &[&str]) -> Option<Running> {
    let (names, count) =
        (format!("LISTEN_FDNAMES={names}"), format!("LISTEN_FDS={}", opened.len()));
    let variables = ["LISTEN_PID=own", &count, &names];
    let command = launched(&[&variables, opened].concat(), args)?;
    Some(Running::start(command, fresh_path("none")))
}

/// Where each listener of a server is, as `service address`, from its lines of JSON.
fn listening(server: &Running, count: usize) -> Vec<String> {
    let lines = || server.out.all().into_iter().filter(|line| line.contains("\"listening\""));
    server.wait_until("line for each listener", || lines().count() == count);
    let told = lines().map(|line| {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        format!("{} {}", object["service"], object["address"]).replace('"', "")
    });
    told.collect()
}

fn port(line: &str) -> u16 {
    line.rsplit(':').next().unwrap().parse().unwrap()
}

fn echoes(mut stream: impl Read + Write) {
    stream.write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
}

#[test]
fn sockets_of_a_services_name_are_served_in_place_of_its_ports() {
    let path = fresh_path("activated");
    let unix = format!("unix={}", path.display());
    let opened = ["tcp=", "udp=", &unix];
    let args = ["serve", "--json", "echo"];
    let Some(server) = activated(&opened, "echo:echo:echo.socket", &args) else { return };
    let lines = listening(&server, 3);
    assert!(lines[0].starts_with("echo tcp://127.0.0.1:"), "{lines:?}");
    assert!(lines[1].starts_with("echo udp://127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[2], format!("echo unix://{}", path.display()));
    echoes(TcpStream::connect(("127.0.0.1", port(&lines[0]))).unwrap());
    echoes(UnixStream::connect(&path).unwrap());
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(LIMIT)).unwrap();
    udp.send_to(b"hello", ("127.0.0.1", port(&lines[1]))).unwrap();
    assert_eq!(udp.recv(&mut [0; 9]).unwrap(), 5);
    server.stop();
    assert!(path.exists(), "whoever made the path removes it");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn they_are_closed_on_exec() {
    let Some(server) = activated(&["tcp="], "echo", &["serve", "--json", "echo"]) else { return };
    listening(&server, 1);
    let pid = server.pid().as_raw_nonzero();
    let about = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/3")).unwrap();
    let flags = about.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    const O_CLOEXEC: u32 = 0o2_000_000;
    assert_ne!(u32::from_str_radix(flags, 8).unwrap() & O_CLOEXEC, 0, "{about}");
    server.stop();
}

#[test]
fn the_board_takes_those_named_after_its_services() {
    let opened = ["tcp=", "tcp="];
    let Some(board) = activated(&opened, "upper:strange", &["serve", "--json"]) else { return };
    let listeners: usize = services::ALL.iter().map(|row| row.schemes.len()).sum();
    let lines = listening(&board, listeners);
    let upper: Vec<_> = lines.iter().filter(|line| line.starts_with("upper ")).collect();
    assert_eq!(upper.len(), 1);
    let mut stream = TcpStream::connect(("127.0.0.1", port(upper[0]))).unwrap();
    stream.write_all(b"loud").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"LOUD");
    board.err.wait_for("switchboard: socket \"strange\" is of no service here");
    drop(stream);
    board.stop();
}

#[test]
fn one_service_takes_whatever_is_passed() {
    for names in ["unknown", "web"] {
        let Some(server) = activated(&["tcp="], names, &["serve", "--json", "echo"]) else {
            return;
        };
        let lines = listening(&server, 1);
        echoes(TcpStream::connect(("127.0.0.1", port(&lines[0]))).unwrap());
        server.stop();
    }
}

#[test]
fn what_is_for_another_process_is_ignored() {
    for pid in ["1", "4294967295", "99999999999"] {
        let pid = format!("LISTEN_PID={pid}");
        let opened = [pid.as_str(), "LISTEN_FDS=1", "tcp="];
        let Some(command) = launched(&opened, &["serve", "--json", "echo", "0"]) else { return };
        let server = Running::start(command, fresh_path("none"));
        let lines = listening(&server, 1);
        echoes(TcpStream::connect(("127.0.0.1", port(&lines[0]))).unwrap());
        server.stop();
    }
}

/// What is promised and opened, and what is said about it, after `socket activation: `.
const HOSTILE: &[(&[&str], &str)] = &[
    (&["LISTEN_FDS=x"], "LISTEN_FDS is \"x\", which is not a number"),
    (&["LISTEN_FDS=-1"], "LISTEN_FDS is \"-1\", which is not a number"),
    (&["LISTEN_FDS=2147483647"], "LISTEN_FDS is 2147483647, 65536 is the most"),
    (&["LISTEN_FDS=1"], "LISTEN_FDS=1: descriptor 3: Bad file descriptor"),
    (&["LISTEN_FDS=2", "tcp="], "LISTEN_FDS=2: descriptor 4: Bad file descriptor"),
    (
        &["LISTEN_FDS=1", "LISTEN_FDNAMES=a:b", "tcp="],
        "LISTEN_FDNAMES has 2 names for LISTEN_FDS=1 sockets",
    ),
    (
        &["LISTEN_FDS=1", "LISTEN_FDNAMES=\u{7}", "tcp="],
        "LISTEN_FDNAMES has \"\\x07\", which is not a name",
    ),
    (&["LISTEN_FDS=1", "file="], "descriptor 3 (unknown): socket operation on non-socket"),
    (&["LISTEN_FDS=1", "connection="], "descriptor 3 (unknown): it is not a listener"),
    (&["LISTEN_FDS=1", "bound="], "descriptor 3 (unknown): it is not a listener"),
];

#[test]
fn what_cannot_be_true_is_refused_in_one_line() {
    for (opened, why) in HOSTILE {
        let opened = [&["LISTEN_PID=own"], *opened].concat();
        let Some(mut command) = launched(&opened, &["serve", "echo"]) else { return };
        let output = run(&mut command, b"");
        let line = format!("switchboard: socket activation: {why}\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), line, "{opened:?}");
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    }
}

#[test]
fn an_address_can_be_a_descriptor() {
    let named = ["LISTEN_PID=own", "LISTEN_FDS=2", "LISTEN_FDNAMES=a:b", "tcp=", "tcp="];
    let rows: [(&[&str], &str); 4] =
        [(&["tcp="], "fd:3"), (&["bound="], "fd:3"), (&named, "fd:4"), (&named, "fd:b")];
    for (opened, address) in rows {
        let Some(command) = launched(opened, &["serve", "--json", "echo", address]) else { return };
        let server = Running::start(command, fresh_path("none"));
        let lines = listening(&server, 1);
        echoes(TcpStream::connect(("127.0.0.1", port(&lines[0]))).unwrap());
        server.stop();
    }
}

#[test]
fn a_descriptor_that_cannot_be_served_is_refused() {
    let rows: [(&[&str], &[&str], &str); 6] = [
        (&[], &["echo", "fd:99"], "take fd:99: bad file descriptor (it must be a socket"),
        (&["file="], &["echo", "fd:3"], "take fd:3: socket operation on non-socket"),
        (&["connection="], &["echo", "fd:3"], "it is a connection, not a listener"),
        (&[], &["echo", "fd:web"], "take fd:web: no socket of that name was passed"),
        (&["udp="], &["hello", "fd:3"], "it does not speak udp (try tcp)"),
        (&["tcp="], &["echo", "fd:3x"], "\"3x\" is not a descriptor number"),
    ];
    for (opened, args, why) in rows {
        let Some(mut command) = launched(opened, &[&["serve"], args].concat()) else { return };
        let output = run(&mut command, b"");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why) && said.lines().count() == 1, "{args:?}: {said}");
        assert_ne!(output.status.code(), Some(0));
    }
}

/// The launcher keeps no copy, so when the server lets go of the socket nobody has it.
#[test]
fn a_server_that_stops_lets_go_of_its_socket() {
    let args = ["serve", "--json", "--grace", "10m", "hello", "--delay", "10m"];
    let Some(mut server) = activated(&["tcp="], "hello", &args) else { return };
    let port = port(&listening(&server, 1)[0]);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.read_exact(&mut [0; 9]).unwrap();
    client.write_all(b"never\n").unwrap();
    server.signal(Signal::TERM);
    server.out.wait_for("drain_began");
    server.wait_until("refusal", || {
        let again = TcpStream::connect(("127.0.0.1", port));
        again.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(143));
}

#[test]
fn systemds_own_launcher_is_understood() {
    const TOOL: &str = "systemd-socket-activate";
    if Command::new(TOOL).arg("--version").output().is_err() {
        return eprintln!("not tested: {TOOL} is not installed");
    }
    let path = fresh_path("systemd");
    let mut command = Command::new(TOOL);
    command.arg("-l").arg(&path).args(["--fdname=echo", "-E", "NO_COLOR=1"]);
    command.arg(switchboard(&[]).get_program()).args(["serve", "--json", "echo"]);
    let server = Running::start(command, fresh_path("none"));
    // It starts the program when the first client comes, which it can when it listens: later than
    // there is a path.
    let mut client = None;
    server.wait_until("socket", || {
        client = UnixStream::connect(&path).ok();
        client.is_some()
    });
    echoes(client.unwrap());
    assert_eq!(listening(&server, 1), [format!("echo unix://{}", path.display())]);
    server.stop();
    std::fs::remove_file(path).unwrap();
}
