//! A seqpacket connection carries messages: each is read whole, however long, and each flush sends
//! one.

use std::io::{self, BufRead, Write};

use crate::support::{Cell, on_every};
use switchboard::Connection;

on_every! {
    messages {
        a_long_message_is_read_whole
        each_flush_is_a_message
    }
}

/// Longer than any buffer here, and within what the kernel takes at once.
const LONG: usize = 100_000;

fn a_long_message_is_read_whole(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| -> io::Result<()> {
        let mut line = Vec::new();
        while connection.read_until(b'\n', &mut line)? > 0 {
            writeln!(connection, "{}", line.len())?;
            line.clear();
        }
        Ok(())
    });
    let client = server.client();
    let mut answer = [0; 64];
    for length in [1, 8191, 8192, 8193, 10_000, LONG, 2] {
        let mut message = vec![b'x'; length];
        message[length - 1] = b'\n';
        assert_eq!(client.send(&message).unwrap(), length);
        let count = client.recv(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer[..count]), format!("{length}\n"));
    }
    server.stop().unwrap();
}

fn each_flush_is_a_message(cell: Cell) {
    let server = cell.serve(|connection: &mut Connection| -> io::Result<()> {
        connection.write_all(b"one ")?;
        connection.write_all(b"message")?;
        connection.flush()?;
        connection.write_all(b"and another")
    });
    let client = server.client();
    let mut answer = [0; 64];
    for message in ["one message", "and another", ""] {
        let count = client.recv(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer[..count]), message);
    }
    server.stop().unwrap();
}
