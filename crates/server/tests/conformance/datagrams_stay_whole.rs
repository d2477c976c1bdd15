//! A datagram is one request: its handler has all of it, knows its sender, and answers with whole
//! datagrams.

use std::io::{self, ErrorKind, Read, Write};

use crate::support::{Cell, Notes, ask, on_every};
use switchboard::Connection;

on_every! {
    datagrams {
        a_handler_has_the_packet_and_its_sender
        what_is_too_long_is_cut_at_max_packet_size
        an_empty_datagram_is_a_request
        a_reply_is_one_datagram
        what_is_written_goes_out_as_one_datagram
        no_word_no_datagram
        an_answer_that_is_too_large_is_an_error
        a_datagram_ends_after_its_packet
        no_answer_goes_astray
    }
}

fn packet(connection: &mut Connection) -> io::Result<()> {
    let packet = connection.packet().unwrap().to_vec();
    connection.reply(&packet)
}

fn a_handler_has_the_packet_and_its_sender(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        let packet = String::from_utf8_lossy(connection.packet().unwrap()).into_owned();
        let (from, to) = (connection.peer_address().clone(), connection.local_address().clone());
        let kind = connection.is_datagram();
        write!(connection, "{packet} {kind} {from} {to}")
    });
    for _ in 0..3 {
        let client = server.client();
        client.send_all(b"hello").unwrap();
        let mut answer = [0; 512];
        let count = client.recv(&mut answer).unwrap();
        let (from, to) = (client.getsockname().unwrap(), client.getpeername().unwrap());
        assert_eq!(String::from_utf8_lossy(&answer[..count]), format!("hello true {from} {to}"));
    }
    server.stop().unwrap();
}

/// The sizes that come back as `answer_sizes` when `sent_sizes` are sent.
fn sizes(cell: Cell, max: Option<usize>, sent_sizes: &[usize], answer_sizes: &[usize]) {
    let server = cell.server();
    let server = match max {
        Some(max) => server.with_max_packet_size(max),
        None => server,
    };
    let server = cell.serve_by(server, packet);
    let client = server.client();
    let mut answer = vec![0; 65_536];
    for (sent, answered) in sent_sizes.iter().zip(answer_sizes) {
        let bytes: Vec<_> = (0..*sent).map(|place| (place * 3 + place / 100) as u8).collect();
        assert_eq!(client.send(&bytes).unwrap(), *sent);
        assert_eq!(client.recv(&mut answer).unwrap(), *answered);
        assert!(answer[..*answered] == bytes[..*answered]);
    }
    server.stop().unwrap();
}

fn what_is_too_long_is_cut_at_max_packet_size(cell: Cell) {
    sizes(cell, None, &[8191, 8192, 8193, 9000, 60_000, 5], &[8191, 8192, 8192, 8192, 8192, 5]);
    sizes(cell, Some(16), &[15, 16, 17, 9000, 1], &[15, 16, 16, 16, 1]);
    sizes(cell, Some(60_000), &[60_000, 59_999], &[60_000, 59_999]);
}

fn an_empty_datagram_is_a_request(cell: Cell) {
    sizes(cell, None, &[0, 3, 0, 0], &[0, 3, 0, 0]);
}

fn a_reply_is_one_datagram(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        connection.write_all(b"at last")?;
        connection.reply(b"one")?;
        connection.reply(b"")?;
        connection.flush()?;
        connection.reply(b"three")
    });
    let client = server.client();
    for _ in 0..3 {
        client.send_all(b"go").unwrap();
        for expected in ["one", "", "three", "at last"] {
            let mut answer = [0; 64];
            let count = client.recv(&mut answer).unwrap();
            assert_eq!(answer[..count], *expected.as_bytes());
        }
    }
    let counters = server.until(|counters| counters.closed == 3);
    assert_eq!((counters.received, counters.sent), (6, 3 * 15));
    server.stop().unwrap();
}

fn what_is_written_goes_out_as_one_datagram(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        for _ in 0..3 {
            connection.write_all(&[7; 10_000])?;
            connection.flush()?;
        }
        Ok(())
    });
    let client = server.client();
    client.send_all(b"go").unwrap();
    let mut answer = vec![0; 65_536];
    assert_eq!(client.recv(&mut answer).unwrap(), 30_000);
    server.stop().unwrap();
}

fn no_word_no_datagram(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| match connection.packet() {
        Some(b"quiet") => Ok(()),
        _ => connection.write_all(b"loud"),
    });
    let client = server.client();
    client.send_all(b"quiet").unwrap();
    server.until(|counters| counters.closed == 1);
    assert_eq!(ask(&client, "loud, please", 4), "loud");
    server.stop().unwrap();
}

fn an_answer_that_is_too_large_is_an_error(cell: Cell) {
    let notes = Notes::new();
    let log = notes.clone();
    let server = cell.serve(move |connection: &mut Connection| {
        if connection.packet() == Some(b"much") {
            let error = connection.write_all(&[7; 70_000]).unwrap_err();
            log.add(format!("{:?}", error.kind()));
            return Err(error);
        }
        connection.write_all(b"enough")
    });
    let client = server.client();
    client.send_all(b"much").unwrap();
    server.until(|counters| counters.closed == 1);
    assert_eq!(notes.read(), format!("{:?}", ErrorKind::InvalidInput));
    assert!(server.told("reason: Failed"));
    assert_eq!(ask(&client, "little", 6), "enough");
    server.stop().unwrap();
}

/// Reading gives the packet, then the end; `next_request` is true once.
fn a_datagram_ends_after_its_packet(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        let mut requests = 0;
        while connection.next_request()? {
            requests += 1;
            let mut line = String::new();
            connection.read_line(&mut line)?;
            let mut rest = String::new();
            connection.read_to_string(&mut rest)?;
            write!(connection, "{}+{}", line.trim_end(), rest.trim_end())?;
        }
        let end = connection.read(&mut [0; 8])?;
        write!(connection, " {requests} {end}")
    });
    assert_eq!(ask(&server.client(), "one\ntwo\nthree\n", 17), "one+two\nthree 1 0");
    server.stop().unwrap();
}

/// Each of many clients gets the answers to its own questions.
fn no_answer_goes_astray(cell: Cell) {
    let server = cell.serve(packet);
    let clients: Vec<_> = (0..16).map(|_| server.client()).collect();
    for turn in 0..4 {
        let question = |number: usize| format!("{turn} of {number:02}");
        for (number, client) in clients.iter().enumerate() {
            client.send_all(question(number).as_bytes()).unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            let mut answer = [0; 64];
            let count = client.recv(&mut answer).unwrap();
            assert_eq!(answer[..count], *question(number).as_bytes());
        }
    }
    server.stop().unwrap();
}
