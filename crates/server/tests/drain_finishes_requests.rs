//! A server that is asked to stop finishes what is under way, closes what is idle, cuts off what
//! does not end, and leaves nothing behind; on every engine.

mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::{Client, Notes, ask, on_every_engine, read_all, serve};
use switchboard::{Connection, Engine, Guards, Server};

on_every_engine! {
    a_request_under_way_is_answered
    an_idle_connection_ends_at_once
    a_connection_that_only_waits_is_let_go
    a_connection_that_never_ends_is_cut_off
    stopping_now_does_not_wait
    nothing_begins_after_the_end
    a_server_stopped_before_it_serves_ends_at_once
    waiting_connections_are_still_served
    a_whole_queue_is_still_served
    a_storm_of_clients_is_answered_or_turned_away
}

/// A grace period in which everything ends by itself, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lines back, between requests in the way that lets a drain close it.
fn lines(connection: &mut Connection) -> io::Result<()> {
    while connection.next_request()? {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        connection.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn a_request_under_way_is_answered(engine: Engine) {
    let guards = Guards { grace: PATIENCE, ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, lines);
    let client = server.client();
    assert_eq!(ask(&client, "one\nhalf a li", 4), "one\n");
    server.control.shutdown();
    server.until_told("DrainBegan");
    assert_eq!(ask(&client, "ne\n", 12), "half a line\n");
    assert_eq!(read_all(&client).unwrap(), b"");
    server.stop().unwrap();
}

fn an_idle_connection_ends_at_once(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), lines);
    let client = server.client();
    assert_eq!(ask(&client, "one\n", 4), "one\n");
    server.control.shutdown();
    assert_eq!(read_all(&client).unwrap(), b"");
    let events = server.events.clone();
    server.stop().unwrap();
    assert!(events.lock().unwrap().iter().any(|event| event.contains("reason: Drained")));
}

fn a_connection_that_only_waits_is_let_go(engine: Engine) {
    let guards = Guards { grace: Duration::from_secs(4), ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, |connection: &mut Connection| {
        let error = connection.read_to_end(&mut Vec::new()).unwrap_err();
        connection.write_all(b"sorry")?;
        Err(error)
    });
    let client = server.client();
    server.until(|counters| counters.opened == 1);
    let events = server.events.clone();
    server.stop().unwrap();
    assert_eq!(read_all(&client).unwrap(), b"sorry");
    assert!(events.lock().unwrap().iter().any(|event| event.contains("reason: Drained")));
}

fn a_connection_that_never_ends_is_cut_off(engine: Engine) {
    let guards = Guards { grace: Duration::from_millis(60), ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, |connection: &mut Connection| {
        loop {
            connection.write_all(b"and another thing\n")?;
            connection.flush()?;
        }
    });
    let client = server.client();
    server.until(|counters| counters.opened == 1);
    let control = server.control.clone();
    let error = server.stop().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("1 connection was cut off"), "{error}");
    assert_eq!(control.counters().cut, 1);
    drop(client);
}

fn stopping_now_does_not_wait(engine: Engine) {
    let notes = Notes::new();
    let log = notes.clone();
    let mut server = serve(engine, "127.0.0.1:0", Guards::default(), move |c: &mut Connection| {
        let error = c.read_to_end(&mut Vec::new()).unwrap_err();
        let again = c.read(&mut [0; 8]).unwrap_err();
        log.add(format!("{:?} {:?}", error.kind(), again.kind()));
        Err(error)
    });
    let _client = server.client();
    server.until(|counters| counters.opened == 1);
    server.control.stop_now();
    assert!(server.join().unwrap_err().is_timeout());
    let notes = notes.until(|notes| !notes.is_empty());
    assert_eq!(notes, "ConnectionAborted ConnectionAborted", "every call of it fails");
}

