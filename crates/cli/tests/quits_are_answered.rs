//! SIGQUIT, or Ctrl-\ at a terminal, has a server say what it is doing, on every engine and from
//! every process; and it goes on as if nothing had happened.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use support::{LIMIT, Running, fresh_path, python, switchboard};

fn client(server: &Running) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    asks(&mut client);
    client
}

/// Sends a line, and gets it back.
fn asks(client: &mut TcpStream) {
    client.write_all(b"a\n").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
}

fn ask(server: &Running) {
    server.signal(Signal::QUIT);
}

#[test]
fn every_engine_answers_and_goes_on() {
    for engine in ["serial", "threads", "processes", "coroutines"] {
        let server = Running::serve(&["-q", "--engine", engine, "echo", "0"]);
        let mut client = client(&server);
        ask(&server);
        let head = format!("process {} serves on {engine}: 1 open, 1 ", server.child_id());
        server.err.wait_for(&head);
        let peer = client.local_addr().unwrap();
        let line = server.err.wait_for(&format!("  #1 echo {peer} "));
        assert!(line.contains("open for ") && line.contains("in 2 B"), "{line}");
        if engine == "coroutines" {
            server.err.wait_for(&format!("\"echo #1 {peer}\" waits for input"));
        }
        asks(&mut client);
        drop(client);
        server.stop();
    }
}

#[test]
fn it_is_taken_also_where_it_was_ignored() {
    let port_file = fresh_path("port");
    let program = switchboard(&["serve", "--port-file"]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' QUIT; exec \"$0\" \"$@\""]).arg(program.get_program());
    command.args(program.get_args()).arg(&port_file).args(["echo", "0"]);
    let server = Running::start(command, port_file);
    server.err.wait_for("listening");
    ask(&server);
    server.err.wait_for("serves on coroutines: 0 open");
    server.stop();
}

#[test]
fn each_worker_process_answers_for_itself() {
    let server = Running::serve(&["--prefork", "1", "echo", "0"]);
    let mut client = client(&server);
    ask(&server);
    server.err.wait_for(&format!("process {} serves nobody itself, 1 process", server.child_id()));
    server.err.wait_for(" serves on coroutines: 1 open, 1 ");
    server.err.wait_for(&format!("#1 echo {} ", client.local_addr().unwrap()));
    server.err.wait_for("  worker 0: ");
    asks(&mut client);
    drop(client);
    server.stop();
}

#[test]
fn a_server_that_stops_says_so() {
    let mut server = Running::serve(&["--grace", "10m", "hello", "0", "--delay", "10m"]);
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.write_all(b"you\n").unwrap();
    server.err.wait_for("open");
    server.signal(Signal::TERM);
    server.err.wait_for("stopping; 1 open");
    // Until the handler has heard what was said to it, it is between two requests.
    server.wait_until("1 open, 1 working, stopping", || {
        ask(&server);
        server.err.all().iter().any(|line| line.contains("1 open, 1 working, stopping"))
    });
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(143));
}

#[test]
fn json_is_a_line_for_each() {
    let server = Running::serve(&["--json", "-q", "--workers", "1", "echo", "0"]);
    let mut client = client(&server);
    ask(&server);
    // The last of them.
    let name = format!("echo #1 {}", client.local_addr().unwrap());
    server.out.wait_for(&format!("\"name\":\"{name}\""));
    let lines: Vec<serde_json::Value> =
        server.out.all().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["t"].as_str().unwrap()).collect();
    let [head, connection, worker, main, coroutine] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        kinds,
        [
            "described",
            "described_connection",
            "described_worker",
            "described_coroutine",
            "described_coroutine"
        ]
    );
    assert_eq!((&head["engine"], &head["open"]), (&"coroutines".into(), &1.into()));
    assert_eq!(connection["peer"], client.local_addr().unwrap().to_string());
    assert_eq!((&connection["received_bytes"], &connection["id"]), (&2.into(), &1.into()));
    assert_eq!((&worker["answered"], &worker["coroutines"]), (&true.into(), &2.into()));
    let (touched, deepest) = (&coroutine["touched_bytes"], &worker["deepest_bytes"]);
    assert!(0 < touched.as_u64().unwrap() && touched.as_u64() <= deepest.as_u64());
    assert_eq!((&main["name"], &coroutine["name"]), (&"main".into(), &name.into()));
    asks(&mut client);
    drop(client);
    server.stop();
}

/// Runs the program on a terminal of its own, has a worker serve somebody, types Ctrl-\ and then
/// Ctrl-C, and prints what was on the screen.
const TERMINAL: &str = r#"
import os, pty, socket, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
screen = b''
def see(part):
    global screen
    while part not in screen:
        screen += os.read(terminal, 4096)
see(b'listening on tcp://127.0.0.1:')
see(b' (engine')
port = int(screen.split(b'127.0.0.1:')[1].split()[0])
client = socket.create_connection(('127.0.0.1', port))
client.sendall(b'a\n')
assert client.recv(2) == b'a\n'
os.write(terminal, b'\x1c')
see(b'serves nobody itself')
see(b'serves on')
see(b'worker 0: ')
client.sendall(b'b\n')
assert client.recv(2) == b'b\n'
client.close()
see(b'close')
os.write(terminal, b'\x03')
try:
    while True:
        data = os.read(terminal, 4096)
        screen += data
        if not data:
            break
except OSError:
    pass
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status), screen.count(b'serves on'), screen.count(b'itself'))
"#;

/// The terminal tells all processes by itself, so the supervisor must not do so again.
#[test]
fn at_a_terminal_each_process_answers_once() {
    let program = switchboard(&["serve", "--prefork", "1", "echo", "0"]);
    let words: Vec<_> = [program.get_program()].into_iter().chain(program.get_args()).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    if let Some(said) = python(TERMINAL, &words) {
        assert_eq!(said, "0 1 1\n");
    }
}
