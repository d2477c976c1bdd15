//! A handler's steps run in socketserver's order, whatever happens in one of them, on every
//! engine; and what happens to one connection happens to no other.

mod support;

use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;

use support::{ask, on_every_engine, panics, read_all, serve};
use switchboard::{Connection, Engine, Guards, Handler, Service, per_connection};

on_every_engine! {
    a_closure_serves_many_lines
    setup_handle_finish
    finish_runs_after_an_error
    finish_runs_after_a_panic
    finish_does_not_run_after_a_failed_setup
    a_panic_closes_one_connection
    a_refused_request_sees_the_end
    what_is_written_is_sent_before_a_read_waits
    an_unread_rest_does_not_destroy_the_answer
}

fn shout(connection: &mut Connection) -> io::Result<()> {
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 {
        connection.write_all(line.to_uppercase().as_bytes())?;
        line.clear();
    }
    Ok(())
}

fn a_closure_serves_many_lines(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), shout);
    for _ in 0..3 {
        let client = server.client();
        assert_eq!(ask(&client, "one\n", 4), "ONE\n");
        assert_eq!(ask(&client, "two\nthree\n", 10), "TWO\nTHREE\n");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&client).unwrap(), b"");
    }
    let counters = server.until(|counters| counters.closed == 3);
    assert_eq!((counters.opened, counters.received, counters.sent), (3, 42, 42));
    assert!(server.told("PeerClosed"));
    server.stop().unwrap();
}

/// Tells its steps to its client, and fails where it is told to.
struct Steps {
    fail: &'static str,
}

impl Steps {
    fn step(&self, connection: &mut Connection, name: &str) -> io::Result<()> {
        write!(connection, "{name} ")?;
        match self.fail == name {
            true => Err(io::Error::other("told to fail")),
            false => Ok(()),
        }
    }
}

impl Handler for Steps {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.step(connection, "setup")
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        if self.fail == "panic" {
            panics("told to panic");
        }
        self.step(connection, "handle")
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.step(connection, "finish")
    }
}

/// The steps of one connection, as its client saw them.
fn steps(engine: Engine, fail: &'static str) -> String {
    let service = per_connection(move || Steps { fail });
    let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
    let answer = read_all(&server.client()).unwrap();
    server.until(|counters| counters.closed == 1);
    server.stop().unwrap();
    String::from_utf8(answer).unwrap()
}

fn setup_handle_finish(engine: Engine) {
    assert_eq!(steps(engine, ""), "setup handle finish ");
}

fn finish_runs_after_an_error(engine: Engine) {
    assert_eq!(steps(engine, "handle"), "setup handle finish ");
}

fn finish_runs_after_a_panic(engine: Engine) {
    assert_eq!(steps(engine, "panic"), "setup finish ");
}

fn finish_does_not_run_after_a_failed_setup(engine: Engine) {
    assert_eq!(steps(engine, "setup"), "setup ");
}

fn a_panic_closes_one_connection(engine: Engine) {
    let service = |connection: &mut Connection| {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        if line == "panic\n" {
            panics("as told");
        }
        connection.write_all(b"well\n")
    };
    let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
    for _ in 0..10 {
        let client = server.client();
        client.send_all(b"panic\n").unwrap();
        assert_eq!(read_all(&client).unwrap(), b"");
    }
    assert_eq!(ask(&server.client(), "hello\n", 5), "well\n");
    let counters = server.until(|counters| counters.closed == 11);
    assert_eq!(counters.panicked, 10);
    assert!(server.told("as told"));
    server.stop().unwrap();
}

/// Refuses everybody.
struct Closed;

impl Service for Closed {
    fn handler(&self) -> Box<dyn Handler + '_> {
        unreachable!("a refused request has no handler")
    }

    fn verify_request(&self, _: &Connection) -> bool {
        false
    }
}

fn a_refused_request_sees_the_end(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), Closed);
    assert_eq!(read_all(&server.client()).unwrap(), b"");
    let counters = server.until(|counters| counters.refused == 1);
    assert_eq!((counters.opened, counters.panicked), (0, 0));
    assert!(server.told("VerifyRequest"));
    server.stop().unwrap();
}

fn what_is_written_is_sent_before_a_read_waits(engine: Engine) {
    let service = |connection: &mut Connection| {
        connection.write_all(b"name? ")?;
        let mut name = String::new();
        connection.read_line(&mut name)?;
        write!(connection, "hello, {name}")
    };
    let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
    let client = server.client();
    assert_eq!(ask(&client, "", 6), "name? ");
    assert_eq!(ask(&client, "ada\n", 11), "hello, ada\n");
    server.stop().unwrap();
}

fn an_unread_rest_does_not_destroy_the_answer(engine: Engine) {
    let service = |connection: &mut Connection| {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        connection.write_all(b"enough\n")
    };
    let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
    for _ in 0..20 {
        let client = server.client();
        client.send_all(&[b'\n'; 60_000]).unwrap();
        match read_all(&client) {
            Ok(answer) => assert_eq!(answer, b"enough\n"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::ConnectionReset, "answer destroyed"),
        }
    }
    server.stop().unwrap();
}
