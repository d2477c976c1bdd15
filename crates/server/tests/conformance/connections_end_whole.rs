//! What was written arrives whole and is followed by the end of the stream: through small buffers,
//! despite signals, after the peer has finished sending, and whatever happens to others.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Cell, Client, Notes, ask, on_every, panics, read_all};
use switchboard::socket::{Type, signal};
use switchboard::{Connection, Socket};

on_every! {
    connections {
        after_half_a_close_comes_the_whole_answer
        a_large_answer_passes_through_small_buffers
        an_answer_is_whole_despite_signals
        what_is_written_is_sent_before_a_read_waits
        the_socket_of_a_connection_is_its_own
        an_unread_rest_does_not_destroy_the_answer
        a_panic_closes_only_its_own
        a_peer_that_goes_away_harms_nobody
    }
    streams {
        one_large_write_is_written_whole
    }
}

const LARGE: usize = 1 << 20;
/// Fits into a message of any transport.
const PIECE: usize = 4096;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 7 + place / 253) as u8).collect()
}

/// A line that stops a handler until its client wants to go on.
fn line(connection: &mut Connection) -> io::Result<String> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    Ok(line)
}

fn after_half_a_close_comes_the_whole_answer(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        let mut request = Vec::new();
        connection.read_to_end(&mut request)?;
        writeln!(connection, "{} bytes", request.len())?;
        pattern(LARGE).chunks(PIECE).try_for_each(|piece| connection.write_all(piece))
    });
    let client = server.client();
    pattern(3000).chunks(1000).for_each(|piece| client.send_all(piece).unwrap());
    client.shutdown(Shutdown::Write).unwrap();
    let answer = read_all(&client).unwrap();
    assert!(answer[..11] == *b"3000 bytes\n" && answer[11..] == pattern(LARGE));
    server.until(|counters| counters.closed == 1);
    assert!(server.told("PeerClosed"), "{:?}", server.events_with("Closed"));
    server.stop().unwrap();
}

/// Makes the buffer between server and client as small as the system allows; where messages are
/// sent whole, a few of them must fit.
fn shrink(socket: &Socket) {
    let bytes = if socket.kind().unwrap() == Type::SEQPACKET { 16_384 } else { 1 };
    socket.set_so_sndbuf(bytes).unwrap();
}

fn a_large_answer_passes_through_small_buffers(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        shrink(connection.socket());
        pattern(LARGE / 4).chunks(1000).try_for_each(|piece| connection.write_all(piece))?;
        connection.write_all(b"the end")
    });
    let answer = read_all(&server.client()).unwrap();
    let (large, end) = answer.split_at(LARGE / 4);
    assert!(large == pattern(LARGE / 4) && end == b"the end");
    assert_eq!(server.until(|counters| counters.closed == 1).sent, (LARGE / 4 + 7) as u64);
    server.stop().unwrap();
}

fn one_large_write_is_written_whole(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        shrink(connection.socket());
        connection.write_all(&pattern(LARGE))
    });
    assert!(read_all(&server.client()).unwrap() == pattern(LARGE));
    server.stop().unwrap();
}

/// Sends SIGUSR1 to a thread until it is dropped.
struct Signals(Child);

