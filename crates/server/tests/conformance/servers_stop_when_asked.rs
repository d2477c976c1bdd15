//! A server ends when it is asked to: from another thread, from a handler, before it serves, twice,
//! and whatever its connections do; what is between two requests is let go without loss.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::support::{Cell, Notes, Serving, ask, on_every, read_all};
use switchboard::{Connection, Control, Handler, Service};

on_every! {
    transports {
        shutdown_from_another_thread
        shutdown_from_a_handler
        shutdown_twice_is_shutdown
        shutdown_before_it_serves
        shutdown_at_any_moment
        closed_without_serving
        nothing_opens_after_the_end
    }
    connections {
        stopping_now_ends_every_call
        between_two_requests_it_ends_at_once
        the_request_under_way_is_answered
        no_request_is_cut_in_half
        those_who_wait_are_still_served
    }
}

/// Lines back, between requests in the way that lets a drain close it.
fn lines(connection: &mut Connection) -> io::Result<()> {
    while connection.next_request()? {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        connection.write_all(line.as_bytes())?;
        connection.flush()?;
    }
    Ok(())
}

/// After the end: everything that began was told, in this order, and the path is free.
fn ended(mut server: Serving) {
    server.join().unwrap();
    let events = server.events.lock().unwrap();
    let first = |name: &str| events.iter().position(|event| event.starts_with(name));
    assert_eq!(first("Listening"), Some(0), "{events:?}");
    assert!(first("DrainBegan") < first("DrainEnded"), "{events:?}");
    assert_eq!(first("DrainEnded"), Some(events.len() - 1), "{events:?}");
    let counters = server.control.counters();
    assert_eq!((counters.opened, counters.cut), (counters.closed, 0));
    assert!(server.path().is_none_or(|path| !path.exists()), "the path is still there");
}

fn shutdown_from_another_thread(cell: Cell) {
    let server = cell.serve(lines);
    assert_eq!(ask(&server.client(), "one\n", 4), "one\n");
    server.control.shutdown();
    ended(server);
}

/// Stops the server that it serves, once it knows which.
struct Stopping {
    control: Control,
    notes: Notes,
}

impl Service for Stopping {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Stop(&self.control))
    }

    fn handle_error(&self, _: &Connection, error: &io::Error) {
        self.notes.add(error);
    }
}

struct Stop<'a>(&'a Control);

impl Handler for Stop<'_> {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        self.0.shutdown();
        connection.write_all(b"goodbye\n")
    }
}

/// The counterpart of `SystemExit` in `ErrorHandlerTest`: it ends the server and is no error.
fn shutdown_from_a_handler(cell: Cell) {
    let notes = Notes::new();
    let server = cell.server();
    let stopping = Stopping { control: server.control(), notes: notes.clone() };
    let server = cell.serve_by(server, stopping);
    assert_eq!(ask(&server.client(), "stop\n", 8), "goodbye\n");
    ended(server);
    assert_eq!(notes.read(), "");
}

fn shutdown_twice_is_shutdown(cell: Cell) {
    let server = cell.serve(lines);
    assert_eq!(ask(&server.client(), "one\n", 4), "one\n");
    let control = server.control.clone();
    control.shutdown();
    control.shutdown();
    ended(server);
    control.shutdown();
}

fn shutdown_before_it_serves(cell: Cell) {
    let place = cell.transport.place();
    let mut server = cell.server().with_signals(false);
    server.bind(&place.text, lines).unwrap();
    server.control().shutdown();
    server.serve_forever().unwrap();
    assert!(place.path.as_ref().is_none_or(|path| !path.exists()));
}

/// `SocketServerTest.test_shutdown`: whether it has begun to serve or not.
fn shutdown_at_any_moment(cell: Cell) {
    let servers: Vec<_> = (0..10).map(|_| cell.serve(lines)).collect();
    servers.iter().for_each(|server| server.control.shutdown());
    servers.into_iter().for_each(ended);
}

