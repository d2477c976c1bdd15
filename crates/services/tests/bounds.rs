//! What a service does at its edges: the longest line, the empty datagram, a client with nothing to
//! say while the server stops.

mod support;

use std::io::Read;

use support::{Serving, watchdog};

#[test]
fn hello_takes_a_line_of_4096_bytes_and_no_longer_one() {
    watchdog();
    let serving = Serving::of("hello", &[], "tcp");
    for (length, taken) in [(4096, true), (4097, false), (1 << 20, false)] {
        let mut client = serving.client();
        let mut line = vec![b'x'; length];
        line.push(b'\n');
        // A line that is too long need not be taken to its end.
        let _ = client.send_all(&line);
        let _ = client.send_all(b"exit\n");
        let mut answer = Vec::new();
        // What is left unread of a line resets the connection, after the answer.
        let _ = client.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let expected = match taken {
            true => format!("welcome!\nhello, {}!\n", "x".repeat(length)),
            false => "welcome!\nerror: a line has at most 4096 bytes\n".into(),
        };
        assert!(answer == expected, "{length}: {answer:.60}");
    }
    serving.stop();
}

#[test]
fn hello_thinks_before_it_answers_but_not_before_it_welcomes() {
    watchdog();
    let serving = Serving::of("hello", &["--raw", "--delay", "5ms"], "tcp");
    let client = serving.client();
    let mut answer = [0; 32];
    let count = client.recv(&mut answer).unwrap();
    assert_eq!(&answer[..count], b"welcome!");
    let asked = std::time::Instant::now();
    client.send_all(b"tracy").unwrap();
    let count = client.recv(&mut answer).unwrap();
    assert_eq!(&answer[..count], b"hello, tracy!");
    // Not a matter of speed: an answer before its time is wrong, however late is fine.
    assert!(asked.elapsed() >= std::time::Duration::from_millis(5));
    drop(client);
    serving.stop();
}

#[test]
fn echo_answers_an_empty_datagram_with_an_empty_datagram() {
    watchdog();
    let serving = Serving::of("echo", &[], "udp");
    let client = serving.client();
    for packet in [&b""[..], b"x", b"", &[7; 8192]] {
        client.send(packet).unwrap();
        let mut answer = vec![1; 10_000];
        let count = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..count], packet);
    }
    drop(client);
    serving.stop();
}

#[test]
fn upper_gives_back_half_a_character_at_the_end() {
    watchdog();
    let serving = Serving::of("upper", &[], "tcp");
    let mut client = serving.client();
    client.send_all(b"caf\xc3").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"CAF\xc3");
    serving.stop();
}

#[test]
fn idle_clients_do_not_hold_up_a_stop() {
    watchdog();
    for (name, settings) in
        [("echo", &[][..]), ("upper", &[]), ("hello", &[]), ("hello", &["--raw"])]
    {
        let serving = Serving::of(name, settings, "tcp");
        let mut client = serving.client();
        client.send_all(b"a\n").unwrap();
        client.recv(&mut [0; 64]).unwrap();
        // Fails if the connection is still open when the grace period is over.
        serving.stop();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
    }
}
