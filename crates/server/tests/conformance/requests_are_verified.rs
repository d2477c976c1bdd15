//! A request that `verify_request` refuses is handled by nobody: its peer sees the end, and the
//! server goes on.

use std::io::{self, Write};

use crate::support::{Cell, Notes, ask, on_every, panics, read_all};
use switchboard::socket::Flags;
use switchboard::{Connection, Handler, Service};

on_every! {
    connections {
        a_refused_connection_sees_the_end
        a_refusal_may_panic
    }
    datagrams {
        a_refused_datagram_gets_no_answer
    }
}

/// Refuses whoever says "no".
struct Picky {
    notes: Notes,
    panics: bool,
}

impl Service for Picky {
    fn handler(&self) -> Box<dyn Handler + '_> {
        self.notes.add("make");
        Box::new(Thanks)
    }

    fn verify_request(&self, connection: &Connection) -> bool {
        let mut word = [0; 2];
        let word = match connection.packet() {
            Some(packet) => packet,
            None => {
                let count = connection.socket().recv_from_with(&mut word, Flags::PEEK).unwrap().0;
                &word[..count]
            }
        };
        if self.panics && word == b"no" {
            panics("how dare they");
        }
        word != b"no"
    }

    fn handle_error(&self, _: &Connection, _: &io::Error) {
        self.notes.add("error");
    }
}

struct Thanks;

impl Handler for Thanks {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.read_line(&mut String::new())?;
        connection.write_all(b"thanks")
    }
}

/// `MiscTestCase.test_shutdown_request_called_if_verify_request_false`: the end, and no reset,
/// even though what the client said was never read.
fn refused(cell: Cell, panics: bool) {
    let notes = Notes::new();
    let server = cell.serve(Picky { notes: notes.clone(), panics });
    for done in 1..4 {
        let client = server.client();
        client.send_all(b"no").unwrap();
        assert_eq!(read_all(&client).unwrap(), b"");
        server.until(|counters| counters.refused == done);
    }
    assert_eq!((notes.read(), server.control.counters().opened), (String::new(), 0));
    assert_eq!(server.events_with("VerifyRequest").len(), 3);
    assert_eq!(ask(&server.client(), "yes\n", 6), "thanks");
    server.stop().unwrap();
}

fn a_refused_connection_sees_the_end(cell: Cell) {
    refused(cell, false);
}

fn a_refusal_may_panic(cell: Cell) {
    refused(cell, true);
}

fn a_refused_datagram_gets_no_answer(cell: Cell) {
    let notes = Notes::new();
    let server = cell.serve(Picky { notes, panics: false });
    let client = server.client();
    client.send_all(b"no").unwrap();
    server.until(|counters| counters.refused == 1);
    assert_eq!(ask(&client, "yes\n", 6), "thanks");
    let counters = server.until(|counters| counters.closed > 0);
    assert_eq!((counters.opened, counters.refused), (1, 1));
    server.stop().unwrap();
}
