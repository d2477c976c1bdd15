//! A server says when and where it is ready: a line, a file, JSON. Scripts depend on each word.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use support::{Running, fresh_path, has, run, switchboard, told};

#[test]
fn the_first_line_says_what_listens_where() {
    let server = Running::serve(&["echo", "127.0.0.1:0"]);
    let port = server.port();
    let line = server.err.wait_for("listening");
    let start = format!("switchboard: echo listening on tcp://127.0.0.1:{port} (engine ");
    let engine = line.strip_prefix(&start).expect(&line).trim_end_matches(')');
    let parts: Vec<_> = engine.split(", ").collect();
    assert_eq!(parts[0], "coroutines", "{line}");
    assert!(parts[1] == "io_uring" || parts[1].starts_with("epoll"), "{line}");
    assert!(parts[2].ends_with(" worker") || parts[2].ends_with(" workers"), "{line}");
    assert_eq!(server.err.all()[0], line);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    let file = std::fs::read_to_string(server.port_file()).unwrap();
    assert_eq!(file, format!("{port}\n"));
    server.stop();
}

/// Denies `io_uring_setup(2)` by a filter, with this errno, and becomes the program.
const DENIED: &str = "
import ctypes, os, struct, sys
errno = 0x50000 | int(sys.argv[1])
rows = (0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, errno), (0x06, 0, 0, 0x7fff0000)
filter = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *row) for row in rows))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
program = Program(len(rows), ctypes.addressof(filter))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.byref(program)) == 0
os.execv(sys.argv[2], sys.argv[2:])
";

#[test]
fn a_server_that_is_denied_a_ring_says_so_once_and_serves() {
    if !has("python3") {
        return;
    }
    // As `kernel.io_uring_disabled` or the filter of a container does it, a kernel without rings,
    // and one with less of them. `errno(3)`.
    let rows = [("1", "denied"), ("38", "not in this kernel"), ("22", "this kernel's is older")];
    rows.into_iter().for_each(|(errno, why)| serves_without_a_ring(errno, why));
}

fn serves_without_a_ring(errno: &str, why: &str) {
    let port_file = fresh_path("port");
    let mut command = Command::new("python3");
    command.args(["-c", DENIED, errno, env!("CARGO_BIN_EXE_switchboard"), "serve", "echo", "0"]);
    command.args(["--workers", "2"]).env("SWITCHBOARD_PORT_FILE", &port_file);
    command.env("SWITCHBOARD_DRIVER", "uring");
    let server = Running::start(command, port_file);
    let line = server.err.wait_for("listening");
    assert!(line.contains(&format!("coroutines, epoll (io_uring: {why}")), "{line}");
    server.wait_until("the port file", || server.port_file().exists());
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
    drop(stream);
    server.err.wait_for("close");
    assert_eq!(server.err.all().iter().filter(|line| line.contains("io_uring")).count(), 1);
    server.stop();

    let mut doctor = Command::new("python3");
    doctor.args(["-c", DENIED, errno, env!("CARGO_BIN_EXE_switchboard"), "doctor"]);
    let output = run(&mut doctor, b"");
    let table = String::from_utf8(output.stdout).unwrap();
    let line = table.lines().find(|line| line.starts_with("coroutine driver")).unwrap();
    assert!(line.contains(&format!("epoll (io_uring: {why}")) && line.contains("note"), "{line}");
}

/// Becomes the program, and may lock so many bytes of memory, root or not.
const LIMITED: &str = "
import ctypes, os, resource, sys
ctypes.CDLL(None).prctl(24, 14, 0, 0, 0)
resource.setrlimit(resource.RLIMIT_MEMLOCK, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
";

#[test]
fn workers_that_find_no_memory_for_a_ring_say_so_once_and_serve() {
    const FEW: &str = "200000";
    let limited = |limit: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", LIMITED, limit, env!("CARGO_BIN_EXE_switchboard")]);
        command.env("SWITCHBOARD_DRIVER", "uring");
        command
    };
    let counts = |table: &str| table.contains("RLIMIT_MEMLOCK");
    // There are kernels that count rings elsewhere.
    if !has("python3")
        || !counts(&String::from_utf8_lossy(&run(limited("0").arg("doctor"), b"").stdout))
    {
        return;
    }
    let port_file = fresh_path("port");
    let mut command = limited(FEW);
    command.args(["serve", "echo", "0", "--workers", "4"]);
    command.env("SWITCHBOARD_PORT_FILE", &port_file);
    let server = Running::start(command, port_file);
    server.err.wait_for("listening");
    server.wait_until("the port file", || server.port_file().exists());
    let mut clients: Vec<_> =
        (0..20).map(|_| TcpStream::connect(("127.0.0.1", server.port())).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }
    drop(clients);
    server.err.wait_for("close");
    // Told in the first line, if it was short even for the first ring, and else of a worker.
    let told = server.err.all().into_iter().filter(|line| counts(line)).collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{told:?}");
    server.stop();
}

