//! The default timeout is that of every socket made afterwards. CPython: `testDefaultTimeout`,
//! `NetworkConnectionAttributesTest`, `NetworkConnectionBehaviourTest`.
//!
//! One test, in a process of its own, since the setting is the process's.

mod support;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use socket::{
    ConnectOptions, Family, Socket, TcpListener, TcpStream, Type, UdpSocket, UnixStream,
    create_connection, create_server, default_timeout, set_default_timeout,
};
use support::{PATIENCE, watchdog};

#[test]
fn every_way_of_making_a_socket_takes_it_over() {
    let _watchdog = watchdog(PATIENCE);
    assert_eq!(default_timeout(), None);
    limits_are(None);
    for limit in [Duration::from_millis(10_500), Duration::from_nanos(1), PATIENCE] {
        set_default_timeout(Some(limit));
        assert_eq!(default_timeout(), Some(limit));
        if limit > Duration::from_secs(1) {
            limits_are(Some(limit));
        }
    }
    said_limits_win_over_it();
    zero_makes_them_non_blocking();
    a_receive_ends_by_it();
    set_default_timeout(None);
    limits_are(None);
}

fn limits_are(limit: Option<Duration>) {
    let server = create_server("127.0.0.1:0", &Default::default()).unwrap();
    assert_eq!(server.timeout(), limit);
    let address = server.getsockname().unwrap();
    let client = create_connection(&address, &Default::default()).unwrap();
    assert_eq!(client.timeout(), limit, "testTimeoutDefault");
    let (connection, _) = server.accept().unwrap();
    assert_eq!(connection.timeout(), limit, "accepted");
    assert_eq!(Socket::fromfd(client.as_fd()).unwrap().timeout(), limit);
    assert_eq!(Socket::from_fd(client.detach()).unwrap().timeout(), limit);
    assert_eq!(TcpStream::connect(&address).unwrap().timeout(), limit);
    assert_eq!(UdpSocket::bind("127.0.0.1:0").unwrap().timeout(), limit);
    assert_eq!(UnixStream::pair().unwrap().1.timeout(), limit);
    for family in [Family::UNIX, Family::INET] {
        let (left, right) = Socket::pair(family, Type::STREAM, Default::default()).unwrap();
        assert_eq!((left.timeout(), right.timeout()), (limit, limit));
    }
}

/// `testTimeoutNone`, `testTimeoutValueNamed`: what is said holds, `None` too. `testFamily`,
/// `testSourceAddress`.
fn said_limits_win_over_it() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    for timeout in [None, Some(Duration::from_secs(30))] {
        let source_address = Some("127.0.0.1:0".parse::<SocketAddr>().unwrap().into());
        let options = ConnectOptions { timeout, source_address, ..Default::default() };
        let socket = create_connection(address, &options).unwrap();
        assert_eq!((socket.timeout(), socket.family().unwrap()), (timeout, Family::INET));
    }
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(30)).unwrap();
    assert_eq!(stream.timeout(), default_timeout());
}

fn zero_makes_them_non_blocking() {
    set_default_timeout(Some(Duration::ZERO));
    let socket = Socket::new(Family::INET, Type::DGRAM, Default::default()).unwrap();
    assert!(!socket.blocking());
    assert_eq!(socket.recv(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let (left, _right) = Socket::pair(Family::INET6, Type::STREAM, Default::default()).unwrap();
    assert_eq!(left.recv(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let std: std::os::unix::net::UnixStream = UnixStream::pair().unwrap().0.into();
    assert_eq!(UnixStream::from(std).timeout(), Some(Duration::ZERO), "the kernel knows it too");
}

/// `NetworkConnectionBehaviourTest`: within the limit it answers, outside it ends.
fn a_receive_ends_by_it() {
    set_default_timeout(Some(Duration::from_millis(40)));
    let (left, right) = Socket::pair(Family::INET, Type::STREAM, Default::default()).unwrap();
    left.send_all(b"done!").unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 5);
    assert_eq!(right.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
}
