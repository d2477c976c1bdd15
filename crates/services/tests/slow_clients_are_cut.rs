//! A client that is slow on purpose loses its place: in the head, in the body, in taking the
//! answer. The limits are set to a fraction of a second here. That a client is cut is waited for,
//! not timed.

mod support;

use std::io::{ErrorKind, Read};
use std::time::Duration;

use support::http::{Client, Folder};
use support::{Serving, watchdog};
use switchboard::{Engine, Guards, Server};

/// Between two bytes of a client that trickles: far less than any guard between two bytes.
const DRIP: Duration = Duration::from_millis(10);

/// Sends the bytes of `drops` for ever, one now and then, until the server has had enough. Answers
/// what it said.
fn trickle(serving: &Serving, begin: &str, drops: &str) -> String {
    let client = Client::of(serving);
    client.send(begin);
    let mut socket = client.0.into_inner();
    socket.set_timeout(Some(DRIP)).unwrap();
    let mut answer = Vec::new();
    for drop in drops.bytes().cycle() {
        let mut room = [0; 1024];
        match socket.recv(&mut room) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&room[..count]),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                if socket.send_all(&[drop]).is_err() {
                    let _ = socket.read_to_end(&mut answer);
                    break;
                }
            }
            // What is sent to a closed connection resets it, behind the answer.
            Err(_) => break,
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn in_the_head() {
    let _watchdog = watchdog();
    for engine in Engine::ALL {
        let serving = Serving::http("web", &["--head-time", "200ms"], *engine);
        let answer = trickle(&serving, "GET / HTTP/1.1\r\n", "A: b\r\n");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{engine}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        // Also the second one of a connection.
        let first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = trickle(&serving, &(first.to_owned() + "GET"), " /");
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 408 "),
            "{answer}"
        );
        let control = serving.control.clone();
        serving.stop();
        assert!(control.counters().timed_out >= 2, "{engine}");
    }
}

/// The clock is the request's: a connection whose requests come whole lasts for longer than that.
#[test]
fn but_not_who_asks_again_and_again() {
    let _watchdog = watchdog();
    let serving = Serving::of("web", &["--head-time", "3s"], "http");
    let mut client = Client::of(&serving);
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\n");
        client.send("Host: a\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        // Meanwhile the time passes for another one.
        let mut other = Client::of(&serving);
        other.send("GET / HTTP/1.1\r\n");
        assert_eq!(other.answer().status, 408);
    }
    drop(client);
    serving.stop();
}

#[test]
fn in_the_body_and_nothing_of_it_is_kept() {
    let _watchdog = watchdog();
    for engine in Engine::ALL {
        let folder = Folder::new();
        let serving = Serving::http("upload", &[folder.text(), "--body-time", "200ms"], *engine);
        let length = "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        let answer = trickle(&serving, length, "x");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{engine}: {answer}");
        let chunked = "PUT /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = trickle(&serving, chunked, "1\r\nx\r\n");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{engine}: {answer}");
        let form = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\
                    Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n\
                    Content-Disposition: form-data; filename=\"c\"\r\n\r\n";
        let answer = trickle(&serving, form, "x");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{engine}: {answer}");
        assert_eq!(folder.names(), [""; 0], "{engine}");
        serving.stop();
    }
}

/// A body that comes at its pace may take as long as it likes: more than the limit all in all.
#[test]
fn but_not_who_keeps_the_pace() {
    let _watchdog = watchdog();
    let folder = Folder::new();
    let serving = Serving::of("upload", &[folder.text(), "--body-time", "3s"], "http");
    let client = Client::of(&serving);
    let pieces = 320;
    client.send(format!("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", pieces * 1000));
    let socket = client.0.get_ref();
    socket.set_timeout(Some(DRIP)).unwrap();
    for piece in 0..pieces {
        socket.send_all(&[b'x'; 1000]).unwrap();
        if piece + 1 == pieces {
            break;
        }
        let error = socket.recv(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "nothing is said before the end");
    }
    socket.set_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut client = client;
    assert_eq!(client.answer().status, 201);
    assert_eq!(folder.read("a").len(), pieces * 1000);
    drop(client);
    serving.stop();
}

/// The service with these guards.
fn guarded(folder: &Folder, guards: Guards) -> Serving {
    let row = services::find("web").unwrap();
    let settings = services::Settings::read(row.settings, &[folder.text()]).unwrap();
    let mut server = Server::new().with_signals(false).with_guards(guards);
    server.bind("http://127.0.0.1:0", (row.make)(&settings).unwrap()).unwrap();
    Serving::run(server)
}

/// A client that asks for a large list, or a large file, again and again and takes nothing is cut
/// by the guard on writing.
#[test]
fn in_taking_the_answer() {
    let _watchdog = watchdog();
    let folder =
        (0..400).fold(Folder::new(), |folder, number| folder.with(&format!("{number}"), "x"));
    let folder = folder.with("large", vec![7; 16 << 20]);
    for path in ["/", "/large"] {
        let limit = Some(Duration::from_millis(200));
        let serving = guarded(&folder, Guards { deadline_write: limit, ..Guards::default() });
        let client = serving.client();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(100);
        // As long as the server takes requests, and until it has closed.
        while client.send_all(request.as_bytes()).is_ok() {}
        while serving.control.counters().closed == 0 {
            std::thread::yield_now();
        }
        serving.stop();
    }
}

/// A connection that may only last so long ends then, however often it asks.
#[test]
fn in_coming_to_an_end() {
    let _watchdog = watchdog();
    let folder = Folder::new().with("a", "hello");
    let limit = Some(Duration::from_millis(200));
    let serving = guarded(&folder, Guards { deadline_connection: limit, ..Guards::default() });
    let client = Client::of(&serving);
    // Each request comes in two pieces, so that the clock of its head runs.
    let mut socket = client.0.into_inner();
    while socket.send_all(b"GET /a HTTP/1.1\r\n").is_ok() {
        let _ = socket.send_all(b"Host: a\r\n\r\n");
        if !socket.recv(&mut [0; 1024]).is_ok_and(|count| count > 0) {
            break;
        }
    }
    let _ = socket.read_to_end(&mut Vec::new());
    while serving.control.counters().closed == 0 {
        std::thread::yield_now();
    }
    assert_eq!(serving.control.counters().timed_out, 1);
    serving.stop();
}
