//! Each listener has its own numbers, and the server's are their sum, at every moment and from any
//! thread; on every engine.

mod support;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use support::{Client, ask, on_every_engine, read_all};
use switchboard::{Connection, Control, Counters, Engine, Event, Guards, Server};

on_every_engine! {
    numbers_are_exact_under_concurrency
    refusals_and_failures_count_where_they_happen
    events_name_their_listener
    closed_listeners_keep_their_numbers
}

fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut word = [0; 4];
    connection.read_exact(&mut word)?;
    connection.write_all(&word)
}

fn serving(server: Server) -> (Control, std::thread::JoinHandle<switchboard::Result>) {
    let (control, mut server) = (server.control(), server);
    (control, std::thread::spawn(move || server.serve_forever()))
}

fn sum(control: &Control) -> Counters {
    control.listeners().into_iter().map(|one| one.counters).sum()
}

fn numbers_are_exact_under_concurrency(engine: Engine) {
    const EACH: u64 = 40;
    // A process that has answered, and has yet to end, counts for its address.
    let guards = Guards { limit_per_address: Some(1000), ..Guards::default() };
    let server = Server::new().with_engine(engine).with_signals(false);
    let mut server = server.with_guards(guards);
    server.bind_all(&["127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"], echo).unwrap();
    let addresses = server.addresses();
    let (control, server) = serving(server);
    let over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (control, over) = (control.clone(), Arc::clone(&over));
        std::thread::spawn(move || {
            let mut before = Counters::default();
            while !over.load(SeqCst) {
                for one in control.listeners() {
                    assert!(one.counters.closed <= one.counters.opened, "{one:?}");
                    assert!(one.counters.opened <= EACH + 2, "{one:?}");
                }
                let now = control.counters();
                assert!(now.opened >= before.opened && now.sent >= before.sent, "{now:?}");
                before = now;
            }
        })
    };
    std::thread::scope(|scope| {
        for (index, address) in addresses.iter().enumerate() {
            scope.spawn(move || {
                // A different number for each, so that none can be taken for another.
                for _ in 0..EACH + index as u64 {
                    assert_eq!(ask(&Client::new(address), "ping", 4), "ping");
                }
            });
        }
    });
    control.shutdown();
    server.join().unwrap().unwrap();
    over.store(true, SeqCst);
    watching.join().unwrap();
    for (index, (one, address)) in control.listeners().iter().zip(&addresses).enumerate() {
        let count = EACH + index as u64;
        let expected = Counters {
            opened: count,
            closed: count,
            received: 4 * count,
            sent: 4 * count,
            ..Counters::default()
        };
        assert_eq!(one.counters, expected);
        assert_eq!((&one.address, &*one.service), (address, "service"));
    }
    assert_eq!(sum(&control), control.counters());
    assert_eq!(control.counters().open(), 0);
}

fn refusals_and_failures_count_where_they_happen(engine: Engine) {
    struct Closed;
    impl switchboard::Service for Closed {
        fn handler(&self) -> Box<dyn switchboard::Handler + '_> {
            unreachable!("everything is refused")
        }
        fn verify_request(&self, _: &Connection) -> bool {
            false
        }
    }
    let mut server = Server::new().with_engine(engine).with_signals(false);
    server.bind("127.0.0.1:0", Closed).unwrap();
    server.bind("127.0.0.1:0", |_: &mut Connection| panic!("as ordered")).unwrap();
    let addresses = server.addresses();
    let (control, server) = serving(server);
    for address in &addresses {
        read_all(&Client::new(address)).unwrap();
    }
    control.shutdown();
    server.join().unwrap().unwrap();
    let [refusing, panicking] = &control.listeners()[..] else { panic!("two listeners") };
    assert_eq!((refusing.counters.refused, refusing.counters.opened), (1, 0));
    assert_eq!((panicking.counters.panicked, panicking.counters.closed), (1, 1));
    assert_eq!((panicking.counters.refused, refusing.counters.panicked), (0, 0));
}

fn events_name_their_listener(engine: Engine) {
    let (sender, events) = std::sync::mpsc::channel();
    let mut server =
        Server::new().with_engine(engine).with_signals(false).with_events(move |event| {
            let about = event.connection().map(|connection| connection.listener);
            let opened = matches!(event, Event::Opened { .. } | Event::Closed { .. });
            assert_eq!(about.is_some(), opened);
            if let Some(index) = about {
                let _ = sender.send(index);
            }
        });
    server.bind_all(&["127.0.0.1:0", "udp://127.0.0.1:0"], echo).unwrap();
    let addresses = server.addresses();
    let (control, server) = serving(server);
    for index in [1, 0, 1] {
        assert_eq!(ask(&Client::new(&addresses[index]), "ping", 4), "ping");
        assert_eq!([events.recv().unwrap(), events.recv().unwrap()], [index, index]);
    }
    control.shutdown();
    server.join().unwrap().unwrap();
}

fn closed_listeners_keep_their_numbers(engine: Engine) {
    let mut server = Server::new().with_engine(engine).with_signals(false);
    server.bind("127.0.0.1:0", echo).unwrap();
    let control = server.control();
    let client = Client::new(&server.addresses()[0]);
    client.send_all(b"ping").unwrap();
    assert!(server.handle_request().unwrap());
    server.server_close();
    assert_eq!(server.addresses(), []);
    assert_eq!(control.listeners()[0].counters.closed, 1);
    // What was never bound leaves nothing behind.
    assert!(server.bind_all(&["127.0.0.1:0", "nonsense"], echo).is_err());
    assert_eq!(control.listeners().len(), 1);
    server.bind("127.0.0.1:0", echo).unwrap();
    let client = Client::new(&server.addresses()[0]);
    client.send_all(b"ping").unwrap();
    assert!(server.handle_request().unwrap());
    let closed: Vec<_> = control.listeners().iter().map(|one| one.counters.closed).collect();
    assert_eq!(closed, [1, 1]);
    drop(server);
    assert_eq!(sum(&control).received, 8);
}
