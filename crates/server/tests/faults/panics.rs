//! Handlers that panic, wherever they can: their own connection ends, it is counted, and nobody
//! else notices.

use std::io::{self, Read, Write};
use std::panic::{panic_any, set_hook, take_hook};
use std::thread;

use switchboard::{Connection, Engine, Guards, Handler, Server, Service, per_connection};

use crate::apart::apart;
use crate::support::{Client, Serving, ask, on_every_engine, read_all, serve};

on_every_engine! {
    a_panic_in_each_step_ends_one_connection
    a_panic_while_dropping_ends_one_connection
    a_panic_in_two_places_ends_one_connection
    a_panic_that_panics_ends_one_connection
    a_panic_outside_the_handler_ends_one_connection
    a_subscriber_that_panics_harms_nobody
    a_process_that_aborts_ends_one_connection
    thousands_of_panics_lose_no_other_connection
}

/// From now on only what the calling thread panics with is printed, which is why its test fails.
fn print_only_ours() {
    let (ours, print) = (thread::current().id(), take_hook());
    set_hook(Box::new(move |panic| {
        if thread::current().id() == ours {
            print(panic);
        }
    }));
}

/// Panics where the first byte that its client sends says; its letters are those below.
#[derive(Default)]
struct Fragile {
    order: u8,
}

impl Fragile {
    fn at(&self, step: u8) {
        // A capital also panics when it is dropped.
        assert!(self.order.to_ascii_lowercase() != step, "told to");
    }
}

impl Handler for Fragile {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut order = [0];
        connection.read_exact(&mut order)?;
        self.order = order[0];
        self.at(b's');
        match self.order {
            b'b' => panic_any(Bomb),
            _ => Ok(()),
        }
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.at(b'h');
        match self.order {
            b'p' => panic_any(Bomb),
            b'n' => panic_any(7),
            _ => connection.write_all(b"well"),
        }
    }

    fn finish(&mut self, _: &mut Connection) -> io::Result<()> {
        self.at(b'f');
        Ok(())
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.at(b'd');
        assert!(!self.order.is_ascii_uppercase(), "told to, while dropping");
    }
}

/// What a panic carries may itself panic when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the panic panics");
    }
}

fn fragile(engine: Engine) -> Serving {
    // What is printed of thousands of panics is not what is looked at.
    print_only_ours();
    serve(engine, "127.0.0.1:0", Guards::default(), per_connection(Fragile::default))
}

/// Each order ends its connection and is counted once; the others are as before.
fn end_one_each(server: Serving, engine: Engine, orders: &[&str]) {
    let other = (engine.limit_connections() > 1).then(|| server.client());
    for (round, order) in (1..).zip(orders) {
        let client = server.client();
        client.send_all(order.as_bytes()).unwrap();
        let answer = read_all(&client).unwrap_or_default();
        assert!(answer.is_empty() || answer == b"well", "{order}: {answer:?}");
        let counters = server.until(|counters| counters.closed == round);
        assert_eq!(counters.panicked, round, "{order}");
    }
    let events = server.events.lock().unwrap().clone();
    let ends = events.iter().filter(|event| event.contains("reason: Panicked")).count();
    assert_eq!(ends, orders.len(), "{events:?}");
    other.iter().for_each(|other| assert_eq!(ask(other, "x", 4), "well"));
    drop(other);
    assert_eq!(ask(&server.client(), "x", 4), "well");
    server.stop().unwrap();
}

/// Row 34. `n`: what it carries is not text.
fn a_panic_in_each_step_ends_one_connection(engine: Engine) {
    apart(engine, || end_one_each(fragile(engine), engine, &["s", "h", "f", "n"]));
}

/// Row 34.
fn a_panic_while_dropping_ends_one_connection(engine: Engine) {
    apart(engine, || end_one_each(fragile(engine), engine, &["d", "X"]));
}

/// Row 34: in a step, and again when what is left of it is dropped.
fn a_panic_in_two_places_ends_one_connection(engine: Engine) {
    apart(engine, || end_one_each(fragile(engine), engine, &["H", "F", "S"]));
}

/// Row 34.
fn a_panic_that_panics_ends_one_connection(engine: Engine) {
    apart(engine, || end_one_each(fragile(engine), engine, &["p", "b"]));
}

