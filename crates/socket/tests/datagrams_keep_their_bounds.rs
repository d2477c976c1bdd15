//! One datagram out is one datagram in, with its sender. CPython: `BasicUDPTest`,
//! `BasicUDPLITETest`, `UDPTimeoutTest`, `UDPLITETimeoutTest`.

mod support;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use socket::{Family, Protocol, SockAddr, Socket, Type, UdpSocket};
use support::{PATIENCE, loopback, watchdog};

const MESSAGE: &[u8] = b"all of it, and in order\n";
const UDPLITE: Protocol = Protocol(136);

/// Sockets bound to loopback, of each protocol that the kernel has.
fn sockets() -> Vec<(Socket, SockAddr)> {
    let bound = |protocol| {
        let socket = Socket::new(Family::INET, Type::DGRAM, protocol)?;
        socket.bind(&loopback())?;
        let address = socket.getsockname()?;
        std::io::Result::Ok((socket, address))
    };
    let mut sockets = vec![bound(Protocol::DEFAULT).unwrap()];
    match bound(UDPLITE) {
        Ok(lite) => sockets.push(lite),
        Err(error) if error.raw_os_error() == Some(93) => support::kernel_lacks("UDP-Lite"),
        Err(error) => panic!("{error}"),
    }
    sockets
}

fn sender_for(receiver: &Socket) -> Socket {
    let protocol = receiver.protocol().unwrap();
    let socket = Socket::new(Family::INET, Type::DGRAM, protocol).unwrap();
    socket.bind(&loopback()).unwrap();
    socket
}

/// `BasicUDPTest.testSendtoAndRecv`, `testRecvFrom`
#[test]
fn each_datagram_arrives_whole_and_with_its_sender() {
    let _watchdog = watchdog(PATIENCE);
    for (receiver, address) in sockets() {
        let sender = sender_for(&receiver);
        let mut buffer = [0; 1024];
        assert_eq!(sender.send_to(MESSAGE, &address).unwrap(), MESSAGE.len());
        let count = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], MESSAGE);
        sender.send_to(MESSAGE, &address).unwrap();
        let (count, from) = receiver.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..count], from), (MESSAGE, sender.getsockname().unwrap()));
    }
}

/// An empty datagram is one, and a long one is cut.
#[test]
fn an_empty_datagram_is_no_end_and_a_tail_that_does_not_fit_is_lost() {
    let _watchdog = watchdog(PATIENCE);
    for (receiver, address) in sockets() {
        let sender = sender_for(&receiver);
        for bytes in [b"".as_slice(), MESSAGE, b"next"] {
            sender.send_to(bytes, &address).unwrap();
        }
        let mut buffer = [0; 7];
        let (count, from) = receiver.recv_from(&mut buffer).unwrap();
        assert_eq!((count, from), (0, sender.getsockname().unwrap()));
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 7);
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 4);
    }
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    for (receiver, address) in sockets() {
        let sender = sender_for(&receiver);
        assert_eq!(sender.send_to(&[0; 70_000], &address).unwrap_err().raw_os_error(), Some(90));
        assert_eq!(sender.send(MESSAGE).unwrap_err().raw_os_error(), Some(89)); // EDESTADDRREQ
    }
}

/// `UDPTimeoutTest.testUDPTimeout`, `testTimeoutZero`
#[test]
fn a_receiver_without_datagrams_times_out_or_does_not_wait() {
    let _watchdog = watchdog(PATIENCE);
    let limit = Duration::from_millis(30);
    for (receiver, _) in sockets() {
        receiver.set_timeout(Some(limit)).unwrap();
        let start = Instant::now();
        assert_eq!(receiver.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= limit);
        receiver.set_timeout(Some(Duration::ZERO)).unwrap();
        assert_eq!(receiver.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_connected_socket_hears_its_peer_and_learns_when_nobody_is_there() {
    let _watchdog = watchdog(PATIENCE);
    let (one, two, three) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("127.0.0.1:0").unwrap(),
    );
    let here = one.local_addr().unwrap();
    one.connect(two.local_addr().unwrap()).unwrap();
    three.send_to(b"stranger", here).unwrap();
    two.send_to(b"friend", here).unwrap();
    let mut buffer = [0; 16];
    let (count, from) = one.peek_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..count], from), (&b"friend"[..], two.local_addr().unwrap()));
    assert_eq!(one.recv(&mut buffer).unwrap(), 6);
    drop(two);
    one.send(b"anybody?").unwrap();
    assert_eq!(one.recv(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
