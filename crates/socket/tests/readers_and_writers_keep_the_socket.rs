//! A socket as a buffered file. CPython: `FileObjectClassTestCase`,
//! `SmallBufferedFileObjectClassTestCase`, `LineBufferedFileObjectClassTestCase`,
//! `UnbufferedFileObjectClassTestCase`, at the level of bytes.

mod support;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::time::Duration;

use socket::Socket;
use support::{PATIENCE, tcp_pair, unix_pair, watchdog};

const MESSAGE: &[u8] = b"all of it, and in order\n";

fn pairs() -> [(Socket, Socket); 2] {
    [tcp_pair(), unix_pair()]
}

/// `testSmallRead`, `testUnbufferedRead`
#[test]
fn small_reads_add_up() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        let (mut writer, mut reader) = (left.writer().unwrap(), right.reader().unwrap());
        writer.write_all(MESSAGE).unwrap();
        writer.flush().unwrap();
        let mut first = vec![0; MESSAGE.len() - 3];
        reader.read_exact(&mut first).unwrap();
        let mut rest = [0; 3];
        reader.read_exact(&mut rest).unwrap();
        assert_eq!([&first[..], &rest].concat(), MESSAGE);
        writer.write_all(MESSAGE).unwrap();
        drop((left, writer));
        let bytes: Vec<u8> = reader.bytes().map(Result::unwrap).collect();
        assert_eq!(bytes, MESSAGE);
    }
}

/// `testFullRead`
#[test]
fn reading_to_the_end_reads_all() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        let (mut writer, mut reader) = (left.writer().unwrap(), right.reader().unwrap());
        writer.write_all(MESSAGE).unwrap();
        drop((left, writer));
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert_eq!(all, MESSAGE);
    }
}

/// `testReadline`
#[test]
fn lines_are_lines() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        let (mut writer, reader) = (left.writer().unwrap(), right.reader().unwrap());
        writer.write_all(b"one\ntwo\n\nlast").unwrap();
        drop((left, writer));
        let lines: Vec<String> = reader.lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["one", "two", "", "last"]);
    }
}

/// `testCloseAfterMakefile`, `testMakefileClose`, `testMakefileCloseSocketDestroy`, `testRealClose`
#[test]
fn the_connection_ends_when_the_last_of_socket_reader_and_writer_does() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        let (reader, mut writer) = (left.reader().unwrap(), left.writer().unwrap());
        drop(left);
        right.send_all(MESSAGE).unwrap();
        drop(reader);
        writer.write_all(MESSAGE).unwrap();
        writer.flush().unwrap();
        let mut buffer = [0; 64];
        assert_eq!(right.recv(&mut buffer).unwrap(), MESSAGE.len());
        right.set_blocking(false).unwrap();
        assert_eq!(right.recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        right.set_blocking(true).unwrap();
        drop(writer);
        // Unread bytes make the end of a Unix connection a reset, as its manual page has it.
        match right.recv(&mut buffer) {
            Ok(count) => assert_eq!(count, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// `testMakefileAfterMakefileClose`
#[test]
fn a_reader_that_is_dropped_leaves_the_socket_usable() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        drop((right.reader().unwrap(), right.writer().unwrap()));
        left.send_all(MESSAGE).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(right.recv(&mut buffer).unwrap(), MESSAGE.len());
    }
}

/// `testReadAfterTimeout`: who timed out once may have lost a part of a record, and says so.
#[test]
fn a_reader_that_timed_out_stays_unusable_and_others_do_not() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        right.set_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut reader = right.reader().unwrap();
        left.send_all(b"abc").unwrap();
        reader.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(reader.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
        left.send_all(MESSAGE).unwrap();
        for _ in 0..2 {
            let error = reader.read(&mut [0; 1]).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::TimedOut);
            assert_eq!(error.to_string(), "cannot read from timed out object");
        }
        let mut line = Vec::new();
        right.reader().unwrap().read_until(b'\n', &mut line).unwrap();
        assert_eq!(line, MESSAGE);
    }
}

/// `testUnbufferedReadline`: without a buffer, the next reader goes on where the last one stopped.
#[test]
fn a_reader_without_a_buffer_takes_no_more_than_it_gives() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        left.send_all(&[b"A. ", MESSAGE, b"B. ", MESSAGE].concat()).unwrap();
        for head in [b"A. ", b"B. "] {
            let reader = right.reader().unwrap().into_inner();
            let mut reader = BufReader::with_capacity(1, reader);
            let mut line = Vec::new();
            reader.read_until(b'\n', &mut line).unwrap();
            assert_eq!(line, [&head[..], MESSAGE].concat());
        }
    }
}

/// `testSmallReadNonBlocking`, `testWriteNonBlocking`
#[test]
fn without_blocking_nothing_is_an_answer_too() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in pairs() {
        left.set_blocking(false).unwrap();
        right.set_blocking(false).unwrap();
        let (mut writer, mut reader) = (left.writer().unwrap(), right.reader().unwrap());
        for _ in 0..2 {
            assert_eq!(reader.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        let mut line = Vec::new();
        left.send_all(b"half a ").unwrap();
        let error = reader.read_until(b'\n', &mut line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        left.send_all(b"line\n").unwrap();
        reader.read_until(b'\n', &mut line).unwrap();
        assert_eq!(line, b"half a line\n");

        // TCP may acknowledge late, and then there is room once more.
        let error = loop {
            while writer.get_mut().write(&[7; 65_536]).is_ok() {}
            assert_eq!(writer.write(b"kept in the buffer").unwrap(), 18);
            if let Err(error) = writer.flush() {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(writer.buffer(), b"kept in the buffer");
        let _ = writer.into_parts();
    }
}

/// `testAttributes`: the descriptor is a copy, of the same socket.
#[test]
fn reader_and_writer_know_their_socket() {
    let (left, _right) = tcp_pair();
    let (reader, writer) = (left.reader().unwrap(), left.writer().unwrap());
    let here = left.getsockname().unwrap();
    assert_eq!(reader.get_ref().socket().getsockname().unwrap(), here);
    assert_eq!(writer.get_ref().socket().getsockname().unwrap(), here);
}
