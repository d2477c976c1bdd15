//! When a server has ended, however it ended, nothing of it is left: no descriptor, no thread, no
//! child, no path, and its address is free; on every engine and transport. And while it serves, it
//! keeps nothing of connections that are over.
//!
//! A single test, since it counts what the whole process has.

mod support;

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};

use support::census::Census;
use support::{Cell, Client, Serving, Transport, Watchdog, ask};
use switchboard::socket::Type;
use switchboard::{Connection, Engine, Guards, Handler, Server, Service, Socket};

/// How a server comes to its end, in words, and what makes it do so.
type End = (&'static str, fn(Cell));

const ENDS: &[End] = &[
    ("it was never served", never_served),
    ("it could not be bound", not_bound),
    ("it was shut down", shut_down),
    ("its handlers failed", handlers_failed),
    ("its clients were refused", clients_refused),
    ("its connections were cut off", cut_off),
    ("its clients were many", many_clients),
    ("its address was bound again", bound_again),
];

#[test]
fn everything_is_given_back() {
    let _watchdog = Watchdog::new();
    let mut stranger = Command::new("sh");
    stranger.args(["-c", "read line; exit 72"]).stdin(Stdio::piped());
    let stranger = stranger.spawn().unwrap();
    for engine in Engine::ALL {
        // What an engine makes once for the whole process is there after its first server.
        ENDS.iter().for_each(|(_, end)| end(Cell { engine: *engine, transport: Transport::TcpV4 }));
    }
    // One for all cells, so that what each of them left over would add up.
    let before = Census::take();
    for engine in Engine::ALL {
        for transport in Transport::ALL {
            let cell = Cell { engine: *engine, transport: *transport };
            for (name, end) in ENDS {
                end(cell);
                before.comes_back(&format!("{cell:?}, after {name}"));
            }
        }
        over_is_over(*engine);
    }
    a_child_of_somebody_else_is_left_alone(stranger);
}

/// Words that a client chooses, and what comes of them.
struct Whims;

impl Service for Whims {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Whims)
    }

    fn verify_request(&self, connection: &Connection) -> bool {
        connection.packet() != Some(b"refuse\n")
    }
}

impl Handler for Whims {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut line = String::new();
        while connection.read_line(&mut line)? > 0 {
            match line.as_str() {
                "fail\n" => return Err(io::Error::other("as told")),
                "panic\n" => panic!("as told"),
                _ => connection.write_all(line.as_bytes())?,
            }
            line.clear();
        }
        Ok(())
    }
}

fn never_served(cell: Cell) {
    let place = cell.transport.place();
    cell.server().bind(&place.text, Whims).unwrap();
    assert!(place.path.as_ref().is_none_or(|path| !path.exists()));
}

/// `SocketServerTest.test_tcpserver_bind_leak`.
fn not_bound(cell: Cell) {
    let place = cell.transport.place();
    let mut first = cell.server();
    first.bind(&place.text, Whims).unwrap();
    let taken = first.addresses().remove(0);
    for _ in 0..20 {
        drop(cell.server().bind(&taken, Whims).unwrap_err());
        drop(cell.server().bind("tcp://127.0.0.1:65536", Whims).unwrap_err());
        drop(cell.server().bind("/no/such/folder/socket", Whims).unwrap_err());
    }
}

fn shut_down(cell: Cell) {
    let server = cell.serve(Whims);
    assert_eq!(ask(&server.client(), "hello\n", 6), "hello\n");
    gone(server);
}

/// Stops the server and looks for what it leaves outside the process.
fn gone(mut server: Serving) {
    server.control.shutdown();
    server.join().unwrap();
    assert!(server.path().is_none_or(|path| !path.exists()));
    let endpoint = server.address.resolve().unwrap().remove(0);
    if endpoint.kind != Type::DGRAM {
        let error = Socket::connected(&endpoint, Default::default()).unwrap_err();
        let refused = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
        assert!(refused.contains(&error.kind()), "{error}");
    }
}

