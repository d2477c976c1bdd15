//! More peers than there is room for: one address cannot keep the others out, and a server that
//! stood still catches up.

use std::time::Duration;

use rustix::process::Signal;
use switchboard::{Address, Engine, Guards, Server, Socket};

use crate::apart::{Apart, Counts, apart, until};
use crate::rude::{client_from, echo, is_answered, place, reset, unconnected};
use crate::support::{Client, ask, on_every_engine, read_all, serve};

on_every_engine! {
    one_address_cannot_keep_the_others_out
    a_server_that_stood_still_catches_up
    silent_peers_are_let_go_and_cost_nothing_after
}

const FLOODER: [u8; 4] = [127, 0, 0, 2];
const HONEST: [u8; 4] = [127, 0, 0, 3];

/// Row 7.
fn one_address_cannot_keep_the_others_out(engine: Engine) {
    apart(engine, || {
        let alone = engine.limit_connections() == 1;
        // One at a time, the others have to wait until the silent ones are let go.
        let deadline_first_byte = Some(Duration::from_millis(if alone { 30 } else { 60_000 }));
        let guards = Guards {
            limit_connections: Some(8),
            limit_per_address: Some(4),
            deadline_first_byte,
            ..Guards::default()
        };
        let server = serve(engine, "127.0.0.1:0", guards, echo);
        let many = if alone { 5 } else { 40 };
        let flood: Vec<_> = (0..many).map(|_| client_from(FLOODER, &server.address)).collect();
        for _ in 0..4 {
            let served = || is_answered(&client_from(HONEST, &server.address), "served");
            match alone {
                // Who is slow to speak is let go as the silent are.
                true => until(served, || "it is not served".to_owned()),
                false => assert!(served()),
            }
        }
        if !alone {
            assert_eq!(server.until(|counters| counters.refused == 36).refused, 36);
            assert!(server.told("LimitPerAddress"));
        }
        drop(flood);
        server.until(|counters| counters.open() == 0);
        let late = client_from(FLOODER, &server.address);
        until(
            || {
                let late = client_from(FLOODER, &server.address);
                is_answered(&late, "again")
            },
            || "it never recovers".to_owned(),
        );
        drop(late);
        server.stop().unwrap();
    });
}

/// How many connections may wait to be accepted in the next test, and how many want to.
const QUEUE: i32 = 8;
const CROWD: usize = 40;

/// Row 9.
fn a_server_that_stood_still_catches_up(engine: Engine) {
    if Apart::is_here() {
        return serve_apart(engine);
    }
    let server = Apart::start();
    let address: Address = server.line.parse().unwrap();
    assert_eq!(ask(&Client::new(&address), "first", 5), "first");
    let before = settled(&server.pid());

    server.signal(Signal::STOP);
    until(|| server.state() == 'T', || "it does not stand still".to_owned());
    let gone: Vec<_> = (0..4).map(|_| Client::new(&address)).collect();
    gone.iter().for_each(|client| reset(client));
    let waiting: Vec<_> = (0..CROWD).map(|_| connecting(&address)).collect();
    server.signal(Signal::CONT);

    // All at once: one that is served alone may be another than the one that is asked first.
    let answered = |socket| move || is_answered(&Client::from(socket), "at last");
    let asked: Vec<_> =
        waiting.into_iter().map(|socket| std::thread::spawn(answered(socket))).collect();
    assert!(asked.into_iter().all(|one| one.join().unwrap()));
    let pid = server.pid();
    until(|| Counts::of(&pid).is_within(&before), || format!("{before:?}: {:?}", Counts::of(&pid)));
    server.end();
}

/// The server of that test, which is a process of its own.
fn serve_apart(engine: Engine) {
    let guards = Guards { limit_per_address: Some(2 * CROWD), ..Guards::default() };
    let server = Server::new().with_engine(engine).with_guards(guards);
    let mut server = server.with_request_queue_size(QUEUE);
    server.bind("127.0.0.1:0", echo).unwrap();
    let (address, control) = (server.addresses().remove(0), server.control());
    let serving = std::thread::spawn(move || server.serve_forever());
    Apart::tell(&address.to_string());
    control.shutdown();
    serving.join().unwrap().unwrap();
}

/// The counts of a process that is becoming quiet.
fn settled(pid: &str) -> Counts {
    let mut last = Counts::of(pid);
    let mut same = 0;
    while same < 20 {
        std::thread::park_timeout(Duration::from_millis(1));
        let now = Counts::of(pid);
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// A connection that has begun, and is made when there is room in the queue.
fn connecting(address: &Address) -> Socket {
    let socket = unconnected(address);
    socket.set_blocking(false).unwrap();
    // "In progress" is what it is meant to be.
    let _ = socket.connect(&place(address));
    socket
}

/// Row 15.
fn silent_peers_are_let_go_and_cost_nothing_after(engine: Engine) {
    apart(engine, || {
        let alone = engine.limit_connections() == 1;
        let guards = Guards {
            limit_per_address: Some(1000),
            deadline_first_byte: Some(Duration::from_millis(if alone { 30 } else { 500 })),
            ..Guards::default()
        };
        let server = serve(engine, "127.0.0.1:0", guards, echo);
        let many = if alone { 3 } else { 100 };
        let silent: Vec<_> = (0..many).map(|_| server.client()).collect();
        if !alone {
            assert_eq!(ask(&server.client(), "served", 6), "served");
        }
        for client in &silent {
            assert_eq!(read_all(client).unwrap(), b"");
        }
        assert_eq!(server.until(|counters| counters.timed_out == many).panicked, 0);
        // Who is slow to speak is let go as the silent are.
        until(|| is_answered(&server.client(), "after"), || "it is not served".to_owned());
        drop(silent);
        server.stop().unwrap();
    });
}
