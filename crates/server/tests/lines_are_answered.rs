//! Lines come out as they went in, one by one, whatever pieces the kernel makes of them: read into
//! memory of the handler's own or shown where they are. What is too long is refused, and answers to
//! lines that came together stay in order when their peer does not read them.

mod support;

use std::io::{self, BufRead, Write};
use std::net::Shutdown;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use socket::Socket;
use support::{Pattern, Serving, Watchdog, on_every_engine, read_all, serve};
use switchboard::{Connection, Engine, Guards, Server, Service};

on_every_engine! {
    pieces_of_lines_come_back_as_lines
    lines_that_come_together_are_answered_one_by_one
    a_line_may_be_as_long_as_allowed
    a_longer_line_is_refused
    text_has_to_be_text_and_bytes_have_not
    an_error_of_the_answer_ends_the_connection
}

/// Each line in brackets.
fn shown(connection: &mut Connection) -> io::Result<()> {
    while connection.next_request()? {
        connection.answer_line(bracketed)?;
    }
    Ok(())
}

fn bracketed(line: &[u8], out: &mut switchboard::Answer<'_>) -> io::Result<()> {
    if line == b"fail\n" {
        return Err(io::Error::other("as told"));
    }
    out.write_all(b"<")?;
    out.write_all(line)?;
    out.write_all(b">")
}

/// The same of text that the handler keeps.
fn read(connection: &mut Connection) -> io::Result<()> {
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 {
        if line == "fail\n" {
            return Err(io::Error::other("as told"));
        }
        write!(connection, "<{line}>")?;
        line.clear();
    }
    Ok(())
}

/// What a server answers to `pieces`, sent one after the other, and then the end.
fn answers(server: &Serving, pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
    let client = server.client();
    for piece in pieces {
        // A server that has heard enough may be gone.
        if client.send_all(piece).is_err() {
            break;
        }
        std::thread::yield_now();
    }
    let _ = client.shutdown(Shutdown::Write);
    read_all(&client)
}

/// Runs `check` with a server of either kind.
fn both(engine: Engine, limit_line: usize, check: impl Fn(&Serving)) {
    let guards = || Guards { limit_line, ..Guards::default() };
    for server in [
        serve(engine, "127.0.0.1:0", guards(), shown),
        serve(engine, "127.0.0.1:0", guards(), read),
    ] {
        check(&server);
        server.stop().unwrap();
    }
}

fn pieces_of_lines_come_back_as_lines(engine: Engine) {
    both(engine, 1000, |server| {
        for (pieces, expected) in [
            (&["one\ntwo\nthree"][..], "<one\n><two\n><three>"),
            (&["a", "b", "c\n", "\n", "d\ne", "f\n"], "<abc\n><\n><d\n><ef\n>"),
            (&["\n"], "<\n>"),
            (&[], ""),
        ] {
            let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            let answer = answers(server, &pieces).unwrap();
            assert_eq!(String::from_utf8(answer).unwrap(), expected);
        }
    });
}

/// More of them than either buffer holds, so that some are cut wherever a buffer ends.
fn lines_that_come_together_are_answered_one_by_one(engine: Engine) {
    both(engine, 1000, |server| {
        let lines: Vec<String> =
            (0..2000).map(|at| format!("{at} {}\n", "x".repeat(at % 97))).collect();
        let sent = lines.concat();
        let expected: String = lines.iter().map(|line| format!("<{line}>")).collect();
        // Twice: the second time is no longer a new connection's.
        let client = server.client();
        for _ in 0..2 {
            let mut answer = vec![0; expected.len()];
            std::thread::scope(|scope| {
                scope.spawn(|| client.send_all(sent.as_bytes()).unwrap());
                client.recv_exact(&mut answer).unwrap();
            });
            assert_eq!(String::from_utf8(answer).unwrap(), expected);
        }
    });
}