fn handlers_failed(cell: Cell) {
    let server = cell.serve(Whims);
    for whim in ["fail\n", "panic\n", "fail\n", "panic\n"] {
        let client = server.client();
        client.send_all(whim.as_bytes()).unwrap();
        if !cell.transport.is_datagram() {
            assert_eq!(client.recv(&mut [0; 8]).unwrap(), 0);
        }
    }
    assert_eq!(server.until(|counters| counters.closed == 4).panicked, 2);
    gone(server);
}

/// Refuses every connection.
struct Nobody;

impl Service for Nobody {
    fn handler(&self) -> Box<dyn Handler + '_> {
        unreachable!("nobody is handled")
    }

    fn verify_request(&self, _: &Connection) -> bool {
        false
    }
}

fn clients_refused(cell: Cell) {
    let server = cell.serve(Nobody);
    for done in 1..4 {
        let client = server.client();
        match cell.transport.is_datagram() {
            true => client.send_all(b"anything").unwrap(),
            false => assert_eq!(client.recv(&mut [0; 8]).unwrap(), 0),
        }
        server.until(|counters| counters.refused == done);
    }
    gone(server);
}

fn cut_off(cell: Cell) {
    if cell.transport.is_datagram() {
        return; // a datagram has nothing to wait for
    }
    let mut server = cell.serve(|connection: &mut Connection| {
        connection.read_to_end(&mut Vec::new())?;
        Ok(())
    });
    let _clients = [server.client(), server.client(), server.client()];
    let able = if cell.is_serial() { 1 } else { 3 };
    server.until(|counters| counters.opened == able);
    server.control.stop_now();
    assert!(server.join().unwrap_err().is_timeout());
}

fn many_clients(cell: Cell) {
    let server = cell.serve(Whims);
    let clients: Vec<_> = (0..20).map(|_| server.client()).collect();
    for client in clients {
        assert_eq!(ask(&client, "hello\n", 6), "hello\n");
    }
    gone(server);
}

/// Even though its connections were closed by the server, and are remembered for a while.
fn bound_again(cell: Cell) {
    let place = cell.transport.place();
    let mut address = place.text.parse().unwrap();
    for _ in 0..3 {
        let server = Serving::start(cell.server(), |server| server.bind(&address, Whims));
        address = server.address.clone();
        let client = server.client();
        assert_eq!(ask(&client, "hello\n", 6), "hello\n");
        if !cell.transport.is_datagram() {
            client.send_all(b"fail\n").unwrap();
            assert_eq!(client.recv(&mut [0; 8]).unwrap(), 0, "the server closes first");
        }
        server.stop().unwrap();
    }
}

/// `MiscTestCase.test_threads_reaped`, for children and descriptors too.
fn over_is_over(engine: Engine) {
    let guards = Guards { limit_per_address: Some(100), ..Guards::default() };
    let server = Server::new().with_engine(engine).with_guards(guards);
    let server = Serving::start(server, |server| server.bind("127.0.0.1:0", Whims));
    let visit = |client: Client| assert_eq!(ask(&client, "hello\n", 6), "hello\n");
    visit(server.client());
    server.until(|counters| counters.closed == 1);
    let (before, mut most) = (Census::take(), 0);
    for done in 2..52 {
        visit(server.client());
        server.until(|counters| counters.closed == done);
        most = most.max(Census::take().hands());
    }
    assert!(most <= before.hands() + 3, "{engine}: {most} threads and children");
    before.descriptors_come_back(&format!("{engine}, while it serves"));
    server.stop().unwrap();
}

/// The `simple_subprocess` of CPython's suite: who waits for children waits for its own.
fn a_child_of_somebody_else_is_left_alone(mut stranger: Child) {
    writeln!(stranger.stdin.take().unwrap(), "go").unwrap();
    assert_eq!(stranger.wait().unwrap().code(), Some(72));
}
