//! Datagrams of every size, from senders that do not exist, and errors of the socket they come by:
//! the server goes on, and never sends more than it got.

use std::io::{self, Write};
use std::net::SocketAddr;

use rustix::io::Errno;
use switchboard::socket::fault::{Call, inject};
use switchboard::socket::{Family, Protocol, SockAddr, Type};
use switchboard::{Connection, Engine, Guards, Socket};

use crate::apart::{apart, skip};
use crate::rude::{datagram_socket, place};
use crate::support::{Serving, on_every_engine, serve};

on_every_engine! {
    a_datagram_of_any_size_is_one_request
    senders_that_are_gone_do_not_stop_it
    an_answer_that_cannot_be_sent_harms_nobody_else
    an_error_of_the_socket_is_passed_over
    a_datagram_in_its_own_name_is_not_answered_for_ever
}

/// The packet back.
fn back(connection: &mut Connection) -> io::Result<()> {
    let packet = connection.packet().unwrap_or_default().to_vec();
    connection.write_all(&packet)
}

/// The largest datagram of UDP over IPv4: 65 535 bytes without the two headers.
const LARGEST: usize = 65_507;

/// Asks once, and answers how many bytes came back.
fn exchange(server: &Serving, size: usize) -> usize {
    let client = server.client();
    assert_eq!(client.send(&vec![7; size]).unwrap(), size);
    client.recv(&mut vec![0; LARGEST + 1]).unwrap()
}

/// Row 28.
fn a_datagram_of_any_size_is_one_request(engine: Engine) {
    apart(engine, || {
        // `packet` is what was received: an answer to nothing would be a write of nothing.
        let reply = |connection: &mut Connection| {
            let packet = connection.packet().unwrap_or_default().to_vec();
            connection.reply(&packet)
        };
        let server = serve(engine, "udp://127.0.0.1:0", Guards::default(), reply);
        // What is longer than `max_packet_size`, 8192 unless set, is cut.
        for (size, answer) in [(0, 0), (1, 1), (8192, 8192), (8193, 8192), (LARGEST, 8192), (3, 3)]
        {
            assert_eq!(exchange(&server, size), answer, "{size}");
        }
        let counters = server.until(|counters| counters.closed == 6);
        assert_eq!((counters.opened, counters.received, counters.sent), (6, 24_580, 24_580));
        server.stop().unwrap();
    });
}

/// Row 28: a burst from ports that nobody has any more.
fn senders_that_are_gone_do_not_stop_it(engine: Engine) {
    const BURST: u64 = 100;
    apart(engine, || {
        let guards = Guards { limit_per_address: Some(1000), ..Guards::default() };
        let server = serve(engine, "udp://127.0.0.1:0", guards, back);
        let place = place(&server.address);
        for _ in 0..BURST {
            let _ = datagram_socket().send_to(b"spoofed", &place).unwrap();
        }
        assert_eq!(exchange(&server, 100), 100);
        // The kernel may drop some; whatever was taken was not answered with more than it was.
        let counters = server.until(|counters| counters.open() == 0);
        assert!(counters.opened > 1 && counters.opened <= BURST + 1, "{counters:?}");
        assert!(counters.sent <= counters.received, "{counters:?}");
        server.stop().unwrap();
    });
}

/// Row 28: `sendto(2)` says no to a sender of port 0.
fn an_answer_that_cannot_be_sent_harms_nobody_else(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "udp://127.0.0.1:0", Guards::default(), back);
        if send_from(&server, 0) {
            server.until(|counters| counters.closed == 1);
            assert!(server.told("reason: Failed"), "{:?}", server.events.lock().unwrap());
        }
        assert_eq!(exchange(&server, 100), 100);
        assert_eq!(server.control.counters().accept_failed, 0);
        server.stop().unwrap();
    });
}

/// Row 28: what an earlier answer came back with (`ECONNREFUSED`), and a shortage.
fn an_error_of_the_socket_is_passed_over(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "udp://127.0.0.1:0", Guards::default(), back);
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(place(&server.address).as_inet().unwrap()).unwrap();
        for errno in [Errno::CONNREFUSED, Errno::HOSTUNREACH, Errno::NOBUFS, Errno::NOMEM] {
            let injection = inject(Call::Recv, errno.raw_os_error(), 1, 3);
            // A call that was about to be made may take the first of them before any fails.
            for _ in 0..10 {
                client.send(b"through").unwrap();
                assert_eq!(client.recv(&mut [0; 8]).unwrap(), 7, "{errno}");
                if injection.failed() == 3 {
                    break;
                }
            }
            assert_eq!(injection.failed(), 3, "{errno}");
        }
        assert!(server.told("connection refused") || server.told("ConnectionRefused"));
        server.stop().unwrap();
    });
}

/// Row 28: a sender that claims to be the server itself would have it talk to itself for ever.
fn a_datagram_in_its_own_name_is_not_answered_for_ever(engine: Engine) {
    apart(engine, || {
        let server = serve(engine, "udp://127.0.0.1:0", Guards::default(), back);
        let own = place(&server.address).as_inet().unwrap().port();
        let refused = u64::from(send_from(&server, own));
        for _ in 0..20 {
            assert_eq!(exchange(&server, 10), 10);
        }
        let counters =
            server.until(|counters| counters.closed >= 20 && counters.refused >= refused);
        assert_eq!((counters.opened, counters.refused), (20, refused), "it talks to itself");
        assert!(refused == 0 || server.told("OwnAddress"));
        server.stop().unwrap();
    });
}

/// Sends the server a datagram that claims to come from this port of the server's address; false
/// where that is not allowed.
fn send_from(server: &Serving, port: u16) -> bool {
    let Ok(raw) = Socket::new(Family::INET, Type::RAW, Protocol::UDP) else {
        skip("raw sockets need CAP_NET_RAW");
        return false;
    };
    let to = place(&server.address).as_inet().unwrap();
    // Ports, length, and no checksum. RFC 768.
    let header = [port, to.port(), 12, 0].map(u16::to_be_bytes);
    let datagram = [header.as_flattened(), b"echo"].concat();
    raw.bind(&SockAddr::from(SocketAddr::new(to.ip(), 0))).unwrap();
    raw.send_to(&datagram, &SockAddr::from(SocketAddr::new(to.ip(), 0))).unwrap();
    true
}