fn a_line_may_be_as_long_as_allowed(engine: Engine) {
    both(engine, 8, |server| {
        assert_eq!(answers(server, &[b"1234567\n1234567\n"]).unwrap(), b"<1234567\n><1234567\n>");
        assert_eq!(answers(server, &[b"1234", b"567\n"]).unwrap(), b"<1234567\n>");
        assert_eq!(answers(server, &[b"12345678"]).unwrap(), b"<12345678>");
    });
}

fn a_longer_line_is_refused(engine: Engine) {
    both(engine, 8, |server| {
        for pieces in [&[&b"12345678\n"[..]][..], &[b"1234", b"56789"]] {
            assert_eq!(answers(server, pieces).unwrap(), b"");
            server.until_told("reason: OverLimit(\"line\")");
            server.events.lock().unwrap().clear();
        }
    });
}

fn text_has_to_be_text_and_bytes_have_not(engine: Engine) {
    let server = serve(engine, "127.0.0.1:0", Guards::default(), shown);
    assert_eq!(
        answers(&server, &[b"\xff\n\xe2\x82", b"\xac\n"]).unwrap(),
        b"<\xff\n><\xe2\x82\xac\n>"
    );
    server.stop().unwrap();
    let server = serve(engine, "127.0.0.1:0", Guards::default(), read);
    assert_eq!(
        answers(&server, &[b"\xe2\x82", b"\xac\n\xff\nnever\n"]).unwrap(),
        "<€\n>".as_bytes()
    );
    server.until_told("InvalidData");
    server.stop().unwrap();
}

fn an_error_of_the_answer_ends_the_connection(engine: Engine) {
    both(engine, 1000, |server| {
        assert_eq!(answers(server, &[b"one\nfail\nnever\n"]).unwrap(), b"<one\n>");
        server.until_told("as told");
        server.events.lock().unwrap().clear();
    });
}

/// Answers each line with 120 bytes of a pattern, and has little room for what is not read. Asked
/// with "!", it sees to it first that there is none.
struct Patterned;

impl Service for Patterned {
    fn handler(&self) -> Box<dyn switchboard::Handler + '_> {
        Box::new(Patterns(Pattern::new()))
    }

    fn server_bind(&self, socket: &Socket) -> io::Result<()> {
        socket.set_so_sndbuf(4096)
    }
}

struct Patterns(Pattern);

/// It has been asked with "!".
static FULL: AtomicBool = AtomicBool::new(false);

impl switchboard::Handler for Patterns {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        while connection.next_request()? {
            if connection.fill_buf()?.starts_with(b"!") {
                connection.flush()?;
                self.0.fill(connection.socket())?;
                FULL.store(true, SeqCst);
            }
            let answer = self.0.take(120);
            connection.answer_line(|_, out| out.write_all(&answer))?;
        }
        Ok(())
    }
}

/// Several lines at once, so that the answers are more than a connection's own buffer holds, and
/// the wait for the next follows a send that found no room.
#[test]
fn a_peer_that_reads_late_gets_everything() {
    let _watchdog = Watchdog::new();
    let server = Server::new().with_engine(Engine::Coroutines).with_workers(1);
    let server = Serving::start(server, |server| server.bind("127.0.0.1:0", Patterned));
    let client = server.client();
    let mut pattern = Pattern::new();
    for _ in 0..10 {
        client.send_all(b"?\n?\n?\n?\n").unwrap();
        let mut answers = [0; 4 * 120];
        client.recv_exact(&mut answers).unwrap();
        assert_eq!(&answers[..], pattern.take(4 * 120));
    }
    client.send_all(b"!\n?\n?\n?\n").unwrap();
    while !FULL.load(SeqCst) {
        std::thread::yield_now();
    }
    client.send_all(b"?\n?\n?\n?\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let answers = read_all(&client).unwrap();
    assert!(answers.len() > 4096);
    assert!(answers == pattern.take(answers.len()), "in another order");
    let counted = server.until(|counters| counters.closed == 1);
    assert_eq!((counted.received, counted.sent), (48 * 2, 48 * 120));
    server.stop().unwrap();
}
