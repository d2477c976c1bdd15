//! `handle_request` serves one request and returns when that is done, or when none came in time;
//! on every engine.

mod support;

use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Duration;

use support::{Client, Notes, ask, on_every_engine, read_all};
use switchboard::{Connection, Engine, Guards, Handler, Server, Service};

on_every_engine! {
    each_call_serves_one
    it_returns_when_the_request_is_done
    none_in_time_is_told
    a_limit_of_nothing_only_looks
    a_refused_request_is_one
    a_datagram_is_one
    a_server_asked_to_stop_waits_for_nobody
    stopping_now_cuts_it_off
    serving_for_ever_comes_after
}

/// Echoes a line; notes when nobody came; refuses if it is told to.
struct Line {
    notes: Notes,
    verify: bool,
}

impl Handler for &Line {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        write!(connection, "{}: {line}", connection.id())
    }
}

impl Service for Line {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(self)
    }

    fn verify_request(&self, _: &Connection) -> bool {
        self.verify
    }

    fn handle_timeout(&self) {
        self.notes.add("timeout");
    }
}

fn server(engine: Engine, address: &str) -> Server {
    let mut server = Server::new().with_engine(engine);
    server.bind(address, Line { notes: Notes::new(), verify: true }).unwrap();
    server
}

fn client(server: &Server) -> Client {
    Client::new(&server.addresses()[0])
}

fn each_call_serves_one(engine: Engine) {
    let mut server = server(engine, "127.0.0.1:0");
    let control = server.control();
    let clients = [client(&server), client(&server)];
    for (client, number) in clients.iter().zip(1..) {
        client.send_all(b"hi\n").unwrap();
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(client).unwrap(), format!("{number}: hi\n").as_bytes());
        let counters = control.counters();
        assert_eq!((counters.opened, counters.closed), (number, number));
    }
}

fn it_returns_when_the_request_is_done(engine: Engine) {
    let mut server = server(engine, "127.0.0.1:0");
    let (client, control) = (client(&server), server.control());
    client.send_all(b"be").unwrap();
    let (sender, returned) = mpsc::channel();
    let handling = std::thread::spawn(move || {
        let handled = server.handle_request();
        sender.send(()).unwrap();
        handled
    });
    while control.counters().opened == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(returned.try_recv(), Err(mpsc::TryRecvError::Empty));
    assert_eq!(ask(&client, "gin\n", 9), "1: begin\n");
    returned.recv().unwrap();
    assert!(handling.join().unwrap().unwrap());
    assert_eq!(control.counters().closed, 1);
}

fn none_in_time_is_told(engine: Engine) {
    let notes = Notes::new();
    let limit = Some(Duration::from_millis(5));
    let mut server = Server::new().with_engine(engine).with_timeout(limit);
    server.bind("127.0.0.1:0", Line { notes: notes.clone(), verify: true }).unwrap();
    server.bind("127.0.0.1:0", Line { notes: notes.clone(), verify: true }).unwrap();
    assert!(!server.handle_request().unwrap());
    assert_eq!(notes.read(), "timeout timeout", "once for each service");
    let client = client(&server);
    client.send_all(b"hi\n").unwrap();
    assert!(server.handle_request().unwrap());
    assert_eq!(notes.read(), "timeout timeout");
}

fn a_limit_of_nothing_only_looks(engine: Engine) {
    let mut server = server(engine, "127.0.0.1:0").with_timeout(Some(Duration::ZERO));
    assert!(!server.handle_request().unwrap());
    let client = client(&server);
    client.send_all(b"hi\n").unwrap();
    // A connection over loopback is there when `connect` returns.
    assert!(server.handle_request().unwrap());
    assert!(!server.handle_request().unwrap());
}

fn a_refused_request_is_one(engine: Engine) {
    let mut server = Server::new().with_engine(engine);
    server.bind("127.0.0.1:0", Line { notes: Notes::new(), verify: false }).unwrap();
    let client = client(&server);
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client).unwrap(), b"");
    assert_eq!(server.control().counters().refused, 1);
}

fn a_datagram_is_one(engine: Engine) {
    let mut server = server(engine, "udp://127.0.0.1:0");
    let client = client(&server);
    for number in 1..=2 {
        client.send(b"hi\n").unwrap();
        assert!(server.handle_request().unwrap());
        let mut answer = [0; 9];
        let count = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..count], format!("{number}: hi\n").as_bytes());
    }
}

fn a_server_asked_to_stop_waits_for_nobody(engine: Engine) {
    let notes = Notes::new();
    let mut server = Server::new().with_engine(engine);
    server.bind("127.0.0.1:0", Line { notes: notes.clone(), verify: true }).unwrap();
    server.control().shutdown();
    assert!(!server.handle_request().unwrap());
    assert_eq!(notes.read(), "", "nobody was waited for");
}

fn stopping_now_cuts_it_off(engine: Engine) {
    let mut server = server(engine, "127.0.0.1:0");
    let (client, control) = (client(&server), server.control());
    client.send_all(b"never").unwrap();
    let handling = std::thread::spawn(move || server.handle_request());
    while control.counters().opened == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    control.stop_now();
    let error = handling.join().unwrap().unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("cut off"), "{error}");
}

fn serving_for_ever_comes_after(engine: Engine) {
    let guards = Guards { limit_per_address: Some(1), ..Guards::default() };
    let mut server = server(engine, "127.0.0.1:0").with_signals(false).with_guards(guards);
    let (first, second) = (client(&server), client(&server));
    first.send_all(b"hi\n").unwrap();
    assert!(server.handle_request().unwrap());
    let control = server.control();
    let serving = std::thread::spawn(move || {
        server.serve_forever()?;
        server.serve_forever()
    });
    assert_eq!(ask(&second, "ho\n", 6), "2: ho\n");
    control.shutdown();
    let error = serving.join().unwrap().unwrap_err();
    assert!(error.to_string().starts_with("serve: nothing is bound"), "{error}");
}