/// Panics in what is not a handler's step, by turns of the first byte.
struct Outside;

impl Service for Outside {
    fn handler(&self) -> Box<dyn Handler + '_> {
        panic!("no handler today");
    }

    fn handle_error(&self, _: &Connection, _: &io::Error) {
        panic!("no patience with errors");
    }
}

/// Refuses everybody, loudly.
struct Doorkeeper;

impl Service for Doorkeeper {
    fn handler(&self) -> Box<dyn Handler + '_> {
        unreachable!("nobody gets in");
    }

    fn verify_request(&self, _: &Connection) -> bool {
        panic!("not today");
    }
}

/// Row 34.
fn a_panic_outside_the_handler_ends_one_connection(engine: Engine) {
    apart(engine, || {
        print_only_ours();
        let server = serve(engine, "127.0.0.1:0", Guards::default(), Outside);
        for round in 1..=3 {
            assert_eq!(read_all(&server.client()).unwrap(), b"");
            assert_eq!(server.until(|counters| counters.closed == round).panicked, round);
        }
        server.stop().unwrap();

        let server = serve(engine, "127.0.0.1:0", Guards::default(), Doorkeeper);
        for round in 1..=3 {
            assert_eq!(read_all(&server.client()).unwrap(), b"");
            assert_eq!(server.until(|counters| counters.refused == round).opened, 0);
        }
        server.stop().unwrap();
    });
}

/// Row 34: whoever listens to the events.
fn a_subscriber_that_panics_harms_nobody(engine: Engine) {
    apart(engine, || {
        print_only_ours();
        let mut server =
            Server::new().with_engine(engine).with_signals(false).with_events(|_| panic_any(Bomb));
        server.bind("127.0.0.1:0", crate::rude::echo).unwrap();
        let (address, control) = (server.addresses().remove(0), server.control());
        let serving = thread::spawn(move || server.serve_forever());
        for _ in 0..3 {
            assert_eq!(ask(&Client::new(&address), "well", 4), "well");
        }
        control.shutdown();
        serving.join().unwrap().unwrap();
        let counters = control.counters();
        assert_eq!((counters.opened, counters.closed, counters.panicked), (3, 3, 0));
    });
}

/// Row 34: where a connection has a process of its own, that may end in any way.
fn a_process_that_aborts_ends_one_connection(engine: Engine) {
    if engine.name() != "processes" {
        return;
    }
    apart(engine, || {
        let server = serve(engine, "127.0.0.1:0", Guards::default(), |c: &mut Connection| {
            let mut order = [0];
            c.read_exact(&mut order)?;
            if order == *b"a" {
                std::process::abort();
            }
            c.write_all(b"well")
        });
        let other = server.client();
        for round in 1..=3 {
            let client = server.client();
            client.send_all(b"a").unwrap();
            assert!(read_all(&client).unwrap_or_default().is_empty());
            server.until(|counters| counters.closed == round);
        }
        assert_eq!(ask(&other, "x", 4), "well");
        drop(other);
        server.stop().unwrap();
    });
}

/// Row 34. Unix sockets, since so many TCP connections would take most ports of this machine.
fn thousands_of_panics_lose_no_other_connection(engine: Engine) {
    let panics = if engine.name() == "processes" { 500 } else { 10_000 };
    apart(engine, || {
        print_only_ours();
        let address = format!("unix://@switchboard-panics-{}", std::process::id());
        let service = per_connection(Fragile::default);
        // The others say nothing until it is over, which may be long.
        let guards = Guards { deadline_first_byte: None, ..Guards::default() };
        let server = serve(engine, &address, guards, service);
        let others: Vec<_> = match engine.limit_connections() {
            1 => Vec::new(),
            _ => (0..20).map(|_| server.client()).collect(),
        };
        for _ in 0..panics {
            let client = server.client();
            client.send_all(b"h").unwrap();
            assert_eq!(read_all(&client).unwrap(), b"");
        }
        let counters = server.until(|counters| counters.closed == panics);
        assert_eq!(counters.panicked, panics);
        others.iter().for_each(|other| assert_eq!(ask(other, "x", 4), "well"));
        drop(others);
        server.stop().unwrap();
    });
}
