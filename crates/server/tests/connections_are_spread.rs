//! Few connections are spread over all workers of the coroutine engine, whoever accepts them, and
//! none waits for a worker that a handler holds.

mod support;

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};

use support::{Client, Serving, Watchdog, ask};
use switchboard::socket::{ServerOptions, create_server};
use switchboard::{Connection, Engine, Result, Server};

const WORKERS: usize = 4;

fn workers(count: usize) -> Server {
    Server::new().with_engine(Engine::Coroutines).with_workers(count)
}

/// Says which worker it is on, for each line.
fn worker(connection: &mut Connection) -> io::Result<()> {
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 {
        let thread = std::thread::current();
        connection.write_all(thread.name().expect("workers have names").as_bytes())?;
        line.clear();
    }
    Ok(())
}

fn worker_of(client: &Client) -> String {
    ask(client, "where?\n", "worker 0".len())
}

/// Connections that come one after the other.
fn few_have_a_worker_each(bind: impl FnOnce(&mut Server) -> Result<&mut Server>) {
    let _watchdog = Watchdog::new();
    let server = Serving::start(workers(WORKERS), bind);
    let spread = |count: usize| {
        let arrive = |_| {
            let client = server.client();
            (worker_of(&client), client)
        };
        let (places, clients): (Vec<_>, Vec<_>) = (0..count).map(arrive).unzip();
        let again: Vec<_> = clients.iter().map(worker_of).collect();
        assert_eq!(places, again, "what has begun stays where it is");
        drop(clients);
        server.until(|counters| counters.open() == 0);
        places.iter().collect::<HashSet<_>>().len() == WORKERS
    };
    for round in 1..=2 {
        // A worker that has no turn for a while has its connection taken off it.
        assert!((0..20).any(|_| spread(WORKERS * round)), "they are not spread");
    }
    server.stop().unwrap();
}

#[test]
fn on_tcp() {
    few_have_a_worker_each(|server| server.bind("127.0.0.1:0", worker));
}

#[test]
fn on_unix_sockets() {
    let path = std::env::temp_dir().join(format!("switchboard-spread-{}", std::process::id()));
    few_have_a_worker_each(|server| server.bind(format!("unix:{}", path.display()), worker));
}

#[test]
fn on_a_socket_that_was_given() {
    let options = ServerOptions::default();
    let socket = create_server("127.0.0.1:0", &options).unwrap();
    few_have_a_worker_each(|server| server.bind_socket(socket, worker));
}

/// A handler that blocks its worker, which none should, and says so first.
fn hold(
    held: &mpsc::Sender<()>,
    release: &Mutex<Receiver<()>>,
    connection: &mut Connection,
) -> io::Result<()> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    if line == "hold\n" {
        held.send(()).expect("the test listens");
        // Fails when the test lets go.
        let _ = release.lock().unwrap().recv();
    }
    connection.write_all(b"done\n")?;
    // Stays until its peer leaves.
    connection.fill_buf().map(drop)
}

#[test]
fn a_worker_that_is_held_keeps_nobody_waiting() {
    let _watchdog = Watchdog::new();
    let (held, is_held) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let handler = move |connection: &mut Connection| hold(&held, &released, connection);
    let server = Serving::start(workers(2), |server| server.bind("127.0.0.1:0", handler));
    let first = server.client();
    first.send_all(b"hold\n").unwrap();
    is_held.recv().unwrap();
    // The other worker has all of them: the first of those that it would rather hand over comes
    // back, the later ones are not even handed over.
    let clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    for client in &clients {
        assert_eq!(ask(client, "go on\n", 5), "done\n");
    }
    assert_eq!(server.control.counters().opened, 9);
    drop(release);
    let mut answer = [0; 5];
    first.recv_exact(&mut answer).unwrap();
    drop((first, clients));
    server.stop().unwrap();
}
