//! Every guard does what it says, on every engine: it holds one connection back or closes it, is
//! told, and recovers.

mod support;

use std::io::{self, Read, Write};
use std::time::Duration;

use support::{Notes, ask, on_every_engine, read_all, serve};
use switchboard::{Connection, Engine, Guards};

on_every_engine! {
    silence_before_the_first_byte_ends
    silence_between_bytes_ends
    a_busy_connection_ends_with_its_whole_deadline
    a_peer_that_never_reads_is_given_up
    the_limit_per_address_recovers
    the_limit_of_connections_recovers
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

fn silence_before_the_first_byte_ends(engine: Engine) {
    let guards = Guards { deadline_first_byte: SHORT, ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, echo);
    assert_eq!(read_all(&server.client()).unwrap(), b"");
    assert_eq!(server.until(|counters| counters.closed == 1).timed_out, 1);
    assert!(server.told("TimedOut(\"no first byte\")"));
    assert_eq!(ask(&server.client(), "on time", 7), "on time");
    server.stop().unwrap();
}

fn silence_between_bytes_ends(engine: Engine) {
    let guards = Guards { deadline_idle: SHORT, ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, echo);
    let client = server.client();
    assert_eq!(ask(&client, "one", 3), "one");
    assert_eq!(read_all(&client).unwrap(), b"");
    assert_eq!(server.until(|counters| counters.closed == 1).timed_out, 1);
    assert!(server.told("TimedOut(\"idle\")"));
    server.stop().unwrap();
}

fn a_busy_connection_ends_with_its_whole_deadline(engine: Engine) {
    let guards = Guards { deadline_connection: SHORT, ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, echo);
    let client = server.client();
    while client.send_all(b"more").is_ok() && client.recv(&mut [0; 4]).is_ok_and(|count| count > 0)
    {
    }
    server.until(|counters| counters.timed_out == 1);
    assert!(server.told("TimedOut(\"connection too long\")"));
    server.stop().unwrap();
}

fn a_peer_that_never_reads_is_given_up(engine: Engine) {
    let guards = Guards { deadline_write: SHORT, ..Guards::default() };
    let flood = |connection: &mut Connection| {
        loop {
            connection.write_all(&[7; 65_536])?;
        }
    };
    let server = serve(engine, "127.0.0.1:0", guards, flood);
    let _client = server.client();
    assert_eq!(server.until(|counters| counters.closed == 1).timed_out, 1);
    assert!(server.told("TimedOut(\"write\")"));
    server.stop().unwrap();
}

fn the_limit_per_address_recovers(engine: Engine) {
    if engine == Engine::Serial {
        return; // one at a time: nobody can have two
    }
    let guards = Guards { limit_per_address: Some(2), ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, echo);
    let (first, second) = (server.client(), server.client());
    assert_eq!(ask(&first, "1", 1) + &ask(&second, "2", 1), "12");
    assert!(read_all(&server.client()).unwrap_or_default().is_empty());
    server.until(|counters| counters.refused == 1);
    assert!(server.told("LimitPerAddress"));
    drop(first);
    server.until(|counters| counters.closed == 1);
    let third = server.client();
    assert_eq!(ask(&third, "3", 1), "3");
    drop((second, third));
    server.stop().unwrap();
}

fn the_limit_of_connections_recovers(engine: Engine) {
    let guards =
        Guards { limit_connections: Some(2), limit_per_address: Some(100), ..Guards::default() };
    let notes = Notes::new();
    let log = notes.clone();
    let server = serve(engine, "127.0.0.1:0", guards, move |connection: &mut Connection| {
        log.add("+1");
        let mut line = String::new();
        let answer = connection.read_line(&mut line);
        log.add("-1");
        answer.and_then(|_| connection.write_all(line.as_bytes()))
    });
    let clients: Vec<_> = (0..8).map(|_| server.client()).collect();
    let able = if engine == Engine::Serial { 1 } else { 2 };
    notes.until(|notes| notes.split(' ').count() == able as usize);
    for client in &clients {
        assert_eq!(ask(client, "ok\n", 3), "ok\n");
        assert_eq!(read_all(client).unwrap(), b"");
    }
    server.until(|counters| counters.closed == 8);
    assert_eq!(notes.most_at_once(), able);
    server.stop().unwrap();
}