impl Signals {
    fn to(thread: &str) -> Signals {
        let script = "while kill -USR1 $1; do sleep 0.002; done";
        let shell =
            Command::new("sh").args(["-c", script, "sh", thread]).stderr(Stdio::null()).spawn();
        Signals(shell.unwrap())
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How often a thread has gone to sleep: a signal wakes it, and it goes to sleep again.
fn naps(thread: &Path) -> u64 {
    let status = std::fs::read_to_string(thread.join("status")).unwrap();
    let naps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    naps.unwrap().trim().parse().unwrap()
}

/// `SocketWriterTest.test_write`.
fn an_answer_is_whole_despite_signals(cell: Cell) {
    signal::interrupt_calls_by_sigusr1().unwrap();
    let notes = Notes::new();
    let log = notes.clone();
    let server = cell.serve(move |connection: &mut Connection| {
        connection.reply(b"write data\n")?;
        line(connection)?;
        shrink(connection.socket());
        log.add(std::fs::read_link("/proc/thread-self").unwrap().display());
        pattern(LARGE / 4).chunks(PIECE).try_for_each(|piece| connection.write_all(piece))
    });
    let client = server.client();
    assert_eq!(ask(&client, "", 11), "write data\n");
    client.send_all(b"client response\n").unwrap();
    let thread = Path::new("/proc").join(notes.until(|notes| !notes.is_empty()));
    let signals = Signals::to(thread.file_name().unwrap().to_str().unwrap());
    let before = naps(&thread);
    while naps(&thread) < before + 10 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(read_all(&client).unwrap() == pattern(LARGE / 4));
    drop(signals);
    server.stop().unwrap();
}

fn what_is_written_is_sent_before_a_read_waits(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        connection.write_all(b"name? ")?;
        let name = line(connection)?;
        write!(connection, "hello, {name}")
    });
    let client = server.client();
    assert_eq!(ask(&client, "", 6), "name? ");
    assert_eq!(ask(&client, "ada\n", 11), "hello, ada\n");
    assert_eq!(read_all(&client).unwrap(), b"");
    server.stop().unwrap();
}

/// `SocketWriterTest.test_basics`: what passes by the buffers goes to the same peer.
fn the_socket_of_a_connection_is_its_own(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        connection.reply(b"by the buffer, ")?;
        connection.socket().send_all(b"by the socket")
    });
    assert_eq!(read_all(&server.client()).unwrap(), b"by the buffer, by the socket");
    server.stop().unwrap();
}

fn an_unread_rest_does_not_destroy_the_answer(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        line(connection)?;
        connection.write_all(b"enough\n")
    });
    for _ in 0..20 {
        let client = server.client();
        // Nobody reads what comes after the first line, so the end may come in the middle of it.
        let sent = client.send_all(b"first\n").and_then(|()| client.send_all(&[b'\n'; 50_000]));
        match read_all(&client) {
            Ok(answer) => assert_eq!(answer, b"enough\n"),
            Err(error) => assert!(sent.is_err(), "the answer was destroyed: {error}"),
        }
    }
    server.stop().unwrap();
}

fn a_panic_closes_only_its_own(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        let said = line(connection)?;
        if said == "panic\n" {
            panics("as told");
        }
        connection.write_all(said.as_bytes())
    });
    let bystander = (!cell.is_serial()).then(|| server.client());
    bystander.as_ref().inspect(|client| client.send_all(b"well").unwrap());
    for done in 1..4 {
        let client = server.client();
        client.send_all(b"panic\n").unwrap();
        assert_eq!(read_all(&client).unwrap(), b"");
        server.until(|counters| counters.panicked == done && counters.closed == done);
    }
    bystander.as_ref().inspect(|client| assert_eq!(ask(client, " done\n", 10), "well done\n"));
    assert_eq!(ask(&server.client(), "hello\n", 6), "hello\n");
    assert_eq!(server.events_with("message: \"as told\"").len(), 3);
    server.stop().unwrap();
}

/// Peers that leave without a word, before and in the middle of an answer.
fn a_peer_that_goes_away_harms_nobody(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| {
        line(connection)?;
        loop {
            connection.write_all(&[7; PIECE])?;
        }
    });
    let leave = |client: Client| drop(client);
    for done in 1..4 {
        let client = server.client();
        client.send_all(b"begin\n").unwrap();
        client.recv_exact(&mut [0; PIECE]).unwrap();
        leave(client);
        server.until(|counters| counters.closed == done);
    }
    assert_eq!(server.events_with("reason: PeerReset").len(), 3, "{:?}", server.events_with("Cl"));
    let client = server.client();
    client.send_all(b"begin\n").unwrap();
    client.recv_exact(&mut [0; PIECE]).unwrap();
    leave(client);
    server.stop().unwrap();
}
