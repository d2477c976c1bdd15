//! Heads of HTTP requests: any bytes are understood or refused, alike however they arrive, and what
//! is understood can be understood in one way only.

use std::io::{BufReader, Read};

use services::fuzz::{Understood, read_head};

/// Reads the bytes as a head, at once and one by one.
pub(crate) fn run(bytes: &[u8]) {
    let (answer, rest) = read(bytes, bytes.len().max(1));
    let (again, rest_again) = read(bytes, 1);
    assert_eq!(
        (&answer, answer.is_ok().then_some(&rest)),
        (&again, again.is_ok().then_some(&rest_again))
    );
    let Ok((method, path, _, length)) = answer else { return };
    assert!(!method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(path.starts_with('/') || path == "*");
    assert!(!path.contains(char::is_whitespace) && !path.contains(['\0', '#', '?']));

    // A plain search for what decides where the body ends, by other means than the parser's.
    let head = &bytes[..bytes.len() - rest.len()];
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let count = |name: &str| text.matches(&format!("\n{name}:")).count();
    let (lengths, codings) = (count("content-length"), count("transfer-encoding"));
    assert!(lengths + codings <= 1, "framed in two ways: {text:?}");
    assert_eq!(length.is_none(), codings == 1, "{text:?}");
    assert!(count("host") <= 1, "for two hosts: {text:?}");
    assert!(!text.trim().contains("\r\n\r\n") && !text.contains("\n ") && !text.contains("\n\t"));
}

/// The answer, and what is left of the bytes.
fn read(bytes: &[u8], piece: usize) -> (Result<Understood, u16>, Vec<u8>) {
    let mut source = BufReader::with_capacity(piece, bytes);
    let answer = read_head(&mut source);
    let mut rest = Vec::new();
    source.read_to_end(&mut rest).expect("memory reads");
    (answer, rest)
}
