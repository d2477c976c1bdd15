//! A handler is not alone with its connection: work runs beside it, others send to its peer, it
//! knows who a Unix peer is, and it sets its own deadlines.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::support::{Cell, ask, on_every, read_all};
use switchboard::{Connection, Guards};

on_every! {
    connections {
        what_runs_beside_is_waited_for
        what_does_not_end_is_cut_off
        a_deadline_that_passes_beside_is_told
        a_panic_beside_is_told
        a_unix_peer_is_known
        a_handler_sets_its_own_deadline
    }
}

fn what_runs_beside_is_waited_for(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| -> io::Result<()> {
        for word in ["one\n", "two\n"] {
            let mut writer = connection.writer()?;
            connection.spawn(move || writer.write_all(word.as_bytes()))?;
        }
        Ok(())
    });
    let client = server.client();
    let mut words = [0; 8];
    client.recv_exact(&mut words[..4]).unwrap();
    client.recv_exact(&mut words[4..]).unwrap();
    assert!(matches!(&words, b"one\ntwo\n" | b"two\none\n"), "{}", words.escape_ascii());
    assert_eq!(read_all(&client).unwrap(), b"");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.sent, 8);
    server.stop().unwrap();
}

fn what_does_not_end_is_cut_off(cell: Cell) {
    let guards = Guards { deadline_write: Some(Duration::from_millis(50)), ..Guards::default() };
    let service = |connection: &mut Connection| -> io::Result<()> {
        let writer = connection.writer()?;
        // It would go on for as long as its peer listens.
        connection.spawn(move || {
            loop {
                writer.send(b".")?;
                switchboard::sleep(Duration::from_millis(1));
            }
        })?;
        connection.read(&mut [0]).map(drop)
    };
    let server = cell.serve_by(cell.guarded(guards), service);
    let client = server.client();
    client.send_all(b"!").unwrap();
    // All that was sent before the end; the end may be a reset.
    let mut dots = [0; 64];
    while client.recv(&mut dots).is_ok_and(|count| count > 0) {}
    server.until(|counters| counters.closed == 1);
    server.stop().unwrap();
}

fn a_deadline_that_passes_beside_is_told(cell: Cell) {
    let guards = Guards { deadline_write: Some(Duration::from_millis(50)), ..Guards::default() };
    let service = |connection: &mut Connection| -> io::Result<()> {
        let writer = connection.writer()?;
        connection.spawn(move || {
            loop {
                writer.send(&[b'.'; 4096])?;
            }
        })?;
        connection.read(&mut [0]).map(drop)
    };
    let server = cell.serve_by(cell.guarded(guards), service);
    // It does not read.
    let client = server.client();
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.timed_out, 1, "{:?}", server.events_with(""));
    drop(client);
    server.stop().unwrap();
}

fn a_panic_beside_is_told(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| -> io::Result<()> {
        // Without the hook, which would print.
        connection.spawn(|| std::panic::resume_unwind(Box::new("beside")))?;
        connection.write_all(b"fine\n")
    });
    let client = server.client();
    assert_eq!(read_all(&client).unwrap(), b"fine\n");
    server.until(|counters| counters.closed == 1);
    assert!(server.told("Panicked") && server.told("beside"), "{:?}", server.events_with(""));
    server.stop().unwrap();
}

fn a_unix_peer_is_known(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| -> io::Result<()> {
        let answer = match connection.peer_credentials() {
            Ok(peer) => peer.pid.to_string(),
            Err(error) => format!("{:?}", error.kind()),
        };
        connection.write_all(answer.as_bytes())
    });
    let expected = match cell.transport.is_inet() {
        true => "Unsupported".to_owned(),
        false => std::process::id().to_string(),
    };
    let answer = read_all(&server.client()).unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), expected);
    server.stop().unwrap();
}

fn a_handler_sets_its_own_deadline(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| -> io::Result<()> {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        connection.write_all(line.as_bytes())?;
        connection.set_deadline_idle(Some(Duration::from_millis(20)));
        connection.read_line(&mut line).map(drop)
    });
    let client = server.client();
    assert_eq!(ask(&client, "hello\n", 6), "hello\n");
    assert_eq!(read_all(&client).unwrap(), b"");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.timed_out, 1, "{:?}", server.events_with(""));
    server.stop().unwrap();
}