fn nothing_begins_after_the_end(engine: Engine) {
    let mut server = serve(engine, "127.0.0.1:0", Guards::default(), |c: &mut Connection| {
        loop {
            c.write_all(&[7; 65_536])?;
        }
    });
    let _never_reading = [server.client(), server.client(), server.client()];
    let able = if engine == Engine::Serial { 1 } else { 3 };
    server.until(|counters| counters.opened == able);
    server.control.stop_now();
    assert!(server.join().unwrap_err().is_timeout());
    assert_eq!(server.control.counters().opened, able, "those that wait are not begun any more");
}

fn a_server_stopped_before_it_serves_ends_at_once(engine: Engine) {
    let mut server = Server::new().with_engine(engine).with_signals(false);
    server.bind("127.0.0.1:0", lines).unwrap();
    server.control().shutdown();
    server.serve_forever().unwrap();
}

fn waiting_connections_are_still_served(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), |c: &mut Connection| {
        let mut line = String::new();
        c.read_line(&mut line)?;
        c.write_all(line.as_bytes())
    });
    let (first, second) = (server.client(), server.client());
    first.send_all(b"fir").unwrap();
    second.send_all(b"second\n").unwrap();
    server.until(|counters| counters.opened >= 1);
    server.control.shutdown();
    first.send_all(b"st\n").unwrap();
    assert_eq!(read_all(&first).unwrap(), b"first\n");
    assert_eq!(read_all(&second).unwrap(), b"second\n");
    server.stop().unwrap();
}

fn one_line(connection: &mut Connection) -> io::Result<()> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    connection.write_all(line.as_bytes())
}

/// Nobody has accepted any of them when the server is asked to stop.
fn a_whole_queue_is_still_served(engine: Engine) {
    let many = 100;
    let all = Guards {
        limit_connections: Some(if engine == Engine::Serial { 1 } else { many }),
        limit_per_address: Some(many),
        grace: PATIENCE,
        ..Guards::default()
    };
    let server = Server::new().with_engine(engine).with_guards(all).with_workers(1);
    let mut server = server.with_signals(false);
    server.bind("127.0.0.1:0", one_line).unwrap();
    let address = server.addresses().remove(0);
    let clients: Vec<_> = (0..many).map(|_| Client::new(&address)).collect();
    clients.iter().for_each(|client| client.send_all(b"last orders\n").unwrap());
    server.control().shutdown();
    let serving = std::thread::spawn(move || server.serve_forever());
    for client in &clients {
        assert_eq!(read_all(client).unwrap(), b"last orders\n");
    }
    serving.join().unwrap().unwrap();
}

/// Whoever was let in has its answer, whole. Whoever came too late has none of it: no connection,
/// or one that ends at once.
fn a_storm_of_clients_is_answered_or_turned_away(engine: Engine) {
    // A child is there for a moment longer than its connection.
    let guards = Guards { limit_per_address: Some(1000), ..Guards::default() };
    let server = serve(engine, "127.0.0.1:0", guards, one_line);
    let address = server.address.resolve().unwrap().remove(0).address.as_inet().unwrap();
    let storm = [(); 4].map(|()| {
        std::thread::spawn(move || {
            let mut answered = 0;
            while let Ok(mut client) = TcpStream::connect(address) {
                let _ = client.write_all(b"a drop in the storm\n");
                let mut answer = Vec::new();
                let end = client.read_to_end(&mut answer);
                match answer.as_slice() {
                    b"a drop in the storm\n" if end.is_ok() => answered += 1,
                    b"" => return answered,
                    half => panic!("{:?}, then {end:?}", half.escape_ascii().to_string()),
                }
            }
            answered
        })
    });
    server.until(|counters| counters.opened >= 200);
    let control = server.control.clone();
    server.stop().unwrap();
    let answered: u64 = storm.map(|one| one.join().unwrap()).into_iter().sum();
    let counters = control.counters();
    assert_eq!((counters.opened, counters.closed), (answered, answered));
}
