//! Bodies in chunks: any bytes are read or refused, alike however they arrive, and no more comes
//! out than went in.

use std::io::{BufReader, Read};

use services::fuzz::read_chunks;

/// Reads the bytes as a body, at once and one by one.
pub(crate) fn run(bytes: &[u8]) {
    let (answer, rest) = read(bytes, bytes.len().max(1));
    let (again, rest_again) = read(bytes, 1);
    assert_eq!(answer, again);
    let Ok(body) = answer else { return };
    assert_eq!(rest, rest_again, "the next request begins elsewhere");
    let taken = bytes.len() - rest.len();
    assert!(body.len() + "0\r\n\r\n".len() <= taken);
    assert!(bytes[..taken].ends_with(b"\r\n"));

    // Written again in one chunk, it is the same.
    let mut written = format!("{:x}\r\n", body.len()).into_bytes();
    if !body.is_empty() {
        written.extend_from_slice(&body);
        written.extend_from_slice(b"\r\n0\r\n");
    }
    written.extend_from_slice(b"\r\n");
    assert_eq!(read(&written, 7), (Ok(body), Vec::new()));
}

/// The answer, and what is left of the bytes.
fn read(bytes: &[u8], piece: usize) -> (Result<Vec<u8>, u16>, Vec<u8>) {
    let mut source = BufReader::with_capacity(piece, bytes);
    let answer = read_chunks(&mut source);
    let mut rest = Vec::new();
    source.read_to_end(&mut rest).expect("memory reads");
    (answer, rest)
}
