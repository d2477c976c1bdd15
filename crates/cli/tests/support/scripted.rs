//! Servers that say exactly what a test wants said, and real ones in Python.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread::{self, JoinHandle};

use socket::{Family, Socket, Type};

use super::{LIMIT, Running, fresh_path, has};

/// A listener on a free port of loopback.
pub(crate) fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port where nobody listens, as long as the socket that has it is kept.
pub(crate) fn nobody() -> (Socket, u16) {
    let held = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    held.bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let port = held.getsockname().unwrap().as_inet().unwrap().port();
    (held, port)
}

/// The next client, who does not wait for ever.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    let (client, _) = listener.accept().unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.set_write_timeout(Some(LIMIT)).unwrap();
    client
}

/// Reads a head of HTTP, and no further.
pub(crate) fn read_head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// A server that gives each client the next of these answers and closes. It ends when all have been
/// given, and then says what it was asked.
pub(crate) fn answers(answers: Vec<Vec<u8>>) -> (u16, JoinHandle<Vec<String>>) {
    let (listener, port) = listen();
    let body = move || {
        let one = |answer: Vec<u8>| {
            let mut client = accept(&listener);
            let head = read_head(&mut client);
            // The client may have heard enough.
            let _ = client.write_all(&answer);
            head
        };
        answers.into_iter().map(one).collect()
    };
    (port, thread::spawn(body))
}

/// Runs a Python program that prints `port N` once it listens. `None` where there is no Python.
pub(crate) fn python_server(program: &str, args: &[&str]) -> Option<(Running, u16)> {
    if !has("python3") {
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-u", "-c", program]).args(args);
    let running = Running::start(command, fresh_path("none"));
    let line = running.out.wait_for("port ");
    let port = line.strip_prefix("port ").unwrap().parse().unwrap();
    Some((running, port))
}

/// Files of a folder, by Python's own server, on the address given as the second argument.
pub(crate) const FILES: &str = r#"
import functools, http.server, socket, sys
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
handler = functools.partial(Handler, directory=sys.argv[1])
server = Server((sys.argv[2], 0), handler)
print("port", server.server_port)
server.serve_forever()
"#;
