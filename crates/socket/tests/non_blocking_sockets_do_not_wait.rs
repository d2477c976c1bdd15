//! A non-blocking socket answers at once, and what it makes is blocking again. CPython:
//! `NonBlockingTCPTests`, `NonblockConstantTest`, `TCPTimeoutTest.testTimeoutZero`.

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use socket::{Family, Interest, Socket, Type, create_connection};
use support::{PATIENCE, listener, tcp_pair, watchdog};

const SOCK_NONBLOCK: i32 = 0o4000;

fn would_block<T: std::fmt::Debug>(answer: std::io::Result<T>) {
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// `testSetBlocking`: the flag, the limit and the modes say the same.
#[test]
fn blocking_and_limits_are_one_setting() {
    let (left, _right) = tcp_pair();
    let state = || (left.blocking(), left.timeout());
    assert_eq!(state(), (true, None));
    left.set_blocking(false).unwrap();
    assert_eq!(state(), (false, Some(Duration::ZERO)));
    left.set_blocking(true).unwrap();
    assert_eq!(state(), (true, None));
    left.set_timeout(Some(Duration::ZERO)).unwrap();
    assert_eq!(state(), (false, Some(Duration::ZERO)));
    left.set_timeout(Some(Duration::from_secs(1))).unwrap();
    assert_eq!(state(), (true, Some(Duration::from_secs(1))));
    left.set_timeout(None).unwrap();
    assert_eq!(state(), (true, None));
}

/// `testSetBlocking_overflow`: a limit beyond every clock is none.
#[test]
fn a_limit_of_ages_is_no_limit() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    right.set_timeout(Some(Duration::MAX)).unwrap();
    assert_eq!(right.timeout(), None);
    right.set_timeout(Some(Duration::from_secs(1 << 33))).unwrap();
    left.send_all(b"x").unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);
}

/// `testInitNonBlocking`, `NonblockConstantTest.test_SOCK_NONBLOCK`,
/// `test_socket_consistent_sock_type`
#[test]
fn the_flag_in_the_type_makes_a_non_blocking_socket() {
    let kind = Type(Type::STREAM.0 | SOCK_NONBLOCK);
    let socket = Socket::new(Family::INET, kind, Default::default()).unwrap();
    assert_eq!(socket.timeout(), Some(Duration::ZERO));
    assert_eq!(socket.kind().unwrap(), Type::STREAM, "the flag is no part of the type");
    socket.listen(1).unwrap();
    would_block(socket.accept());
    let kind = Type(Type::DGRAM.0 | SOCK_NONBLOCK);
    let (left, right) = Socket::pair(Family::UNIX, kind, Default::default()).unwrap();
    would_block(left.recv(&mut [0; 8]));
    would_block(right.recv(&mut [0; 8]));
}

/// `testInheritFlagsBlocking`, `testInheritFlagsTimeout`: nothing is inherited from the listener.
#[test]
fn an_accepted_socket_blocks_whatever_the_listener_does() {
    let _watchdog = watchdog(PATIENCE);
    let (server, address) = listener();
    for limit in [None, Some(Duration::ZERO), Some(PATIENCE)] {
        let _client = create_connection(&address, &Default::default()).unwrap();
        server.wait(Interest::READ).unwrap();
        server.set_timeout(limit).unwrap();
        let (connection, _) = server.accept().unwrap();
        assert_eq!((connection.blocking(), connection.timeout()), (true, None));
        server.set_timeout(None).unwrap();
    }
}

/// `testAccept`
#[test]
fn accept_answers_when_somebody_is_there() {
    let _watchdog = watchdog(PATIENCE);
    let (server, address) = listener();
    server.set_blocking(false).unwrap();
    would_block(server.accept());
    let client = create_connection(&address, &Default::default()).unwrap();
    let (_connection, peer) = server.accept().unwrap();
    assert_eq!(peer, client.getsockname().unwrap());
}

/// `testRecv`, `TCPTimeoutTest.testTimeoutZero`
#[test]
fn receiving_and_sending_answer_when_they_can() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    right.set_blocking(false).unwrap();
    would_block(right.recv(&mut [0; 8]));
    left.send_all(b"hello").unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 5);
    left.set_blocking(false).unwrap();
    assert!(left.send(&[7; 65_536]).unwrap() > 0);
    // TCP may acknowledge late, and then there is room once more.
    let full = loop {
        let error = loop {
            match left.send(&[7; 65_536]) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let more = left.send_all(b"more");
        if more.is_err() {
            break more;
        }
    };
    would_block(full);
}
