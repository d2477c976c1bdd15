//! A Unix socket has the name it was given, whatever bytes are in it. CPython: `TestUnixDomain`,
//! `TestLinuxAbstractNamespace`.

mod support;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use socket::{
    Family, SockAddr, Socket, Type, UnixAddr, UnixDatagram, UnixListener, UnixSeqpacket,
    UnixSeqpacketListener, UnixStream,
};
use support::{PATIENCE, directory, watchdog};

fn bound(name: UnixAddr) -> std::io::Result<UnixAddr> {
    UnixListener::bind_addr(&name)?.local_addr()
}

/// Unlike any other on this machine.
fn abstract_name(rest: &[u8]) -> UnixAddr {
    let head = format!("switchboard-{}-{:?}-", std::process::id(), std::thread::current().id());
    UnixAddr::Abstract([head.as_bytes(), rest].concat())
}

/// `TestUnixDomain.testUnbound`
#[test]
fn a_socket_without_a_name_has_none() {
    let socket = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    assert_eq!(socket.getsockname().unwrap(), SockAddr::Unix(UnixAddr::Unnamed));
    let (left, right) = UnixStream::pair().unwrap();
    assert_eq!(left.local_addr().unwrap(), UnixAddr::Unnamed);
    assert_eq!(right.peer_addr().unwrap(), UnixAddr::Unnamed);
}

/// `TestUnixDomain.testStrAddr`, `testBytesAddr`, `testSurrogateescapeBind`, `testUnencodableAddr`
#[test]
fn a_path_comes_back_byte_for_byte() {
    let directory = directory();
    for name in [&b"plain"[..], b"with space", b"\xff\xfe not UTF-8", "中文".as_bytes(), b"@at"] {
        let path = directory.path().join(OsString::from_vec(name.to_vec()));
        assert_eq!(bound(UnixAddr::Path(path.clone())).unwrap(), UnixAddr::Path(path));
    }
}

/// `TestUnixDomain.testEmptyAddress`, `TestLinuxAbstractNamespace.testAutobind`
#[test]
fn no_name_asks_for_a_free_one() {
    let (one, two) = (bound(UnixAddr::Unnamed).unwrap(), bound(UnixAddr::Unnamed).unwrap());
    for name in [one, two] {
        let UnixAddr::Abstract(name) = name else { panic!("{name} is not abstract") };
        assert_eq!(name.len(), 5);
    }
}

/// `TestLinuxAbstractNamespace.testLinuxAbstractNamespace`, `testStrName`, `testBytearrayName`
#[test]
fn an_abstract_name_takes_connections_and_may_hold_any_bytes() {
    let _watchdog = watchdog(PATIENCE);
    for rest in [&b""[..], b"\0python\0test\0", b"\xff"] {
        let name = abstract_name(rest);
        let server = UnixListener::bind_addr(&name).unwrap();
        let client = UnixStream::connect_addr(&name).unwrap();
        assert_eq!(client.peer_addr().unwrap(), name);
        server.accept().unwrap();
        let error = UnixListener::bind_addr(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}

/// `TestLinuxAbstractNamespace.testMaxName`, `testNameOverflow`, and the same of paths
#[test]
fn a_name_has_107_bytes_at_most() {
    let UnixAddr::Abstract(mut name) = abstract_name(b"") else { unreachable!() };
    name.resize(107, b'h');
    assert_eq!(bound(UnixAddr::Abstract(name.clone())).unwrap(), UnixAddr::Abstract(name.clone()));
    name.push(b'h');
    let error = bound(UnixAddr::Abstract(name)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);

    let directory = directory();
    let fill = 107 - directory.path().as_os_str().len() - 1;
    let path = directory.join(&"p".repeat(fill));
    assert_eq!(bound(UnixAddr::Path(path.clone())).unwrap(), UnixAddr::Path(path));
    let error = bound(UnixAddr::Path(directory.join(&"p".repeat(fill + 1)))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = bound(UnixAddr::Path(PathBuf::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn datagrams_say_who_sent_them_if_the_sender_has_a_name() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let (here, there) = (directory.join("here"), directory.join("there"));
    let receiver = UnixDatagram::bind(&here).unwrap();
    let named = UnixDatagram::bind(&there).unwrap();
    let mut buffer = [0; 16];
    named.send_to(b"one", &here).unwrap();
    assert_eq!(receiver.recv_from(&mut buffer).unwrap(), (3, UnixAddr::Path(there.clone())));
    UnixDatagram::unbound().unwrap().send_to(b"three", &here).unwrap();
    assert_eq!(receiver.recv_from(&mut buffer).unwrap(), (5, UnixAddr::Unnamed));
    named.connect(&here).unwrap();
    assert_eq!(named.peer_addr().unwrap(), UnixAddr::Path(here));
    named.send(b"four").unwrap();
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 4);
    receiver.send_to_addr(b"back", &UnixAddr::Path(there)).unwrap();
    assert_eq!(named.recv(&mut buffer).unwrap(), 4);
}

#[test]
fn messages_of_a_connection_stay_apart() {
    let _watchdog = watchdog(PATIENCE);
    let name = abstract_name(b"seqpacket");
    let server = UnixSeqpacketListener::bind_addr(&name).unwrap();
    let client = UnixSeqpacket::connect_addr(&name).unwrap();
    let (connection, peer) = server.accept().unwrap();
    assert_eq!((peer, client.peer_addr().unwrap()), (UnixAddr::Unnamed, name));
    let mut buffer = [0; 4];
    for message in [&b"one"[..], b"longer than the buffer", b"two"] {
        client.send(message).unwrap();
    }
    assert_eq!(connection.recv(&mut buffer).unwrap(), 3);
    assert_eq!(connection.recv(&mut buffer).unwrap(), 4);
    assert_eq!(connection.recv(&mut buffer).unwrap(), 3, "the tail is lost, not joined on");
    drop(client);
    assert_eq!(connection.recv(&mut buffer).unwrap(), 0);
}
