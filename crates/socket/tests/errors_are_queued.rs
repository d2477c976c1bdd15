//! What became of a datagram is told by the queue of errors: who refused it, and which it was.

mod support;

use std::io::{ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket::{
    Ancillary, ControlBuffer, ErrorOrigin, ExtendedError, Flags, Interest, SockAddr, Socket, Type,
};
use support::watchdog;

/// A socket with its queue of errors on, a port of its family that nobody listens on, and the
/// socket that has it as long as it is kept.
fn socket_and_closed_port(ip: &str) -> Option<(Socket, SockAddr, Socket)> {
    let any = SockAddr::from(SocketAddr::new(ip.parse().unwrap(), 0));
    let make = || Socket::new(any.family(), Type::DGRAM, Default::default());
    let bound = make().unwrap();
    if let Err(error) = bound.bind(&any) {
        assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "no {ip}: {error}");
        println!("skipped: {ip}: {error}");
        return None;
    }
    let socket = make().unwrap();
    let on = 1_i32.to_ne_bytes();
    match any {
        SockAddr::Inet(_) => socket.setsockopt(libc::IPPROTO_IP, libc::IP_RECVERR, &on),
        _ => socket.setsockopt(libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &on),
    }
    .unwrap();
    let closed = bound.getsockname().unwrap();
    // It hears nobody but itself.
    bound.connect(&closed).unwrap();
    Some((socket, closed, bound))
}

/// Receives one report: the bytes of the packet it is about, where that went, and the report.
fn report(socket: &Socket) -> (Vec<u8>, Option<SockAddr>, ExtendedError) {
    let mut buffer = [0; 2048];
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    let buffers = &mut [IoSliceMut::new(&mut buffer)];
    let received = socket.recv_msg(buffers, &mut control, Flags::ERRQUEUE).unwrap();
    assert!(received.flags.contains(Flags::ERRQUEUE));
    let report = control.messages().find_map(|piece| match piece {
        Ancillary::ExtendedError(report) => Some(report),
        _ => None,
    });
    (buffer[..received.count].to_vec(), received.address, report.unwrap())
}

#[test]
fn a_refused_datagram_is_reported_with_who_refused_it() {
    let _watchdog = watchdog(Duration::from_secs(20));
    for (ip, origin) in [("127.0.0.1", ErrorOrigin::ICMP), ("::1", ErrorOrigin::ICMP6)] {
        let Some((socket, closed, _held)) = socket_and_closed_port(ip) else { continue };
        socket.send_to(b"anyone?", &closed).unwrap();
        // Readiness for nothing in particular is an error.
        socket.wait(Interest::NONE).unwrap();
        let (bytes, address, report) = report(&socket);
        assert_eq!((bytes.as_slice(), address), (&b"anyone?"[..], Some(closed)));
        assert_eq!((report.errno, report.origin), (libc::ECONNREFUSED, origin));
        assert_eq!(report.error().kind(), ErrorKind::ConnectionRefused);
        let offender = report.offender.unwrap();
        assert_eq!((offender.ip(), offender.port()), (ip.parse::<IpAddr>().unwrap(), 0));
        let unreachable = if origin == ErrorOrigin::ICMP { (3, 3) } else { (1, 4) };
        assert_eq!((report.kind, report.code), unreachable, "destination, port unreachable");
    }
}

#[test]
fn a_datagram_too_big_is_reported_with_the_size_that_would_do() {
    let _watchdog = watchdog(Duration::from_secs(20));
    let Some((socket, closed, _held)) = socket_and_closed_port("::1") else { return };
    let discover = libc::IPV6_PMTUDISC_DO.to_ne_bytes();
    socket.setsockopt(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, &discover).unwrap();
    socket.connect(&closed).unwrap();
    let mut mtu = [0; 4];
    socket.getsockopt(libc::IPPROTO_IPV6, libc::IPV6_MTU, &mut mtu).unwrap();
    let mtu = u32::from_ne_bytes(mtu);
    // The largest datagram there is; with its headers it is larger than the loopback's 65 536.
    let bytes = vec![0; 65_535 - 8];
    let error = socket.send(&bytes).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE), "with an MTU of {mtu}");
    let (.., report) = report(&socket);
    assert_eq!((report.errno, report.origin), (libc::EMSGSIZE, ErrorOrigin::LOCAL));
    assert_eq!((report.info, report.offender), (mtu, None));
}

#[test]
fn an_empty_queue_never_waits() {
    let _watchdog = watchdog(Duration::from_secs(20));
    let Some((socket, ..)) = socket_and_closed_port("127.0.0.1") else { return };
    for timeout in [None, Some(Duration::from_secs(3600)), Some(Duration::ZERO)] {
        socket.set_timeout(timeout).unwrap();
        let mut control = ControlBuffer::default();
        let error = socket.recv_msg(&mut [], &mut control, Flags::ERRQUEUE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