#[test]
fn the_driver_is_the_one_asked_for() {
    let port_file = fresh_path("port");
    let mut command = switchboard(&["serve", "echo", "0", "--workers", "1"]);
    command.env("SWITCHBOARD_DRIVER", "epoll").env("SWITCHBOARD_PORT_FILE", &port_file);
    let server = Running::start(command, port_file);
    let line = server.err.wait_for("listening");
    assert!(line.ends_with("(engine coroutines, epoll, 1 worker)"), "{line}");
    server.stop();
}

#[test]
fn the_engine_is_the_one_asked_for_by_flag_before_variable() {
    for (variable, flag, runs) in
        [("serial", None, "serial"), ("serial", Some("threads"), "threads")]
    {
        let port_file = fresh_path("port");
        let mut command = switchboard(&["serve", "upper", "0"]);
        command.env("SWITCHBOARD_ENGINE", variable).env("SWITCHBOARD_PORT_FILE", &port_file);
        if let Some(flag) = flag {
            command.args(["--engine", flag]);
        }
        let server = Running::start(command, port_file);
        let line = server.err.wait_for("listening");
        assert!(line.ends_with(&format!("(engine {runs})")), "{line}");
        server.wait_until("the port file", || server.port_file().exists());
        server.stop();
    }
}

#[test]
fn json_goes_to_stdout_one_object_a_line() {
    let server = Running::serve(&["--json", "hello", "127.0.0.1:0"]);
    let port = server.port();
    let listening = server.out.wait_for("listening");
    let place = format!(r#""address":"tcp://127.0.0.1:{port}""#);
    let expected =
        format!(r#"{{"v":1,"t":"listening","service":"hello",{place},"engine":"coroutines","#);
    assert!(listening.starts_with(&expected), "{listening}");
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    server.out.wait_for(r#""t":"closed""#);
    let lines = server.out.clone();
    server.stop();
    for line in lines.all() {
        let object: serde_json::Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(object["v"], 1, "{line}");
        assert!(object["t"].is_string(), "{line}");
        if object["t"] == "closed" {
            assert_eq!(object["sent_bytes"], "welcome!\n".len(), "{line}");
            assert!(object["elapsed_us"].is_u64(), "{line}");
        }
    }
}

#[test]
fn one_line_per_connection_opened_and_closed() {
    let server = Running::serve(&["-v", "echo", "127.0.0.1:0"]);
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let peer = client.local_addr().unwrap();
    client.write_all(b"four").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    drop(client);
    let closed = server.err.wait_for("close");
    assert!(closed.starts_with(&format!("#1 {peer} close ")), "{closed}");
    assert!(closed.ends_with(" in 4 B out 4 B (peer closed)"), "{closed}");
    let lines = server.err.all();
    for line in
        [format!("#1 {peer} open"), format!("#1 {peer} in 4 B"), format!("#1 {peer} out 4 B")]
    {
        assert!(lines.contains(&line), "{line} is not in {lines:?}");
    }
    server.stop();
}

#[test]
fn quiet_says_nothing_where_nothing_is_wrong() {
    let server = Running::serve(&["-q", "echo", "127.0.0.1:0"]);
    drop(TcpStream::connect(("127.0.0.1", server.port())).unwrap());
    let (err, out) = (server.err.clone(), server.out.clone());
    server.stop();
    assert_eq!((err.all(), out.all()), (vec![], vec![]));
}

#[test]
fn without_an_address_echo_is_on_tcp_and_udp_of_one_port() {
    let output = run(switchboard(&["services", "--json"]).env_remove("NO_COLOR"), b"");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(r#""name":"echo""#), "{}", told(&output));
    assert!(text.contains(r#""port":7007,"schemes":["tcp","udp"]"#), "{}", told(&output));
}

#[test]
fn a_server_for_the_network_says_where_it_is_reached() {
    let server = Running::serve(&["--lan", "upper", "0"]);
    let port = server.port();
    server.err.wait_for(&format!("upper listening on tcp://0.0.0.0:{port} "));
    server.err.wait_for(&format!("upper reached at tcp://127.0.0.1:{port}"));
    server.stop();
}
