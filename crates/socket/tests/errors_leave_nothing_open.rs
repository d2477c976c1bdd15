//! Whatever fails, no descriptor is left open. One test in a process of its own, which counts.

mod support;

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;

use socket::{
    ConnectOptions, Family, Protocol, SockAddr, Socket, Splice, TcpListener, TcpStream,
    ToEndpoints, Type, UdpSocket, UnixAddr, UnixDatagram, UnixListener, UnixSeqpacket, UnixStream,
    create_connection, create_server,
};
use support::{PATIENCE, descriptor_count, directory, refusing, silent, tcp_pair, watchdog};

#[test]
fn no_failure_leaks_a_descriptor() {
    let _watchdog = watchdog(PATIENCE);
    // What the process opens once and keeps: the resolver's, the standard library's.
    let _ = create_connection(("localhost", 1), &Default::default());
    for (what, fails) in CASES {
        let before = descriptor_count();
        fails();
        assert_eq!(descriptor_count(), before, "{what}");
    }
}

/// Each does what fails (and what goes well), and closes what it keeps.
const CASES: &[(&str, fn())] = &[
    ("a connection that wins closes the others", winner),
    ("addresses that refuse, or do not answer", no_winner),
    ("a connection without a way", no_way),
    ("a server on a taken address", taken),
    ("a Unix path that is taken, stale or no socket", paths),
    ("what is no socket", no_socket),
    ("pairs", pairs),
    ("accepting and connecting", accept),
    ("files and splices", transfers),
    ("readers and writers", readers),
    ("names that fit nothing", names),
];

fn limited() -> ConnectOptions {
    ConnectOptions {
        timeout: Some(Duration::from_millis(40)),
        attempt_delay: Duration::from_millis(10),
        ..Default::default()
    }
}

fn list(addresses: &[&SockAddr]) -> Vec<socket::Endpoint> {
    addresses.iter().flat_map(|one| one.to_endpoints(Type::STREAM).unwrap()).collect()
}

fn winner() {
    let (one, two) = (silent("127.0.0.30:0"), silent("[::1]:0"));
    let (server, good) = support::listener();
    let options = ConnectOptions { timeout: Some(PATIENCE), ..limited() };
    let socket = create_connection(list(&[&one.address, &two.address, &good]), &options).unwrap();
    server.accept().unwrap();
    drop(socket);
}

fn no_winner() {
    let (one, two) = (silent("127.0.0.30:0"), silent("[::1]:0"));
    let (_held, refused) = refusing("127.0.0.1:0");
    let addresses = [&one.address, &refused, &two.address, &refused];
    let error = create_connection(list(&addresses), &limited()).unwrap_err();
    assert_eq!(error.attempts().len(), 4);
    create_connection(&one.address, &limited()).unwrap_err();
    create_connection(list(&[&refused, &refused]), &limited()).unwrap_err();
}

fn no_way() {
    let source_address = Some("[::1]:0".parse::<std::net::SocketAddr>().unwrap().into());
    let options = ConnectOptions { source_address, ..limited() };
    create_connection("127.0.0.1:1", &options).unwrap_err();
    let nowhere = SockAddr::Other { family: Family(9999), data: vec![1] };
    create_connection(&nowhere, &limited()).unwrap_err();
    create_connection("255.255.255.255:1", &limited()).unwrap_err();
    TcpStream::connect("udp://127.0.0.1:1").unwrap_err();
}

fn taken() {
    let (server, address) = support::listener();
    create_server(&address, &Default::default()).unwrap_err();
    TcpListener::bind(&address).unwrap_err();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    UdpSocket::bind(udp.local_addr().unwrap()).unwrap_err();
    create_server("192.0.2.77:0", &Default::default()).unwrap_err();
    drop(server);
}

fn paths() {
    let directory = directory();
    let (alive, file, stale) =
        (directory.join("alive"), directory.join("file"), directory.join("stale"));
    let _alive = UnixListener::bind(&alive).unwrap();
    std::fs::write(&file, "x").unwrap();
    for path in [&alive, &file, &directory.join("no/such")] {
        UnixListener::bind(path).unwrap_err();
        UnixDatagram::bind(path).unwrap_err();
    }
    drop(UnixListener::bind(&stale).unwrap());
    UnixListener::bind(&stale).unwrap().set_unlink_on_drop(true);
    UnixStream::connect(&stale).unwrap_err();
    UnixSeqpacket::connect(&alive).unwrap_err();
    UnixListener::bind("x".repeat(200)).unwrap_err();
}

fn no_socket() {
    let file = File::open("/dev/null").unwrap();
    Socket::fromfd(&file).unwrap_err();
    Socket::from_fd(file.into()).unwrap_err();
    let (left, _right) = tcp_pair();
    drop(Socket::fromfd(left.as_fd()).unwrap());
    drop(Socket::from_fd(left.detach()).unwrap());
}

fn pairs() {
    for family in [Family::UNIX, Family::INET, Family::INET6] {
        drop(Socket::pair(family, Type::STREAM, Default::default()).unwrap());
    }
    Socket::pair(Family::INET, Type::DGRAM, Default::default()).unwrap_err();
    Socket::new(Family::INET, Type::RDM, Protocol::DEFAULT).unwrap_err();
}

fn accept() {
    let (server, address) = support::listener();
    server.set_blocking(false).unwrap();
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let client = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    assert_eq!(client.connect_ex(&address).unwrap(), 0);
    server.set_blocking(true).unwrap();
    drop(server.accept().unwrap());
    drop(client.try_clone().unwrap());
    client.close().unwrap();
}

fn transfers() {
    let ((one, near), (far, other)) = (tcp_pair(), tcp_pair());
    let file = File::open("/proc/self/exe").unwrap();
    far.set_timeout(Some(Duration::from_millis(20))).unwrap();
    far.sendfile(&file, 0, None).unwrap_err();
    one.send_all(b"x").unwrap();
    near.splice(&far, None).unwrap_err();
    let mut pipe = Splice::new().unwrap();
    let (_mute, silent) = tcp_pair();
    silent.set_timeout(Some(Duration::from_millis(10))).unwrap();
    pipe.transfer(&silent, &far, 1).unwrap_err();
    drop((pipe, other));
    File::options()
        .write(true)
        .open("/dev/null")
        .map(|file| far.sendfile(&file, 0, None))
        .unwrap()
        .unwrap_err();
}

fn readers() {
    let (left, right) = tcp_pair();
    right.set_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut reader = right.reader().unwrap();
    std::io::Read::read(&mut reader, &mut [0; 1]).unwrap_err();
    drop((left.writer().unwrap(), left.reader().unwrap()));
}

fn names() {
    "::1:80".to_endpoints(Type::STREAM).unwrap_err();
    ("x".repeat(64), 80).to_endpoints(Type::STREAM).unwrap_err();
    let long = UnixAddr::Abstract(vec![7; 200]);
    UnixListener::bind_addr(&long).unwrap_err();
    UnixStream::connect_addr(&long).unwrap_err();
    UnixDatagram::unbound().unwrap().send_to_addr(b"x", &long).unwrap_err();
}
