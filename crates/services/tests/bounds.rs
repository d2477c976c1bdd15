//! What a service does at its edges: the longest line, the empty datagram, a client with nothing to
//! say while the server stops.

mod support;

use std::io::Read;
use std::net::Shutdown;
use std::time::{SystemTime, UNIX_EPOCH};

use support::{Serving, watchdog};

#[test]
fn hello_takes_a_line_of_4096_bytes_and_no_longer_one() {
    let _watchdog = watchdog();
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
    let _watchdog = watchdog();
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
    let _watchdog = watchdog();
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
    let _watchdog = watchdog();
    let serving = Serving::of("upper", &[], "tcp");
    let mut client = serving.client();
    client.send_all(b"caf\xc3").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"CAF\xc3");
    serving.stop();
}

#[test]
fn idle_clients_do_not_hold_up_a_stop() {
    let _watchdog = watchdog();
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

#[test]
fn discard_takes_everything_and_closes_when_the_peer_has_finished() {
    let _watchdog = watchdog();
    let serving = Serving::of("discard", &[], "tcp");
    let client = serving.client();
    client.send_all(&vec![7; 4 << 20]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.recv(&mut [0; 8]).unwrap(), 0);
    let control = serving.control.clone();
    serving.stop();
    assert_eq!((control.counters().received, control.counters().sent), (4 << 20, 0));

    let serving = Serving::of("discard", &[], "udp");
    serving.client().send_all(b"nobody answers").unwrap();
    let control = serving.control.clone();
    while control.counters().closed == 0 {
        std::thread::yield_now();
    }
    serving.stop();
    assert_eq!((control.counters().received, control.counters().sent), (14, 0));
}

#[test]
fn the_clocks_say_what_time_it_is() {
    let _watchdog = watchdog();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let daytime = |answer: &[u8]| {
        let line = std::str::from_utf8(answer).unwrap().strip_suffix("\r\n").unwrap();
        let time = httpdate::parse_http_date(line).unwrap();
        time.duration_since(UNIX_EPOCH).unwrap().as_secs()
    };
    // RFC 868 counts from 1900.
    let time = |answer: &[u8]| {
        u64::from(u32::from_be_bytes(answer.try_into().unwrap()).wrapping_sub(2_208_988_800))
    };
    type Reader = fn(&[u8]) -> u64;
    let services: [(&str, Reader); 2] = [("daytime", daytime), ("time", time)];
    for (name, read) in services {
        for scheme in ["tcp", "udp"] {
            let serving = Serving::of(name, &[], scheme);
            let (before, mut client, mut answer) = (now(), serving.client(), vec![0; 100]);
            if scheme == "udp" {
                client.send(b"?").unwrap();
                let count = client.recv(&mut answer).unwrap();
                answer.truncate(count);
            } else {
                answer.clear();
                client.read_to_end(&mut answer).unwrap();
            }
            let said = read(&answer);
            assert!((before..=now()).contains(&said), "{name} over {scheme}: {said}");
            drop(client);
            serving.stop();
        }
    }
}

#[test]
fn chargen_sends_the_lines_of_the_rfc_for_as_long_as_it_is_read() {
    let _watchdog = watchdog();
    let serving = Serving::of("chargen", &[], "tcp");
    let mut client = serving.client();
    let mut text = vec![0; 74 * 96];
    client.read_exact(&mut text).unwrap();
    assert_eq!(text[..74], text[74 * 95..]);
    assert_eq!(&text[..6], b" !\"#$%");
    assert_eq!(&text[70..77], b"fg\r\n!\"#");
    drop(client);
    while serving.control.counters().open() > 0 {
        std::thread::yield_now();
    }
    serving.stop();
}

#[test]
fn chargen_never_answers_a_datagram_with_more_than_it_got() {
    let _watchdog = watchdog();
    let serving = Serving::of("chargen", &[], "udp");
    let client = serving.client();
    for (asked, answered) in [(0, 0), (1, 1), (100, 100), (512, 512), (1400, 512)] {
        client.send(&vec![b'?'; asked]).unwrap();
        assert_eq!(client.recv(&mut [0; 2048]).unwrap(), answered);
    }
    serving.stop();
}
