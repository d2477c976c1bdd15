//! Many messages by one call stay what they are one by one: each its bytes, its peer, its flags.
//! The same holds for datagrams that share a buffer on the way in or out (GSO, GRO).

mod support;

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket::{Ancillary, ControlBuffer, Family, Flags, Outgoing, RecvBatch, Socket, Type};
use support::{Watchdog, watchdog};

fn guarded() -> Watchdog {
    watchdog(Duration::from_secs(20))
}

fn bound(address: &str) -> Socket {
    let address = address.parse::<SocketAddr>().unwrap().into();
    let family =
        if matches!(address, socket::SockAddr::Inet(_)) { Family::INET } else { Family::INET6 };
    let socket = Socket::new(family, Type::DGRAM, Default::default()).unwrap();
    socket.bind(&address).unwrap();
    socket
}

fn turn_on(socket: &Socket, level: i32, name: i32) {
    socket.setsockopt(level, name, &1_i32.to_ne_bytes()).unwrap();
}

#[test]
fn a_batch_goes_to_many_peers_and_comes_from_many_peers() {
    let _watchdog = guarded();
    let (one, two, hub) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"), bound("127.0.0.1:0"));
    let (to_one, to_two) = (one.getsockname().unwrap(), two.getsockname().unwrap());
    let ttl = [Ancillary::Ttl(7)];
    let split = [IoSlice::new(b"for "), IoSlice::new(b"one")];
    let whole = [IoSlice::new(b"for two")];
    let messages = [
        Outgoing { buffers: &split, ancillary: &ttl, to: Some(&to_one) },
        Outgoing { buffers: &whole, ancillary: &[], to: Some(&to_two) },
        Outgoing { buffers: &[], ancillary: &[], to: Some(&to_one) },
    ];
    turn_on(&one, libc::IPPROTO_IP, libc::IP_RECVTTL);
    assert_eq!(hub.send_mmsg(&messages, Flags::NONE).unwrap(), 3);
    let mut batch = RecvBatch::new(8, 64, ControlBuffer::DEFAULT);
    assert_eq!(one.recv_mmsg(&mut batch, Flags::NONE).unwrap(), 2);
    let received: Vec<_> = batch.messages().collect();
    assert_eq!((received[0].bytes, received[1].bytes), (&b"for one"[..], &b""[..]));
    assert!(matches!(received[0].control.messages().next(), Some(Ancillary::Ttl(7))));
    assert!(received.iter().all(|message| message.flags == Flags::NONE));
    assert_eq!(two.recv(&mut [0; 64]).unwrap(), 7);

    let home = hub.getsockname().unwrap();
    one.send_to(b"from one", &home).unwrap();
    two.send_to(b"from two", &home).unwrap();
    assert_eq!(hub.recv_mmsg(&mut batch, Flags::NONE).unwrap(), 2);
    let received: Vec<_> =
        batch.messages().map(|message| (message.bytes, message.address)).collect();
    assert_eq!(received, [(&b"from one"[..], Some(to_one)), (b"from two", Some(to_two))]);
}

#[test]
fn a_batch_cuts_each_datagram_at_its_room_and_says_so() {
    let _watchdog = guarded();
    let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    let mut batch = RecvBatch::new(3, 4, 0);
    // Asked for with the flag, the kernel tells the whole length; the bytes are still cut.
    for flags in [Flags::NONE, Flags::TRUNC] {
        for bytes in [&b"123"[..], b"12345678", b"1"] {
            left.send(bytes).unwrap();
        }
        assert_eq!(right.recv_mmsg(&mut batch, flags).unwrap(), 3);
        let texts: Vec<_> = batch.messages().map(|message| message.bytes).collect();
        assert_eq!(texts, [&b"123"[..], b"1234", b"1"]);
        for (message, cut) in batch.messages().zip([false, true, false]) {
            assert_eq!(message.flags.contains(Flags::TRUNC), cut);
        }
    }
}

