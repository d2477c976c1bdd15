//! What is posted to a connection arrives, in order, without anybody waiting for a peer that does
//! not read; and that peer costs its queue, then its connection.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Cell, Client, Notes, Serving, ask, on_every, read_all};
use switchboard::{Connection, Engine, Guards, Writer};

on_every! {
    connections {
        posts_keep_their_order_among_all_that_is_sent
        a_socket_that_is_full_holds_up_nobody
        what_is_posted_while_another_sends_arrives
        what_is_posted_before_the_end_arrives
        what_is_posted_before_a_drain_arrives
        who_does_not_read_is_cut_off
        who_reads_too_slowly_is_timed_out
        everybody_hears_everything
        one_who_does_not_read_costs_the_others_nothing
    }
}

/// A message of this size, filled with its number.
fn message(number: usize) -> Arc<[u8]> {
    Arc::from([number as u8; BYTES])
}

const BYTES: usize = 4000;
/// More of them than the buffers of most sockets hold, and fewer than the queue.
const MANY: usize = 1000;
/// More than those of any socket hold.
const ENOUGH: usize = 20 * MANY;

/// Queues and buffers for those tests that need to know how much they hold.
fn roomy() -> Guards {
    Guards { limit_queue: 2 * MANY * BYTES, ..Guards::default() }
}

fn post_many(writer: &Writer) -> io::Result<()> {
    (0..MANY).try_for_each(|number| post(writer, &message(number)))
}

/// Posts, in a handler, where a panic would print.
fn post(writer: &Writer, message: &[u8]) -> io::Result<()> {
    match writer.post(&Arc::from(message)) {
        true => Ok(()),
        false => Err(io::Error::other("it could not be posted")),
    }
}

/// Receives exactly what `post_many` has posted.
fn receive_many(cell: Cell, client: &Client) {
    let mut bytes = [0; BYTES];
    for number in 0..MANY {
        match cell.transport.has_messages() {
            // Posts are not glued together where that can be seen.
            true => assert_eq!(client.recv(&mut bytes).unwrap(), BYTES),
            false => client.recv_exact(&mut bytes).unwrap(),
        }
        assert!(bytes.iter().all(|byte| *byte == number as u8), "message {number}");
    }
}

fn posts_keep_their_order_among_all_that_is_sent(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| -> io::Result<()> {
        let writer = connection.writer()?;
        for _ in 0..20 {
            post(&writer, b"a")?;
            post(&writer, b"b")?;
            writer.send(b"c")?;
            post(&writer, b"d")?;
            connection.reply(b"e")?;
            post(&writer, b"f")?;
        }
        connection.write_all(b"!")
    });
    assert_eq!(read_all(&server.client()).unwrap(), [&b"abcdef".repeat(20)[..], b"!"].concat());
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.sent, 121);
    server.stop().unwrap();
}

/// The handler waits for its peer, and the peer reads nothing until all has been posted.
fn a_socket_that_is_full_holds_up_nobody(cell: Cell) {
    let service = |connection: &mut Connection| -> io::Result<()> {
        let writer = connection.writer()?;
        post_many(&writer)?;
        connection.read_exact(&mut [0])?;
        post(&writer, b"last")
    };
    let server = cell.serve_by(cell.guarded(roomy()), service);
    let client = server.client();
    receive_many(cell, &client);
    assert_eq!(ask(&client, "!", 4), "last");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.sent, (MANY * BYTES + 4) as u64);
    server.stop().unwrap();
}

