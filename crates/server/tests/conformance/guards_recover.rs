//! Every limit and every deadline holds on every transport, says its name, and recovers.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::support::{Cell, Client, Notes, ask, on_every, read_all};
use switchboard::socket::seam;
use switchboard::{Connection, Deadline, Guards};

on_every! {
    transports {
        the_limit_of_connections_holds_and_recovers
    }
    connections {
        silence_before_the_first_byte_ends
        silence_between_bytes_ends
        a_peer_that_never_reads_is_given_up
        a_busy_connection_ends_with_its_whole_deadline
        what_a_handler_allows_holds_for_its_connection
        the_limit_per_address_is_for_ip_addresses
    }
}

const SHORT: Option<Duration> = Some(Duration::from_millis(60));

fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => connection.write_all(&buffer[..count])?,
        }
    }
}

fn silence_before_the_first_byte_ends(cell: Cell) {
    let guards = Guards { deadline_first_byte: SHORT, ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), echo);
    assert_eq!(read_all(&server.client()).unwrap(), b"");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.timed_out, 1, "{:?}", server.events_with(""));
    assert_eq!(server.events_with("TimedOut(\"no first byte\")").len(), 1);
    // One that speaks at once is heard, unless this machine is too busy for it to be at once.
    let heard = |client: Client| {
        client.send_all(b"now").is_ok() && client.recv(&mut [0; 3]).is_ok_and(|count| count == 3)
    };
    assert!((0..50).any(|_| heard(server.client())));
    server.stop().unwrap();
}

fn silence_between_bytes_ends(cell: Cell) {
    let guards = Guards { deadline_idle: SHORT, ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), echo);
    let client = server.client();
    assert_eq!(ask(&client, "one", 3), "one");
    assert_eq!(read_all(&client).unwrap(), b"");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.timed_out, 1, "{:?}", server.events_with(""));
    assert_eq!(server.events_with("TimedOut(\"idle\")").len(), 1);
    server.stop().unwrap();
}

fn a_peer_that_never_reads_is_given_up(cell: Cell) {
    let guards = Guards { deadline_write: SHORT, ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), |connection: &mut Connection| {
        loop {
            connection.write_all(&[7; 4096])?;
        }
    });
    let _silent = server.client();
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.timed_out, 1, "{:?}", server.events_with(""));
    assert_eq!(server.events_with("TimedOut(\"write\")").len(), 1);
    server.stop().unwrap();
}

fn a_busy_connection_ends_with_its_whole_deadline(cell: Cell) {
    let guards = Guards { deadline_connection: SHORT, ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), echo);
    let client = server.client();
    while client.send_all(b"more").is_ok() && client.recv(&mut [0; 4]).is_ok_and(|count| count > 0)
    {
    }
    server.until(|counters| counters.timed_out == 1);
    assert_eq!(server.events_with("TimedOut(\"connection too long\")").len(), 1);
    server.stop().unwrap();
}

/// A deadline that a handler changes is its own: the next connection has the server's again.
fn what_a_handler_allows_holds_for_its_connection(cell: Cell) {
    let guards = Guards { deadline_idle: SHORT, ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), |connection: &mut Connection| {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        if line == "patience\n" {
            connection.set_deadline_idle(None);
        }
        connection.write_all(b"now wait\n")?;
        connection.read_line(&mut line)?;
        connection.write_all(b"thanks\n")
    });
    let patient = (!cell.is_serial()).then(|| server.client());
    patient.as_ref().inspect(|client| {
        assert_eq!(ask(client, "patience\n", 9), "now wait\n");
    });
    let client = server.client();
    assert_eq!(ask(&client, "none\n", 9), "now wait\n");
    assert_eq!(read_all(&client).unwrap(), b"");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.timed_out, 1, "{:?}", server.events_with(""));
    patient.as_ref().inspect(|client| assert_eq!(ask(client, "done\n", 7), "thanks\n"));
    server.stop().unwrap();
}

/// At most two at once, whoever asks, and in the end everybody was served.
fn the_limit_of_connections_holds_and_recovers(cell: Cell) {
    let guards = Guards { limit_connections: Some(2), ..Guards::default() };
    let notes = Notes::new();
    let log = notes.clone();
    let service = move |connection: &mut Connection| {
        log.add("+1");
        let mut line = String::new();
        let answer = connection.read_line(&mut line);
        if connection.is_datagram() {
            // Long enough for another one to come in, if it may.
            seam::sleep(Deadline::After(Duration::from_millis(5)));
        }
        log.add("-1");
        answer.and_then(|_| connection.write_all(line.as_bytes()))
    };
    let server = cell.serve_by(cell.guarded(guards), service);
    let clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    if cell.transport.is_datagram() {
        clients.iter().for_each(|client| client.send_all(b"ok\n").unwrap());
        clients.iter().for_each(|client| assert_eq!(ask(client, "", 3), "ok\n"));
    } else {
        for client in &clients {
            assert_eq!(ask(client, "ok\n", 3), "ok\n");
            assert_eq!(read_all(client).unwrap(), b"");
        }
    }
    let counters = server.until(|counters| counters.closed >= 8);
    assert_eq!((counters.opened, counters.closed, counters.refused), (8, 8, 0));
    assert!(notes.most_at_once() <= if cell.is_serial() { 1 } else { 2 }, "{}", notes.read());
    server.stop().unwrap();
}

/// Who has an address may have so many; who has none is not counted.
fn the_limit_per_address_is_for_ip_addresses(cell: Cell) {
    if cell.is_serial() {
        return; // one at a time: nobody can have two
    }
    let guards = Guards { limit_per_address: Some(1), ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), echo);
    let first = server.client();
    assert_eq!(ask(&first, "1", 1), "1");
    let second = server.client();
    if cell.transport.is_inet() {
        assert_eq!(read_all(&second).unwrap(), b"");
        server.until(|counters| counters.refused == 1);
        assert_eq!(server.events_with("LimitPerAddress").len(), 1);
        drop(first);
        server.until(|counters| counters.closed == 1);
        assert_eq!(ask(&server.client(), "3", 1), "3");
    } else {
        assert_eq!(ask(&second, "2", 1) + &ask(&first, "1", 1), "21");
        assert_eq!(server.control.counters().refused, 0);
        drop((first, second));
    }
    server.stop().unwrap();
}
