//! A datagram is one request: its handler has all of it, knows its sender, and answers with whole
//! datagrams.

use std::io::{self, ErrorKind, Read, Write};

use crate::support::{Cell, Client, Notes, ask, on_every};
use switchboard::{Connection, Engine};

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
        many_of_one_sender_are_answered_one_by_one
        an_answer_that_fails_takes_no_other_with_it
        who_waits_keeps_no_answer_back
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

/// Answers of one size and of several, as many as wait at once.
fn many_of_one_sender_are_answered_one_by_one(cell: Cell) {
    const MANY: usize = 8;
    let server = cell.serve(written);
    let client = server.client();
    let mut answer = [0; 4096];
    for turn in 0..20 {
        let length = |number: usize| [1400, 64, 64 + number, 1][turn % 4];
        let question = |number: usize| vec![number as u8; length(number)];
        (0..MANY).for_each(|number| client.send_all(&question(number)).unwrap());
        let mut missing: Vec<_> = (0..MANY).collect();
        while !missing.is_empty() {
            let count = client.recv(&mut answer).unwrap();
            let number = usize::from(answer[0]);
            assert_eq!(answer[..count], question(number));
            assert!(missing.contains(&number), "{number} came twice");
            missing.retain(|other| *other != number);
        }
    }
    let counters = server.until(|counters| counters.closed == 20 * MANY as u64);
    assert_eq!(counters.sent, counters.received);
    server.stop().unwrap();
}

/// The packet back, by what is written.
fn written(connection: &mut Connection) -> io::Result<()> {
    let packet = connection.packet().unwrap().to_vec();
    connection.write_all(&packet)
}

/// Datagrams that came together are answered together; each has an end of its own.
fn an_answer_that_fails_takes_no_other_with_it(cell: Cell) {
    // As large as a handler may write, but larger than UDP can carry.
    const LARGE: usize = 65_530;
    let server = cell.serve(|connection: &mut Connection| match connection.packet() {
        Some(b"large") => connection.write_all(&[7; LARGE]),
        _ => connection.write_all(b"small"),
    });
    let client = server.client();
    let fails = cell.transport.is_inet();
    for turn in 1..=10 {
        for word in [&b"large"[..], b"any", b"any", b"large", b"large", b"any"] {
            client.send_all(word).unwrap();
        }
        let mut answer = vec![0; 65_536];
        let mut answers = (0, 0);
        while answers.0 + answers.1 < if fails { 3 } else { 6 } {
            match client.recv(&mut answer).unwrap() {
                5 => answers.0 += 1,
                LARGE => answers.1 += 1,
                other => panic!("{other} bytes came back"),
            }
        }
        assert_eq!(answers, if fails { (3, 0) } else { (3, 3) });
        let counters = server.until(|counters| counters.closed == 6 * turn);
        let sent = turn as usize * (15 + if fails { 0 } else { 3 * LARGE });
        assert_eq!(counters.sent, sent as u64);
    }
    assert_eq!(server.events_with("reason: Failed").len(), if fails { 30 } else { 0 });
    assert_eq!(server.events_with("reason: Finished").len(), if fails { 30 } else { 60 });
    server.stop().unwrap();
}

/// A handler that waits does so alone: the answers of those before and after it come.
fn who_waits_keeps_no_answer_back(cell: Cell) {
    // One at a time, a process each: whoever waits there has nobody beside, or no memory in common.
    if cell.is_serial() || cell.engine == Engine::Processes {
        return;
    }
    let (release, released) = switchboard::sync::channel::<()>(1);
    let server = cell.serve(move |connection: &mut Connection| {
        match connection.packet() {
            Some(b"wait") => drop(released.recv()),
            Some(b"release") => drop(release.try_send(())),
            _ => {}
        }
        connection.write_all(b"done")
    });
    let clients: Vec<_> = (0..7).map(|_| server.client()).collect();
    for _ in 0..20 {
        for (number, client) in clients.iter().enumerate() {
            client.send_all(if number == 3 { b"wait" } else { b"pass" }).unwrap();
        }
        let done = |client: &Client| client.recv_exact(&mut [0; 4]).unwrap();
        clients.iter().enumerate().filter(|(number, _)| *number != 3).for_each(|it| done(it.1));
        clients[0].send_all(b"release").unwrap();
        done(&clients[0]);
        done(&clients[3]);
    }
    server.stop().unwrap();
}
