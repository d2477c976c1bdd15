//! The Python clients of the socket tutorials get, to the byte, the answers that those show.
//!
//! The greeting server is `hello --raw`, the server of capitals is `upper`. The clients are those
//! of the tutorials in the spelling of Python 3, with host and port as arguments.

mod support;

use support::{Running, python};

const ENGINES: [&str; 4] = ["serial", "threads", "processes", "coroutines"];

/// The client of the greeting server.
const HELLO_CLIENT: &str = r"
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(('127.0.0.1', int(sys.argv[1])))
print(s.recv(1024).decode('utf-8'))
for data in [b'michael', b'tracy', b'sarah']:
    s.send(data)
    print(s.recv(1024).decode('utf-8'))
s.send(b'exit')
print(s.recv(1024))
s.close()
";

/// One message, one answer.
const UPPER_CLIENT: &str = r"
import socket, sys
phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.connect(('127.0.0.1', int(sys.argv[1])))
phone.send('hello'.encode('utf-8'))
print('has send===========>')
data = phone.recv(1024)
print('has recv===========>')
print(data)
phone.close()
";

/// One message after the other; an empty one is not sent (the second improvement).
const UPPER_LOOP_CLIENT: &str = r"
import socket, sys
phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.connect(('127.0.0.1', int(sys.argv[1])))
for msg in ['aaa', '', 'bbb', 'ccc']:
    msg = msg.strip()
    if not msg:
        continue
    phone.send(msg.encode('utf-8'))
    print('has send===========>')
    data = phone.recv(1024)
    print('has recv===========>')
    print(data)
phone.close()
";

#[test]
fn the_hello_client_is_greeted_by_name() {
    for engine in ENGINES {
        let server = Running::serve(&["--engine", engine, "hello", "127.0.0.1:0", "--raw"]);
        let port = server.port().to_string();
        let answers = "welcome!\nhello, michael!\nhello, tracy!\nhello, sarah!\nb''\n";
        for _ in 0..2 {
            let Some(printed) = python(HELLO_CLIENT, &[&port]) else { return };
            assert_eq!(printed, answers, "{engine}");
        }
        server.stop();
    }
}

#[test]
fn the_upper_clients_get_capitals() {
    for engine in ENGINES {
        let server = Running::serve(&["--engine", engine, "upper", "127.0.0.1:0"]);
        let port = server.port().to_string();
        let Some(printed) = python(UPPER_CLIENT, &[&port]) else { return };
        assert_eq!(printed, "has send===========>\nhas recv===========>\nb'HELLO'\n", "{engine}");
        // The improved server serves the next client too, and every message of it.
        let exchange = |answer| format!("has send===========>\nhas recv===========>\n{answer}\n");
        let expected = ["b'AAA'", "b'BBB'", "b'CCC'"].map(exchange).concat();
        for _ in 0..2 {
            assert_eq!(python(UPPER_LOOP_CLIENT, &[&port]).as_ref(), Some(&expected), "{engine}");
        }
        server.stop();
    }
}

#[test]
fn the_second_client_of_a_serial_server_waits_for_the_first() {
    let server = Running::serve(&["--engine", "serial", "hello", "127.0.0.1:0", "--raw"]);
    let program = r"
import socket, sys
first = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
assert first.recv(1024) == b'welcome!'
second = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
second.settimeout(0.2)
try:
    print(second.recv(1024))
except TimeoutError:
    print('waits')
first.close()
second.settimeout(30)
print(second.recv(1024))
";
    let Some(printed) = python(program, &[&server.port().to_string()]) else { return };
    assert_eq!(printed, "waits\nb'welcome!'\n");
    server.stop();
}