/// One beside the handler is in the middle of a long `send` when something is posted.
fn what_is_posted_while_another_sends_arrives(cell: Cell) {
    const LONG: usize = 4 * MANY * BYTES;
    let notes = Notes::new();
    let log = notes.clone();
    let service = move |connection: &mut Connection| -> io::Result<()> {
        let writer = connection.writer()?;
        let parts = if cell.transport.has_messages() { 4 * MANY } else { 1 };
        let part = vec![7; LONG / parts];
        connection.spawn(move || (0..parts).try_for_each(|_| writer.send(&part)))?;
        connection.read_exact(&mut [0])?;
        post(&connection.writer()?, b"posted")?;
        log.add("posted");
        connection.read(&mut [0]).map(drop)
    };
    let server = cell.serve_by(cell.guarded(roomy()), service);
    let client = server.client();
    let (mut bytes, mut sevens, mut others) = (vec![0; 65_536], 0, Vec::<u8>::new());
    while sevens + others.len() < LONG + 6 {
        let count = client.recv(&mut bytes).unwrap();
        assert!(count > 0);
        if sevens == 0 {
            // Some of it has come, and the rest has no room until it is posted.
            client.send_all(b"!").unwrap();
            notes.until(|notes| !notes.is_empty());
        }
        sevens += bytes[..count].iter().filter(|byte| **byte == 7).count();
        others.extend(bytes[..count].iter().filter(|byte| **byte != 7));
    }
    assert_eq!(others, b"posted");
    drop(client);
    server.until(|counters| counters.closed == 1);
    server.stop().unwrap();
}

fn what_is_posted_before_the_end_arrives(cell: Cell) {
    let service = |connection: &mut Connection| post_many(&connection.writer()?);
    let server = cell.serve_by(cell.guarded(roomy()), service);
    let client = server.client();
    receive_many(cell, &client);
    assert_eq!(read_all(&client).unwrap(), b"");
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!((counters.sent, counters.timed_out), ((MANY * BYTES) as u64, 0));
    assert!(server.told("reason: Finished"), "{:?}", server.events_with("Closed"));
    server.stop().unwrap();
}

fn what_is_posted_before_a_drain_arrives(cell: Cell) {
    let service = |connection: &mut Connection| -> io::Result<()> {
        let writer = connection.writer()?;
        connection.read_exact(&mut [0])?;
        post_many(&writer)?;
        connection.next_request().map(drop)
    };
    let guards = Guards { grace: Duration::from_secs(40), ..roomy() };
    let server = cell.serve_by(cell.guarded(guards), service);
    let client = server.client();
    client.send_all(b"!").unwrap();
    let mut first = [0; BYTES];
    client.recv_exact(&mut first[..1]).unwrap_or_else(|error| panic!("{error}"));
    server.control.shutdown();
    server.until_told("DrainBegan");
    let mut rest = read_all(&client).unwrap();
    // Of a message that is received in part the rest is gone.
    let expected =
        if cell.transport.has_messages() { (MANY - 1) * BYTES } else { MANY * BYTES - 1 };
    assert_eq!(rest.len(), expected);
    rest.dedup();
    assert_eq!(rest[rest.len() - 1], (MANY - 1) as u8);
    let counters = server.until(|counters| counters.closed == 1);
    assert_eq!(counters.sent, (MANY * BYTES) as u64);
    server.stop().unwrap();
}

fn who_does_not_read_is_cut_off(cell: Cell) {
    let service = |connection: &mut Connection| -> io::Result<()> {
        let writer = connection.writer()?;
        let message = message(7);
        while writer.post(&message) {}
        connection.read(&mut [0]).map(drop)
    };
    let server = cell.serve_by(cell.guarded(Guards::default()), service);
    let client = server.client();
    let counters = server.until(|counters| counters.closed == 1);
    assert!(server.told("OverLimit(\"queue\")"), "{:?}", server.events_with("Closed"));
    // The queue, and what the buffers of both kernels hold.
    assert!(counters.sent > 0);
    // What has arrived is there; the end may be a reset.
    while client.recv(&mut [0; 65_536]).is_ok_and(|count| count > 0) {}
    server.stop().unwrap();
}

fn who_reads_too_slowly_is_timed_out(cell: Cell) {
    let service = |connection: &mut Connection| -> io::Result<()> {
        // More than the buffers of any socket hold. Where this takes longer than the deadline, not
        // all of it can be posted.
        let writer = connection.writer()?;
        let message = message(7);
        let _ = (0..ENOUGH).all(|_| writer.post(&message));
        connection.read(&mut [0]).map(drop)
    };
    let limit_queue = 2 * ENOUGH * BYTES;
    let deadline_write = Some(Duration::from_millis(50));
    let guards = Guards { deadline_write, limit_queue, ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), service);
    let client = server.client();
    let counters = server.until(|counters| counters.closed == 1);
    assert!(server.told("TimedOut(\"write\")"), "{:?}", server.events_with("Closed"));
    assert_eq!(counters.timed_out, 1);
    drop(client);
    server.stop().unwrap();
}