/// `SocketServerTest.test_close_immediately` and `test_context_manager`.
fn closed_without_serving(cell: Cell) {
    let place = cell.transport.place();
    let mut server = cell.server();
    server.bind(&place.text, lines).unwrap();
    assert!(place.path.as_ref().is_none_or(|path| path.exists()));
    drop(server);
    assert!(place.path.as_ref().is_none_or(|path| !path.exists()));
    // A child of another test that was forked meanwhile has the descriptor until it ends.
    let end = Instant::now() + Duration::from_secs(60);
    while let Err(error) = cell.server().bind(&place.text, lines) {
        assert!(Instant::now() < end, "{error}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn nothing_opens_after_the_end(cell: Cell) {
    let server = cell.serve(lines);
    assert_eq!(ask(&server.client(), "one\n", 4), "one\n");
    let (control, events) = (server.control.clone(), server.events.clone());
    server.stop().unwrap();
    let told = events.lock().unwrap().len();
    control.shutdown();
    control.stop_now();
    assert_eq!(control.counters().opened, 1);
    assert_eq!(events.lock().unwrap().len(), told);
}

fn stopping_now_ends_every_call(cell: Cell) {
    let notes = Notes::new();
    let log = notes.clone();
    let mut server = cell.serve(move |connection: &mut Connection| {
        let read = connection.read_to_end(&mut Vec::new()).unwrap_err();
        let again = connection.next_request().unwrap_err();
        connection.write_all(b"too late")?;
        let written = connection.flush().unwrap_err();
        log.add(format!("{:?} {:?} {:?}", read.kind(), again.kind(), written.kind()));
        Err(read)
    });
    let _client = server.client();
    server.until(|counters| counters.opened == 1);
    server.control.stop_now();
    assert!(server.join().unwrap_err().is_timeout());
    let notes = notes.until(|notes| !notes.is_empty());
    assert_eq!(notes, "ConnectionAborted ConnectionAborted ConnectionAborted");
    assert_eq!(server.control.counters().cut, 1);
    assert_eq!(server.events_with("reason: CutOff").len(), 1);
    assert!(server.path().is_none_or(|path| !path.exists()));
}

fn between_two_requests_it_ends_at_once(cell: Cell) {
    let server = cell.serve(lines);
    let client = server.client();
    assert_eq!(ask(&client, "one\n", 4), "one\n");
    server.control.shutdown();
    assert_eq!(read_all(&client).unwrap(), b"");
    server.until(|counters| counters.closed == 1);
    assert_eq!(server.events_with("reason: Drained").len(), 1);
    ended(server);
}

/// A request that has begun when the end is called is waited for. (One that arrives at the same
/// moment is either answered or not begun; see the test below.)
fn the_request_under_way_is_answered(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        while connection.next_request()? {
            connection.reply(b"yes? ")?;
            let mut line = String::new();
            connection.read_line(&mut line)?;
            connection.reply(line.as_bytes())?;
        }
        Ok(())
    });
    let client = server.client();
    assert_eq!(ask(&client, "half a li", 5), "yes? ");
    server.control.shutdown();
    server.until_told("DrainBegan");
    assert_eq!(ask(&client, "ne\n", 12), "half a line\n");
    assert_eq!(read_all(&client).unwrap(), b"");
    ended(server);
}

/// Whenever the end comes, a request is answered whole or not at all.
fn no_request_is_cut_in_half(cell: Cell) {
    for _ in 0..20 {
        let server = cell.serve(lines);
        let client = server.client();
        if cell.transport.is_inet() {
            client.set_tcp_nodelay(true).unwrap();
        }
        assert_eq!(ask(&client, "one\n", 4), "one\n");
        std::thread::scope(|scope| {
            scope.spawn(|| server.control.shutdown());
            // The connection may be gone by now, and then the rest is refused.
            let sent = client.send_all(b"first half, ").and_then(|()| client.send_all(b"rest\n"));
            match read_all(&client) {
                Ok(answer) if answer.is_empty() => {}
                Ok(answer) => assert_eq!(String::from_utf8_lossy(&answer), "first half, rest\n"),
                Err(error) => assert!(sent.is_err() || error.kind() == ErrorKind::ConnectionReset),
            }
        });
        ended(server);
    }
}

fn those_who_wait_are_still_served(cell: Cell) {
    let server = cell.serve(lines);
    let clients: Vec<_> = (0..5).map(|_| server.client()).collect();
    clients.iter().for_each(|client| client.send_all(b"still\n").unwrap());
    server.until(|counters| counters.opened >= 1);
    server.control.shutdown();
    clients.iter().for_each(|client| assert_eq!(read_all(client).unwrap(), b"still\n"));
    ended(server);
}
