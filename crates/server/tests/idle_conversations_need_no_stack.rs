//! A connection that goes request by request has a stack only while there is something to do. It is
//! the same connection before and after: it counts on, deadlines and a drain find it, and whatever
//! ends it is told. On every engine it behaves the same.

mod support;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use socket::Socket;
use support::{Serving, Watchdog, ask, on_every_engine, panics, read_all};
use switchboard::{Connection, Engine, Guards, Requests, Server, per_request};

on_every_engine! {
    requests_are_answered_one_after_the_other
    setup_comes_before_the_first_byte
    the_end_of_the_input_is_the_end
    a_panic_is_told_and_finish_still_runs
}

/// Numbers its requests. `who` is answered with the names of the coroutines beside it.
struct Numbered(usize);

impl Requests for Numbered {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        writeln!(connection, "ready")
    }

    fn request(&mut self, connection: &mut Connection) -> io::Result<bool> {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        self.0 += 1;
        match line.trim() {
            "panic" => panics("as asked"),
            "who" => {
                let names = coroutine::list().into_iter().map(|one| one.name);
                writeln!(connection, "{}", names.collect::<Vec<_>>().join(","))?;
            }
            other => writeln!(connection, "{} {other}", self.0)?,
        }
        Ok(line.trim() != "bye")
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        writeln!(connection, "{} in all", self.0)
    }
}

fn numbered(engine: Engine, guards: Guards) -> Serving {
    let server = Server::new().with_engine(engine).with_guards(guards).with_workers(1);
    Serving::start(server, |server| server.bind("127.0.0.1:0", per_request(|| Numbered(0))))
}

fn requests_are_answered_one_after_the_other(engine: Engine) {
    let server = numbered(engine, Guards::default());
    let client = server.client();
    assert_eq!(ask(&client, "a\n", 10), "ready\n1 a\n");
    assert_eq!(ask(&client, "b\nc\n", 8), "2 b\n3 c\n");
    client.send_all(b"bye\n").unwrap();
    assert_eq!(read_all(&client).unwrap(), b"4 bye\n4 in all\n");
    server.until(|counters| counters.closed == 1);
    assert!(server.told("reason: Finished"));
    server.stop().unwrap();
}

fn setup_comes_before_the_first_byte(engine: Engine) {
    let server = numbered(engine, Guards::default());
    let client = server.client();
    assert_eq!(ask(&client, "", 6), "ready\n");
    server.stop().unwrap();
}

fn the_end_of_the_input_is_the_end(engine: Engine) {
    let server = numbered(engine, Guards::default());
    let client = server.client();
    assert_eq!(ask(&client, "a\n", 10), "ready\n1 a\n");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_all(&client).unwrap(), b"1 in all\n");
    server.until(|counters| counters.closed == 1);
    assert!(server.told("reason: PeerClosed"));
    server.stop().unwrap();
}

fn a_panic_is_told_and_finish_still_runs(engine: Engine) {
    let server = numbered(engine, Guards::default());
    let client = server.client();
    client.send_all(b"panic\n").unwrap();
    assert_eq!(read_all(&client).unwrap(), b"ready\n1 in all\n");
    server.until(|counters| counters.closed == 1 && counters.panicked == 1);
    server.stop().unwrap();
}

/// A client that has been answered, and whose connection has no stack any more.
fn parked(server: &Serving) -> support::Client {
    let client = server.client();
    assert_eq!(ask(&client, "a\n", 10), "ready\n1 a\n");
    until_parked(server, "#1 ");
    client
}

/// Waits until the server's first connection is not among its coroutines.
fn until_parked(server: &Serving, connection: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    let asking = server.client();
    let line = |socket: &Socket| {
        let (mut line, mut byte) = (String::new(), [0]);
        while !line.ends_with('\n') {
            socket.recv_exact(&mut byte).unwrap();
            line.push(char::from(byte[0]));
        }
        line
    };
    line(&asking);
    loop {
        asking.send_all(b"who\n").unwrap();
        if !line(&asking).contains(connection) {
            return;
        }
        assert!(Instant::now() < end, "it is never parked");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_parked_connection_goes_on_where_it_was() {
    let _watchdog = Watchdog::new();
    let server = numbered(Engine::Coroutines, Guards::default());
    let client = parked(&server);
    assert_eq!(ask(&client, "b\n", 4), "2 b\n");
    until_parked(&server, "#1 ");
    assert_eq!(ask(&client, "c\nd\n", 8), "3 c\n4 d\n");
    client.send_all(b"bye\n").unwrap();
    assert_eq!(read_all(&client).unwrap(), b"5 bye\n5 in all\n");
    server.stop().unwrap();
}

#[test]
fn a_parked_connection_ends_as_any_other() {
    let _watchdog = Watchdog::new();
    let server = numbered(Engine::Coroutines, Guards::default());
    let client = parked(&server);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_all(&client).unwrap(), b"1 in all\n");
    server.until_told("reason: PeerClosed");
    server.stop().unwrap();
}

#[test]
fn a_drain_closes_a_parked_connection_at_once() {
    let _watchdog = Watchdog::new();
    let server = numbered(Engine::Coroutines, Guards::default());
    let client = parked(&server);
    server.control.shutdown();
    assert_eq!(read_all(&client).unwrap(), b"1 in all\n");
    let events = server.events.clone();
    server.stop().unwrap();
    assert!(events.lock().unwrap().iter().any(|event| event.contains("reason: Drained")));
}

#[test]
fn a_parked_connection_is_cut_off_with_the_rest() {
    let _watchdog = Watchdog::new();
    let server = numbered(Engine::Coroutines, Guards::default());
    let client = parked(&server);
    server.control.stop_now();
    // Said goodbye to or not: it is over.
    let _ = read_all(&client);
    let events = server.events.clone();
    let _ = server.stop();
    assert!(events.lock().unwrap().iter().any(|event| event.starts_with("Closed")));
}

#[test]
fn the_deadline_of_an_idle_connection_holds_while_it_is_parked() {
    let _watchdog = Watchdog::new();
    let guards = Guards { deadline_idle: Some(Duration::from_secs(4)), ..Guards::default() };
    let server = numbered(Engine::Coroutines, guards);
    let client = parked(&server);
    assert_eq!(read_all(&client).unwrap(), b"1 in all\n");
    server.until_told("reason: TimedOut(\"idle\")");
    server.stop().unwrap();
}
