//! The load generator against servers that err.

use super::*;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

/// A server for one connection that passes what it reads through `answer`.
fn server(answer: fn(&mut Vec<u8>)) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let mut reply = buffer[..count].to_vec();
            answer(&mut reply);
            if reply.is_empty() || stream.write_all(&reply).is_err() {
                break;
            }
        }
    });
    port
}

fn run(answer: fn(&mut Vec<u8>), message_bytes: usize) -> io::Result<Done> {
    Load::connect(server(answer), 1, message_bytes)?.run(Duration::from_millis(50))
}

#[test]
fn an_honest_echo_is_counted() {
    assert!(run(|_| {}, 64).unwrap().messages > 0);
}

#[test]
fn a_round_is_one_message_each() {
    let mut load = Load::connect(server(|_| {}), 1, 64).unwrap();
    load.round().unwrap();
    assert!(load.connections.iter().all(|c| c.window == WINDOW_STEP && c.sent == 0));
    let error = Load::connect(server(|reply| reply[0] ^= 1), 1, 64).unwrap().round();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_message_larger_than_the_socket_buffers_comes_back() {
    let port = server(|_| {});
    let mut load = Load::connect(port, 1, 8 << 20).unwrap();
    let mut messages = 0;
    while messages == 0 {
        messages = load.run(Duration::from_millis(50)).unwrap().messages;
    }
}

#[test]
fn a_wrong_byte_is_an_error() {
    let error = run(|reply| reply[0] ^= 1, 64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn a_byte_too_many_is_an_error() {
    let error = run(|reply| reply.push(0), 64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn a_closed_connection_is_an_error() {
    let error = run(Vec::clear, 64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn lines_end_where_they_should_in_every_message() {
    let content = Content::Lines { bytes: 10, count: 3 };
    let load = Load::connect_with(server(|_| {}), 2, content).unwrap();
    for connection in &load.connections {
        let message = &load.pattern[connection.window..connection.window + load.message_bytes];
        let lines: Vec<_> = message.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(lines.iter().map(|line| line.len()).collect::<Vec<_>>(), [10, 10, 10]);
    }
}

#[test]
fn a_watched_run_has_a_time_for_every_message_it_began() {
    let mut load = Load::connect(server(|_| {}), 1, 64).unwrap();
    let mut turns = 0;
    let mut messages = 0;
    while messages == 0 {
        let beside = || {
            turns += 1;
            Ok(())
        };
        let (done, times) = load.watched(Duration::from_millis(50), beside).unwrap();
        // One is under way at the end.
        assert_eq!(times.len(), done.messages + 1);
        messages = done.messages;
    }
    assert!(turns >= messages);
    assert!(load.run(Duration::from_millis(10)).is_ok());
}