#[test]
fn a_batch_waits_for_the_first_message_only_and_not_beyond_the_limit() {
    const SHORT: Duration = Duration::from_millis(30);
    let _watchdog = guarded();
    let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    let mut batch = RecvBatch::new(8, 64, 0);
    for limit in [None, Some(Duration::from_secs(3600)), Some(Duration::ZERO)] {
        right.set_timeout(limit).unwrap();
        left.send(b"only one").unwrap();
        assert_eq!(right.recv_mmsg(&mut batch, Flags::NONE).unwrap(), 1);
    }
    assert_eq!(right.recv_mmsg(&mut batch, Flags::NONE).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(batch.is_empty() && batch.messages().next().is_none());
    right.set_timeout(Some(SHORT)).unwrap();
    let start = Instant::now();
    assert_eq!(right.recv_mmsg(&mut batch, Flags::NONE).unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn sending_stops_at_the_first_message_that_fails_and_tells_of_it_next_time() {
    let _watchdog = guarded();
    let receiver = bound("127.0.0.1:0");
    let sender = bound("127.0.0.1:0");
    let to = receiver.getsockname().unwrap();
    let (small, large) = ([IoSlice::new(b"fits")], [IoSlice::new(&[0; 65_508])]);
    let messages = [&small, &large, &small];
    let messages = messages.map(|buffers| Outgoing { buffers, ancillary: &[], to: Some(&to) });
    assert_eq!(sender.send_mmsg(&messages, Flags::NONE).unwrap(), 1);
    let error = sender.send_mmsg(&messages[1..], Flags::NONE).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    assert_eq!(sender.send_mmsg(&messages[2..], Flags::NONE).unwrap(), 1);
    assert_eq!(sender.send_mmsg(&[], Flags::NONE).unwrap(), 0);

    let refused = [Ancillary::GroSize(1)];
    let refused = Outgoing { ancillary: &refused, ..messages[0] };
    let error = sender.send_mmsg(&[messages[0], refused], Flags::NONE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let mut batch = RecvBatch::new(8, 64, 0);
    assert_eq!(
        receiver.recv_mmsg(&mut batch, Flags::NONE).unwrap(),
        2,
        "a refused batch is not sent"
    );
}

#[test]
fn segments_leave_as_datagrams_of_one_size() {
    let _watchdog = guarded();
    let bytes: Vec<u8> = (0..10_001_u32).map(|number| number as u8).collect();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (sender, receiver) = (bound(address), bound(address));
        let to = receiver.getsockname().unwrap();
        for size in [1, 100, 1000, 10_000, 10_001, 20_000] {
            // 1 byte each: as many as a receive queue surely holds.
            let bytes = if size == 1 { &bytes[..100] } else { &bytes[..] };
            sender.send_segments(bytes, size, Some(&to)).unwrap();
            for part in bytes.chunks(size.into()) {
                let mut buffer = [0; 20_000];
                let count = receiver.recv(&mut buffer).unwrap();
                assert!(&buffer[..count] == part, "{size} bytes each: {count}");
            }
        }
        sender.send_segments(&[], 5, Some(&to)).unwrap();
        let error = receiver.recv_with(&mut [0; 8], Flags::DONTWAIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let error = sender.send_segments(b"x", 0, Some(&to)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn segments_that_arrive_together_part_as_they_were_sent() {
    let _watchdog = guarded();
    let (sender, receiver) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
    turn_on(&receiver, libc::SOL_UDP, libc::UDP_GRO);
    let bytes: Vec<u8> = (0..30_500_u32).map(|number| (number / 1000) as u8).collect();
    let to = receiver.getsockname().unwrap();
    sender.send_segments(&bytes, 1000, Some(&to)).unwrap();
    let mut sizes = Vec::new();
    let mut calls = 0;
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    while sizes.len() < 31 {
        let mut buffer = vec![0; 1 << 16];
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        let received = receiver.recv_msg(buffers, &mut control, Flags::NONE).unwrap();
        assert_eq!(received.flags, Flags::NONE);
        for datagram in control.segments(&buffer[..received.count]) {
            assert!(datagram.iter().all(|byte| usize::from(*byte) == sizes.len()));
            sizes.push(datagram.len());
        }
        calls += 1;
    }
    let mut expected = vec![1000; 30];
    expected.push(500);
    assert_eq!(sizes, expected);
    assert!(calls < 31, "nothing arrived together");

    // One datagram on its own is one datagram, an empty one too.
    for length in [7, 0] {
        sender.send_to(&bytes[..length], &to).unwrap();
        let mut batch = RecvBatch::new(2, 64, ControlBuffer::DEFAULT);
        assert_eq!(receiver.recv_mmsg(&mut batch, Flags::NONE).unwrap(), 1);
        let message = batch.messages().next().unwrap();
        let sizes: Vec<_> = message.control.segments(message.bytes).map(<[u8]>::len).collect();
        assert_eq!(sizes, [length]);
    }
}
