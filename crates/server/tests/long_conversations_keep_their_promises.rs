//! A connection that has gone on for a while is answered by a shorter way than a new one. Nothing
//! of what a server promises is different there: deadlines, the drain, the cut, the counters, and
//! that a peer which does not read gets all of it later.

mod support;

use std::io::{self, BufRead, Write};
use std::net::Shutdown;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use socket::Socket;
use support::{Client, Pattern, Serving, Watchdog, on_every_engine, read_all, serve};
use switchboard::{Connection, Engine, Guards, Handler, Requests, Server, Service, per_request};

on_every_engine! {
    an_idle_one_is_ended_by_its_deadline
    a_deadline_that_its_handler_changes_counts_from_then_on
    a_drain_ends_it_between_two_requests
    it_is_cut_off_with_the_rest
}

/// Answers with what came, up to the end of its input. `!` shortens the deadline.
struct Echo;

impl Requests for Echo {
    fn request(&mut self, connection: &mut Connection) -> io::Result<bool> {
        let mut shortens = false;
        connection.answer(|bytes, out| {
            shortens = bytes.contains(&b'!');
            out.write_all(bytes).map(|()| bytes.len())
        })?;
        if shortens {
            connection.set_deadline_idle(Some(Duration::from_millis(50)));
        }
        Ok(true)
    }
}

fn echo() -> impl Service {
    per_request(|| Echo)
}

/// A client that has been answered many times.
fn long_since(server: &Serving) -> Client {
    let client = server.client();
    for round in 0..50 {
        let text = format!("round {round}");
        assert_eq!(support::ask(&client, &text, text.len()), text);
    }
    client
}

fn an_idle_one_is_ended_by_its_deadline(engine: Engine) {
    let guards = Guards { deadline_idle: Some(Duration::from_secs(2)), ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, echo());
    let client = long_since(&server);
    assert_eq!(read_all(&client).unwrap(), b"");
    server.until_told("reason: TimedOut(\"idle\")");
    server.stop().unwrap();
}

fn a_deadline_that_its_handler_changes_counts_from_then_on(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), echo());
    let client = long_since(&server);
    assert_eq!(support::ask(&client, "!", 1), "!");
    assert_eq!(read_all(&client).unwrap(), b"");
    server.until_told("reason: TimedOut(\"idle\")");
    server.stop().unwrap();
}

fn a_drain_ends_it_between_two_requests(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), echo());
    let client = long_since(&server);
    server.control.shutdown();
    assert_eq!(read_all(&client).unwrap(), b"");
    let events = server.events.clone();
    server.stop().unwrap();
    assert!(events.lock().unwrap().iter().any(|event| event.contains("reason: Drained")));
}

fn it_is_cut_off_with_the_rest(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), echo());
    let client = long_since(&server);
    server.control.stop_now();
    // Said goodbye to or not: it is over.
    let _ = read_all(&client);
    let events = server.events.clone();
    let _ = server.stop();
    assert!(events.lock().unwrap().iter().any(|event| event.starts_with("Closed")));
}

/// Answers with 120 bytes of a pattern, and little room for what is not read. Asked with "!", it
/// sees to it first that there is none.
struct Patterned;

impl Service for Patterned {
    fn handler(&self) -> Box<dyn Handler + '_> {
        unreachable!("served by coroutines only")
    }

    fn requests(&self) -> Option<Box<dyn Requests>> {
        Some(Box::new(Patterns(Pattern::new())))
    }

    fn server_bind(&self, socket: &Socket) -> io::Result<()> {
        socket.set_so_sndbuf(4096)
    }
}

struct Patterns(Pattern);

/// It has been asked with "!".
static FULL: AtomicBool = AtomicBool::new(false);

impl Requests for Patterns {
    fn request(&mut self, connection: &mut Connection) -> io::Result<bool> {
        if connection.fill_buf()?.starts_with(b"!") {
            connection.flush()?;
            self.0.fill(connection.socket())?;
            FULL.store(true, SeqCst);
        }
        let answer = self.0.take(120);
        connection.answer(|_, out| out.write_all(&answer).map(|()| 1))?;
        Ok(true)
    }
}

/// Answers that find no room are sent when there is some, in order, and in one piece.
#[test]
fn a_peer_that_reads_late_gets_everything() {
    let _watchdog = Watchdog::new();
    let server = Server::new().with_engine(Engine::Coroutines).with_workers(1);
    let server = Serving::start(server, |server| server.bind("127.0.0.1:0", Patterned));
    let client = server.client();
    let mut pattern = Pattern::new();
    // Long enough for the short way.
    for _ in 0..10 {
        client.send_all(b"?").unwrap();
        let mut answer = [0; 120];
        client.recv_exact(&mut answer).unwrap();
        assert_eq!(&answer[..], pattern.take(120));
    }
    client.send_all(b"!").unwrap();
    while !FULL.load(SeqCst) {
        std::thread::yield_now();
    }
    client.send_all(b"??").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let answers = read_all(&client).unwrap();
    assert!(answers.len() > 4096);
    assert!(answers == pattern.take(answers.len()), "in another order");
    let counted = server.until(|counters| counters.closed == 1);
    assert_eq!((counted.received, counted.sent), (13, 13 * 120));
    server.stop().unwrap();
}

/// What answers with a lot now and then goes the long way for that, and comes back.
#[test]
fn large_answers_among_small_ones_are_whole() {
    let _watchdog = Watchdog::new();
    let server = Server::new().with_engine(Engine::Coroutines).with_workers(1);
    let server = Serving::start(server, |server| server.bind("127.0.0.1:0", echo()));
    let client = long_since(&server);
    for size in [1, 100, 127, 128, 129, 5000, 1, 8192, 20_000, 64, 1] {
        let text = "x".repeat(size);
        assert_eq!(support::ask(&client, &text, size), text);
    }
    server.stop().unwrap();
}
