//! The hooks of a request run in socketserver's order, whatever happens in one of them: verify,
//! the making of the handler, setup, handle, finish, then what is told of an error.

use std::io::{self, Read, Write};

use crate::support::{Cell, Client, Notes, ask, on_every, panics, read_all};
use switchboard::{Connection, Handler, Service, per_connection};

on_every! {
    transports {
        whatever_a_step_does_the_others_run_in_order
        a_handler_that_cannot_be_made_is_an_error
        handle_error_may_panic
        a_closure_is_a_handler
    }
    connections {
        each_connection_has_a_handler_of_its_own
    }
    datagrams {
        each_datagram_has_a_handler_of_its_own
    }
}

/// What the client asks for, the hooks that run, and the answer. A handler is gone before anybody
/// is told of its error.
const ROWS: &[(&str, &str, &str)] = &[
    ("nothing", "verify make setup handle finish drop", "setup handle finish "),
    ("setup fails", "verify make setup drop error:Other:setup_fails", "setup "),
    ("setup panics", "verify make setup drop error:Other:setup_panics", "setup "),
    (
        "handle fails",
        "verify make setup handle finish drop error:Other:handle_fails",
        "setup handle finish ",
    ),
    (
        "handle panics",
        "verify make setup handle finish drop error:Other:handle_panics",
        "setup handle finish ",
    ),
    (
        "finish fails",
        "verify make setup handle finish drop error:Other:finish_fails",
        "setup handle finish ",
    ),
    (
        "finish panics",
        "verify make setup handle finish drop error:Other:finish_panics",
        "setup handle finish ",
    ),
    ("nothing again", "verify make setup handle finish drop", "setup handle finish "),
];

/// Notes every hook; its handlers fail where their client asks for it.
struct Noted(Notes);

impl Service for Noted {
    fn handler(&self) -> Box<dyn Handler + '_> {
        self.0.add("make");
        Box::new(Steps { notes: self.0.clone(), wish: String::new() })
    }

    fn verify_request(&self, _: &Connection) -> bool {
        self.0.add("verify");
        true
    }

    fn handle_error(&self, _: &Connection, error: &io::Error) {
        self.0.add(format!("error:{:?}:{error}", error.kind()).replace(' ', "_"));
    }
}

struct Steps {
    notes: Notes,
    wish: String,
}

impl Steps {
    fn step(&self, connection: &mut Connection, name: &str) -> io::Result<()> {
        self.notes.add(name);
        write!(connection, "{name} ")?;
        match self.wish.strip_prefix(name) {
            Some(" panics") => panics(&self.wish),
            Some(_) => Err(io::Error::other(self.wish.clone())),
            None => Ok(()),
        }
    }
}

impl Handler for Steps {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        line.trim_end().clone_into(&mut self.wish);
        self.step(connection, "setup")
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.step(connection, "handle")
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.step(connection, "finish")
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.notes.add("drop");
    }
}

/// What comes back before the end, or in one datagram.
fn answer(cell: Cell, client: &Client) -> String {
    let mut answer = vec![0; 4096];
    let bytes = match cell.transport.is_datagram() {
        true => client.recv(&mut answer).map(|count| answer[..count].to_vec()),
        false => read_all(client),
    };
    String::from_utf8(bytes.unwrap()).unwrap()
}

fn whatever_a_step_does_the_others_run_in_order(cell: Cell) {
    let notes = Notes::new();
    let server = cell.serve(Noted(notes.clone()));
    let mut expected = Vec::new();
    for (done, (wish, hooks, replied)) in (1..).zip(ROWS) {
        let client = server.client();
        client.send_all(format!("{wish}\n").as_bytes()).unwrap();
        assert_eq!(answer(cell, &client), *replied, "{wish}");
        server.until(|counters| counters.closed == done);
        expected.push(*hooks);
        assert_eq!(notes.read(), expected.join(" "), "{wish}");
    }
    assert_eq!(server.control.counters().panicked, 3);
    assert_eq!(server.events_with("reason: Panicked").len(), 3);
    for wish in ["setup fails", "handle fails", "finish fails"] {
        assert_eq!(server.events_with(wish).len(), 1, "{wish}");
    }
    server.stop().unwrap();
}

struct Unmade(Notes);

impl Service for Unmade {
    fn handler(&self) -> Box<dyn Handler + '_> {
        panics("no material")
    }

    fn handle_error(&self, _: &Connection, error: &io::Error) {
        self.0.add(error);
    }
}

/// Three times something that must not hurt the server, and how many panics were told.
fn thrice(cell: Cell, service: impl Service, listens: bool) -> u64 {
    let server = cell.serve(service);
    for done in 1..4 {
        let client = server.client();
        // To whom nobody listens, nobody talks: it would be a race with the end.
        if listens || cell.transport.is_datagram() {
            client.send_all(b"anything\n").unwrap();
        }
        if !cell.transport.is_datagram() {
            assert_eq!(answer(cell, &client), "");
        }
        server.until(|counters| counters.closed == done);
    }
    let panicked = server.control.counters().panicked;
    server.stop().unwrap();
    panicked
}

fn a_handler_that_cannot_be_made_is_an_error(cell: Cell) {
    let notes = Notes::new();
    assert_eq!(thrice(cell, Unmade(notes.clone()), false), 3);
    assert_eq!(notes.read(), "no material no material no material");
}

/// Fails, and fails again when told of it.
struct Clumsy;

impl Service for Clumsy {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Clumsy)
    }

    fn handle_error(&self, _: &Connection, _: &io::Error) {
        panics("and again");
    }
}

impl Handler for Clumsy {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.read_line(&mut String::new())?;
        Err(io::Error::other("clumsy"))
    }
}

fn handle_error_may_panic(cell: Cell) {
    assert_eq!(thrice(cell, Clumsy, true), 0, "only handlers are counted");
}

fn a_closure_is_a_handler(cell: Cell) {
    let greeting = "well, ".to_owned();
    let server = cell.serve(move |connection: &mut Connection| {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        write!(connection, "{greeting}{line}")
    });
    assert_eq!(ask(&server.client(), "hello\n", 12), "well, hello\n");
    assert_eq!(ask(&server.client(), "again\n", 12), "well, again\n");
    server.stop().unwrap();
}

/// Counts what it is given.
struct Count(u32);

impl Handler for Count {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut bytes = [0; 1];
        while connection.read(&mut bytes)? > 0 {
            self.0 += 1;
            write!(connection, "{}", self.0)?;
        }
        Ok(())
    }
}

fn each_connection_has_a_handler_of_its_own(cell: Cell) {
    let server = cell.serve(per_connection(|| Count(0)));
    let first = server.client();
    assert_eq!(ask(&first, "a", 1) + &ask(&first, "a", 1), "12");
    let first = (!cell.is_serial()).then_some(first);
    let second = server.client();
    assert_eq!(ask(&second, "a", 1) + &ask(&second, "a", 1), "12");
    first.inspect(|first| assert_eq!(ask(first, "a", 1), "3"));
    drop(second);
    server.stop().unwrap();
}

fn each_datagram_has_a_handler_of_its_own(cell: Cell) {
    let server = cell.serve(per_connection(|| Count(0)));
    let client = server.client();
    assert_eq!(ask(&client, "aaa", 3) + &ask(&client, "aa", 2), "12312");
    server.stop().unwrap();
}