type Members = Arc<Mutex<Vec<Writer>>>;

/// Handlers post to all members, themselves included, and so does a thread of nobody's, while
/// members come and go.
fn everybody_hears_everything(cell: Cell) {
    // One at a time have nobody to talk to, and other processes have other members.
    if cell.is_serial() || cell.engine == Engine::Processes {
        return;
    }
    let members = Members::default();
    let theirs = Arc::clone(&members);
    let server = cell.serve(move |connection: &mut Connection| -> io::Result<()> {
        theirs.lock().unwrap().push(connection.writer()?);
        let mut word = [0; 4];
        while connection.next_request()? {
            connection.read_exact(&mut word)?;
            say(&theirs, &word);
        }
        Ok(())
    });
    let clients: Vec<_> = (0..12).map(|_| joined(&server, &members)).collect();
    let speaker = joined(&server, &members);
    for turn in 0..30 {
        let leaver = joined(&server, &members);
        match turn % 3 {
            0 => say(&members, format!("{turn:04}").as_bytes()),
            _ => speaker.send_all(format!("{turn:04}").as_bytes()).unwrap(),
        }
        if turn % 2 == 0 {
            leaver.shutdown(Shutdown::Both).unwrap();
        }
        drop(leaver);
        let mut word = [0; 4];
        for client in clients.iter().chain([&speaker]) {
            client.recv_exact(&mut word).unwrap();
            assert_eq!(String::from_utf8_lossy(&word), format!("{turn:04}"));
        }
    }
    // Many before anybody looks.
    (0..500).for_each(|number| say(&members, format!("{number:04}").as_bytes()));
    for client in clients.iter().chain([&speaker]) {
        for number in 0..500 {
            let mut word = [0; 4];
            client.recv_exact(&mut word).unwrap();
            assert_eq!(String::from_utf8_lossy(&word), format!("{number:04}"));
        }
    }
    server.stop().unwrap();
}

/// One of many reads nothing, until it is cut off, and others go while messages are on their way.
fn one_who_does_not_read_costs_the_others_nothing(cell: Cell) {
    // As above.
    if cell.is_serial() || cell.engine == Engine::Processes {
        return;
    }
    let members = Members::default();
    let theirs = Arc::clone(&members);
    let service = move |connection: &mut Connection| -> io::Result<()> {
        theirs.lock().unwrap().push(connection.writer()?);
        let mut bytes = [0; BYTES];
        while connection.next_request()? {
            connection.read_exact(&mut bytes)?;
            say(&theirs, &bytes);
        }
        Ok(())
    };
    // Only its queue ends it, however long the turns take.
    let guards = Guards { deadline_write: None, ..Guards::default() };
    let server = cell.serve_by(cell.guarded(guards), service);
    let deaf = joined(&server, &members);
    let mut clients: Vec<_> = (0..8).map(|_| joined(&server, &members)).collect();
    let (mut bytes, mut number) = ([0; BYTES], 0_usize);
    while !server.told("OverLimit(\"queue\")") {
        // From a handler and from a thread of nobody's.
        match number % 3 {
            0 => say(&members, &message(number)),
            _ => clients[number % 8].send_all(&message(number)).unwrap(),
        }
        let leaves = number < 200 && number % 20 == 5;
        if leaves {
            // Not the one who has just spoken.
            drop(clients.swap_remove((number + 1) % 8));
        }
        for client in &clients {
            client.recv_exact(&mut bytes).unwrap();
            assert!(bytes.iter().all(|byte| *byte == number as u8), "message {number}");
        }
        if leaves {
            clients.push(joined(&server, &members));
        }
        number += 1;
    }
    drop(deaf);
    server.stop().unwrap();
}

/// A client whose handler has joined.
fn joined(server: &Serving, members: &Members) -> Client {
    let before = members.lock().unwrap().len();
    let client = server.client();
    while members.lock().unwrap().len() <= before {
        std::thread::yield_now();
    }
    client
}

fn say(members: &Members, word: &[u8]) {
    let message = Arc::from(word);
    members.lock().unwrap().retain(|member| member.post(&message));
}
