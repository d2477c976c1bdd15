//! Ten thousand connections, open at once on coroutines, and each is answered: by the program in a
//! process of its own, since client and server together need twice the descriptors.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Running, skip};

const CONNECTIONS: usize = 10_000;
/// Descriptors that are needed besides.
const OTHERS: u64 = 200;

#[test]
fn ten_thousand_connections_are_open_and_each_is_answered() {
    let limit = getrlimit(Resource::Nofile);
    let needed = CONNECTIONS as u64 + OTHERS;
    if limit.maximum.is_some_and(|most| most < needed) {
        return skip("ten thousand connections need as many descriptors");
    }
    // The server inherits it.
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).unwrap();

    let args = [
        "--engine",
        "coroutines",
        "--max-per-ip",
        "20000",
        "--first-byte",
        "5m",
        "-q",
        "echo",
        "127.0.0.1:0",
    ];
    let server = Running::serve(&args);
    let port = server.port();
    let mut clients: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for round in 0..2 {
        for (number, client) in clients.iter_mut().enumerate() {
            writeln!(client, "{round} {number:>8}").unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let mut answer = [0; 11];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(String::from_utf8_lossy(&answer), format!("{round} {number:>8}\n"));
        }
    }
    drop(clients);
    server.stop();
}
