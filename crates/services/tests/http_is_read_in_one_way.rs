//! A request is read in one way or not at all.
//!
//! Each row is what a client sends on a connection of its own, and the statuses of all answers it
//! gets. Behind what is refused stands another request; that it is never answered shows that the
//! connection ended there, and that nobody can hide a request in another one's body.

mod support;

use support::http::{Answer, Client, Folder, talk};
use support::{Serving, watchdog};

/// A request that is always answered with 200.
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

fn site() -> (Folder, Serving) {
    let folder = Folder::new().with("next", "next").with("index.html", "index");
    let serving = Serving::of("web", &[folder.text()], "http");
    (folder, serving)
}

/// What is sent, in words and in bytes, and the statuses of the answers. Another request follows.
type Row<'a> = (&'a str, String, &'a [u16]);

/// Sends the rows, each on a connection of its own, with another request behind it.
fn play(rows: &[Row<'_>]) {
    let _watchdog = watchdog();
    let (_folder, serving) = site();
    for (what, request, statuses) in rows {
        let answers = talk(&serving, (request.clone() + NEXT).as_bytes());
        let got: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(got, *statuses, "{what}: {answers:?}");
        let (_, before) = answers.split_last().expect("there is an answer");
        assert!(before.iter().all(Answer::keeps), "{what}: {answers:?}");
    }
    serving.stop();
}

const HOST: &str = "Host: a\r\n";

#[test]
fn heads_that_are_understood() {
    let host = HOST;
    play(&[
        ("plain", format!("GET / HTTP/1.1\r\n{host}\r\n"), &[200, 200]),
        ("field names in any case", "GET / HTTP/1.1\r\nhOST: a\r\n\r\n".into(), &[200, 200]),
        (
            "spaces around a value",
            format!("GET / HTTP/1.1\r\n{host}A: \t b \t\r\n\r\n"),
            &[200, 200],
        ),
        ("an empty value", format!("GET / HTTP/1.1\r\n{host}A:\r\n\r\n"), &[200, 200]),
        ("an empty line before", format!("\r\nGET / HTTP/1.1\r\n{host}\r\n"), &[200, 200]),
        ("a whole address", "GET http://a:80/next HTTP/1.1\r\nHost: a\r\n\r\n".into(), &[200, 200]),
        (
            "a whole address of a folder",
            format!("GET http://a HTTP/1.1\r\n{host}\r\n"),
            &[200, 200],
        ),
        (
            "an address with a query only",
            format!("GET http://a?b HTTP/1.1\r\n{host}\r\n"),
            &[200, 200],
        ),
        ("a query", format!("GET /next?a=/../b HTTP/1.1\r\n{host}\r\n"), &[200, 200]),
        ("asking to close", format!("GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n"), &[200]),
        (
            "among other words",
            format!("GET / HTTP/1.1\r\n{host}Connection: a, Close\r\n\r\n"),
            &[200],
        ),
        ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n".into(), &[200]),
        (
            "HTTP/1.0 that stays",
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n".into(),
            &[200, 200],
        ),
        ("lines that end with LF alone", "GET / HTTP/1.0\n\n".into(), &[200]),
        ("a method nobody has", format!("BREW / HTTP/1.1\r\n{host}\r\n"), &[405, 200]),
        ("an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), &[200, 200]),
        ("a star", format!("OPTIONS * HTTP/1.1\r\n{host}\r\n"), &[204, 200]),
    ]);
}

#[test]
fn heads_that_are_refused_with_all_that_follows() {
    let host = HOST;
    play(&[
        ("no host", "GET / HTTP/1.1\r\n\r\n".into(), &[400]),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), &[400]),
        ("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".into(), &[400]),
        ("a host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n".into(), &[400]),
        ("a space before the colon", format!("GET / HTTP/1.1\r\n{host}A : b\r\n\r\n"), &[400]),
        ("a folded line", format!("GET / HTTP/1.1\r\n{host}A: b\r\n c\r\n\r\n"), &[400]),
        ("a folded line at once", format!("GET / HTTP/1.1\r\n A: b\r\n{host}\r\n"), &[400]),
        ("a line without a colon", format!("GET / HTTP/1.1\r\n{host}A\r\n\r\n"), &[400]),
        ("a field without a name", format!("GET / HTTP/1.1\r\n{host}: a\r\n\r\n"), &[400]),
        ("CR in a value", format!("GET / HTTP/1.1\r\n{host}A: b\rc\r\n\r\n"), &[400]),
        ("NUL in a value", format!("GET / HTTP/1.1\r\n{host}A: b\0c\r\n\r\n"), &[400]),
        ("CR in the target", format!("GET /\r HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("CR twice", format!("GET / HTTP/1.1\r\r\n{host}\r\n"), &[400]),
        ("LF among CRLF", format!("GET / HTTP/1.1\n{host}\r\n"), &[400]),
        ("CRLF among LF", "GET / HTTP/1.1\nHost: a\r\n\n".into(), &[400]),
        ("two spaces", format!("GET  / HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("a tab", format!("GET\t/\tHTTP/1.1\r\n{host}\r\n"), &[400]),
        ("a space in the target", format!("GET /a b HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("no target", format!("GET HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("a target without a slash", format!("GET next HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("a star for GET", format!("GET * HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("a fragment", format!("GET /#a HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("a tunnel", format!("CONNECT a:80 HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("no version", "GET /\r\n\r\n".into(), &[400]),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[505]),
        ("HTTP/1.2", format!("GET / HTTP/1.2\r\n{host}\r\n"), &[505]),
        ("http in small letters", format!("GET / http/1.1\r\n{host}\r\n"), &[400]),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03".into(), &[400]),
        ("many empty lines", format!("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n{host}\r\n"), &[400]),
        ("an expectation", format!("GET / HTTP/1.1\r\n{host}Expect: more\r\n\r\n"), &[417]),
    ]);
}

/// The same for what says where a body ends. Each body contains a request that must not be seen.
#[test]
fn bodies() {
    let post =
        |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    let inner = NEXT.len();
    let length = format!("Content-Length: {inner}\r\n");
    let (chunked, chunk) = ("Transfer-Encoding: chunked\r\n", format!("{inner:x}\r\n{NEXT}\r\n"));
    play(&[
        ("a length", post(&length, NEXT), &[405, 200]),
        ("no length", post("", ""), &[405, 200]),
        ("zero", post("Content-Length: 0\r\n", ""), &[405, 200]),
        ("zeros in front", post(&format!("Content-Length: 000{inner}\r\n"), NEXT), &[405, 200]),
        // A body in chunks that nobody wanted is not read, so nothing behind it is.
        ("chunks", post(chunked, &format!("{chunk}0\r\n\r\n")), &[405]),
        ("two lengths", post(&format!("{length}{length}"), NEXT), &[400]),
        ("two unlike lengths", post(&format!("{length}Content-Length: 0\r\n"), NEXT), &[400]),
        ("a list of lengths", post(&format!("Content-Length: {inner}, {inner}\r\n"), NEXT), &[400]),
        ("a sign", post(&format!("Content-Length: +{inner}\r\n"), NEXT), &[400]),
        ("less than nothing", post("Content-Length: -1\r\n", ""), &[400]),
        ("hexadecimal", post("Content-Length: 0x10\r\n", NEXT), &[400]),
        ("an empty length", post("Content-Length:\r\n", ""), &[400]),
        ("a length in two words", post("Content-Length: 1 0\r\n", ""), &[400]),
        ("more than 64 bits", post("Content-Length: 18446744073709551617\r\n", ""), &[400]),
        ("both", post(&format!("{length}{chunked}"), &format!("{chunk}0\r\n\r\n")), &[400]),
        ("both, the other way", post(&format!("{chunked}{length}"), NEXT), &[400]),
        ("chunked twice", post(&format!("{chunked}{chunked}"), "0\r\n\r\n"), &[400]),
        ("another coding", post("Transfer-Encoding: gzip\r\n", ""), &[501]),
        ("another coding before", post("Transfer-Encoding: gzip, chunked\r\n", ""), &[501]),
        ("a coding that only looks so", post("Transfer-Encoding: xchunked\r\n", ""), &[501]),
        ("quoted", post("Transfer-Encoding: \"chunked\"\r\n", ""), &[501]),
        ("an empty coding", post("Transfer-Encoding:\r\n", ""), &[501]),
        ("VT", post("Transfer-Encoding:\x0bchunked\r\n", ""), &[400]),
        ("a space before the colon", post("Content-Length : 0\r\n", ""), &[400]),
        ("folded", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), &[400]),
        (
            "chunks in HTTP/1.0",
            format!("POST / HTTP/1.0\r\n{chunked}Connection: keep-alive\r\n\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "LF and a length",
            format!("POST / HTTP/1.1\nHost: a\n{length}\n{NEXT}").replace('\r', ""),
            &[400],
        ),
    ]);
}

/// A limit is taken at its last byte and refused one byte behind it.
#[test]
fn limits() {
    let _watchdog = watchdog();
    let (_folder, serving) = site();
    let line = |bytes: usize| {
        let target = "x".repeat(bytes - "GET /? HTTP/1.1\r\n".len() + 1);
        format!("GET /?{target} HTTP/1.1\r\nHost: a\r\n\r\n")
    };
    let head = |bytes: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "x".repeat(bytes - rest))
    };
    let fields =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    let rows = [
        ("line", line(8 * 1024), 200),
        ("line", line(8 * 1024 + 1), 414),
        ("head", head(32 * 1024), 200),
        ("head", head(32 * 1024 + 1), 431),
        ("fields", fields(100), 200),
        ("fields", fields(101), 431),
        ("a line without an end", "GET /".to_owned() + &"x".repeat(1 << 20), 414),
        (
            "a head without an end",
            "GET / HTTP/1.1\r\n".to_owned() + &"A: b\r\n".repeat(1 << 18),
            431,
        ),
    ];
    for (what, request, status) in rows {
        let answers = talk(&serving, request.as_bytes());
        assert_eq!(answers[0].status, status, "{what} of {}", request.len());
        assert_eq!(answers.len(), 1);
    }
    serving.stop();
}

/// However a request is cut into pieces on its way, it is the same request.
#[test]
fn any_cut_gives_the_same_answer() {
    let _watchdog = watchdog();
    let (_folder, serving) = site();
    let mut client = Client::of(&serving);
    let request = "GET /next HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let whole = {
        client.send(request);
        client.answer()
    };
    assert_eq!((whole.status, whole.text().as_str()), (200, "next"));
    for cut in 1..request.len() {
        client.send(&request[..cut]);
        client.send(&request[cut..]);
        assert_eq!(client.answer().body, whole.body, "cut at {cut}");
    }
    drop(client);
    serving.stop();
}

/// Requests that are sent without waiting are answered in order, and a client that never reads is
/// not read from either when the room is used up.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let _watchdog = watchdog();
    let (_folder, serving) = site();
    let requests: String = (0..1000)
        .map(|number| match number % 3 {
            0 => NEXT.to_owned(),
            1 => "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            _ => "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /".to_owned(),
        })
        .collect();
    let statuses: Vec<u16> =
        talk(&serving, requests.as_bytes()).iter().map(|answer| answer.status).collect();
    let expected: Vec<u16> = (0..1000).map(|number| [200, 404, 405][number % 3]).collect();
    assert!(statuses == expected, "{} answers", statuses.len());
    serving.stop();
}
