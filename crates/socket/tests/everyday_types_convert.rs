//! The everyday types turn into sockets, descriptors and std's types and back, with nothing lost
//! but what is said to be, and both sides of a conversion talk to each other.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net as std_net;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net as std_unix;
use std::time::Duration;

use socket::{
    Socket, TcpListener, TcpStream, UdpSocket, UnixAddr, UnixDatagram, UnixListener, UnixSeqpacket,
    UnixStream,
};
use support::{PATIENCE, directory, watchdog};

fn talk(mut left: impl Write, mut right: impl Read) {
    left.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    right.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
}

#[test]
fn streams_and_listeners_go_to_std_and_back() {
    let _watchdog = watchdog(PATIENCE);
    let server: std_net::TcpListener = TcpListener::bind("127.0.0.1:0").unwrap().into();
    let client = std_net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let client: TcpStream = client.into();
    let server: TcpListener = server.into();
    let (connection, peer) = server.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    talk(&client, &connection);
    let std: std_net::TcpStream = connection.into();
    talk(&std, &client);

    let directory = directory();
    let server = std_unix::UnixListener::bind(directory.join("socket")).unwrap();
    let server: UnixListener = server.into();
    let client: std_unix::UnixStream =
        UnixStream::connect(directory.join("socket")).unwrap().into();
    let (connection, _) = server.accept().unwrap();
    talk(&client, &connection);
    let socket: Socket = std_unix::UnixStream::from(Socket::from(connection)).into();
    talk(&socket, &client);
}

#[test]
fn datagram_sockets_go_to_std_and_back() {
    let _watchdog = watchdog(PATIENCE);
    let one: std_net::UdpSocket = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let two: UdpSocket = std_net::UdpSocket::bind("127.0.0.1:0").unwrap().into();
    one.send_to(b"hello", two.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(two.recv_from(&mut buffer).unwrap(), (5, one.local_addr().unwrap()));
    let (left, right) = UnixDatagram::pair().unwrap();
    let (left, right): (std_unix::UnixDatagram, std_unix::UnixDatagram) =
        (left.into(), right.into());
    left.send(b"hello").unwrap();
    let right: UnixDatagram = right.into();
    assert_eq!(right.recv(&mut buffer).unwrap(), 5);
}

#[test]
fn the_mode_that_the_kernel_knows_goes_along() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = std_unix::UnixStream::pair().unwrap();
    left.set_nonblocking(true).unwrap();
    let left = UnixStream::from(left);
    assert_eq!(left.timeout(), Some(Duration::ZERO));
    assert_eq!((&left).read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let std: std_unix::UnixStream = left.into();
    assert_eq!((&std).read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);

    // A limit of ours leaves nothing behind in the kernel.
    let right = UnixStream::from(right);
    right.set_timeout(Some(Duration::from_millis(30))).unwrap();
    assert_eq!((&right).read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    let right: std_unix::UnixStream = right.into();
    assert_eq!(right.read_timeout().unwrap(), None);
    assert_eq!(right.write_timeout().unwrap(), None);
}

#[test]
fn the_descriptor_keeps_its_number() {
    let (left, _right) = UnixSeqpacket::pair().unwrap();
    let number = left.as_raw_fd();
    let fd = OwnedFd::from(left);
    let left = UnixSeqpacket::from(fd);
    let socket = Socket::from(left);
    assert_eq!(UnixSeqpacket::from(socket).into_raw_fd(), number);
}

#[test]
fn limits_copies_and_peeking_are_those_of_the_socket() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = UnixStream::pair().unwrap();
    right.set_timeout(Some(PATIENCE)).unwrap();
    let copy = right.try_clone().unwrap();
    assert_eq!((copy.timeout(), copy.socket().timeout()), (Some(PATIENCE), Some(PATIENCE)));
    (&left).write_all(b"hello").unwrap();
    let mut buffer = [0; 16];
    assert_eq!(copy.peek(&mut buffer).unwrap(), 5);
    assert_eq!((&right).read(&mut buffer).unwrap(), 5);
    assert!(right.take_error().unwrap().is_none());
    right.set_nonblocking(true).unwrap();
    assert_eq!((&right).read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    right.set_nonblocking(false).unwrap();
    left.shutdown(std_net::Shutdown::Write).unwrap();
    assert_eq!((&right).read(&mut buffer).unwrap(), 0);
    assert!(format!("{left:?}").starts_with("UnixStream(Socket {"));
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    assert!(!stream.nodelay().unwrap());
    stream.set_nodelay(true).unwrap();
    assert!(stream.nodelay().unwrap());
}

#[test]
fn one_limit_is_for_all_of_a_read_or_write() {
    let _watchdog = watchdog(PATIENCE);
    let (mut left, mut right) = UnixStream::pair().unwrap();
    let limit = Duration::from_millis(40);
    left.set_timeout(Some(limit)).unwrap();
    right.set_timeout(Some(limit)).unwrap();
    assert_eq!(left.write_all(&vec![7; 8 << 20]).unwrap_err().kind(), ErrorKind::TimedOut);
    let error = right.read_exact(&mut vec![7; 8 << 20]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn connections_come_one_after_the_other() {
    let _watchdog = watchdog(PATIENCE);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (client, connection) in clients.iter().zip(server.incoming()) {
        assert_eq!(connection.unwrap().peer_addr().unwrap(), client.local_addr().unwrap());
    }
    let name = UnixAddr::Unnamed;
    let server = UnixListener::bind_addr(&name).unwrap();
    server.set_timeout(Some(Duration::from_millis(10))).unwrap();
    let _client = UnixStream::connect_addr(&server.local_addr().unwrap()).unwrap();
    let mut incoming = server.incoming();
    assert!(incoming.next().unwrap().is_ok());
    assert_eq!(incoming.next().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
}
