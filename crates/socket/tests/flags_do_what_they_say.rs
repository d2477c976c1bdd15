//! A flag has its effect in every mode, and what has no effect is refused or kept.

mod support;

use std::io::{ErrorKind, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

use socket::{ControlBuffer, Family, Flags, SockAddr, Socket, Type};
use support::{Watchdog, watchdog};

fn guarded() -> Watchdog {
    watchdog(Duration::from_secs(20))
}

fn tcp() -> (Socket, Socket) {
    let listener = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(1).unwrap();
    let client = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    client.connect(&listener.getsockname().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn pair(kind: Type) -> (Socket, Socket) {
    Socket::pair(Family::UNIX, kind, Default::default()).unwrap()
}

#[test]
fn waiting_for_all_fills_the_buffer_in_every_mode_that_waits() {
    let _watchdog = guarded();
    for limit in [None, Some(Duration::from_secs(3600))] {
        let (left, right) = pair(Type::STREAM);
        right.set_timeout(limit).unwrap();
        let sender = thread::spawn(move || {
            for part in [b"ab", b"cd", b"ef"] {
                left.send_all(part).unwrap();
                thread::yield_now();
            }
            left
        });
        let mut buffer = [0; 6];
        assert_eq!(right.recv_with(&mut buffer, Flags::WAITALL).unwrap(), 6);
        assert_eq!(&buffer, b"abcdef");
        let left = sender.join().unwrap();
        left.send_all(b"end").unwrap();
        left.shutdown(Shutdown::Write).unwrap();
        assert_eq!(right.recv_with(&mut buffer, Flags::WAITALL).unwrap(), 3);
        assert_eq!(right.recv_with(&mut buffer, Flags::WAITALL).unwrap(), 0);
    }
}

#[test]
fn waiting_for_all_ends_at_the_limit_with_what_there_is() {
    let _watchdog = guarded();
    let (left, right) = pair(Type::STREAM);
    right.set_timeout(Some(Duration::from_millis(30))).unwrap();
    let mut buffer = [0; 6];
    let error = right.recv_with(&mut buffer, Flags::WAITALL).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    left.send_all(b"part").unwrap();
    right.set_timeout(Some(Duration::from_millis(500))).unwrap();
    assert_eq!(right.recv_with(&mut buffer, Flags::WAITALL).unwrap(), 4);
}

#[test]
fn waiting_for_all_takes_one_datagram() {
    let _watchdog = guarded();
    let (left, right) = pair(Type::DGRAM);
    for bytes in [b"one", b"two"] {
        left.send(bytes).unwrap();
        assert_eq!(right.recv_with(&mut [0; 64], Flags::WAITALL).unwrap(), 3);
    }
}

#[test]
fn an_urgent_byte_comes_by_itself_and_never_waits() {
    let _watchdog = guarded();
    let (client, server) = tcp();
    for limit in [None, Some(Duration::from_secs(3600))] {
        server.set_timeout(limit).unwrap();
        let error = server.recv_with(&mut [0; 1], Flags::OOB).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "there is none");
    }
    client.send_with(b"ab!", Flags::OOB).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(server.recv(&mut buffer).unwrap(), 2);
    let mut urgent = [0; 1];
    let mut control = ControlBuffer::default();
    let buffers = &mut [IoSliceMut::new(&mut urgent)];
    // The byte may be announced before it is there.
    let received = loop {
        match server.recv_msg(buffers, &mut control, Flags::OOB) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            answer => break answer.unwrap(),
        }
    };
    assert!(received.flags.contains(Flags::OOB));
    assert_eq!(&urgent, b"!");
}

#[test]
fn more_to_come_holds_a_datagram_back_until_it_is_whole() {
    let _watchdog = guarded();
    let any: SockAddr = "127.0.0.1:0".parse::<SocketAddr>().unwrap().into();
    let receiver = Socket::new(Family::INET, Type::DGRAM, Default::default()).unwrap();
    receiver.bind(&any).unwrap();
    let sender = Socket::new(Family::INET, Type::DGRAM, Default::default()).unwrap();
    let to = receiver.getsockname().unwrap();
    sender.send_to_with(b"one ", Flags::MORE, &to).unwrap();
    sender.connect(&to).unwrap();
    sender.send_with(b"datagram", Flags::NONE).unwrap();
    let mut buffer = [0; 64];
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 12);
    assert_eq!(&buffer[..12], b"one datagram");
}

#[test]
fn one_call_does_not_wait_on_a_socket_that_does() {
    let _watchdog = guarded();
    let (left, right) = pair(Type::STREAM);
    let error = right.recv_with(&mut [0; 8], Flags::DONTWAIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let error = right.recv_from_with(&mut [0; 8], Flags::DONTWAIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let error = left.send_all_with(&vec![7; 16 << 20], Flags::DONTWAIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn all_is_sent_with_flags_as_without() {
    let _watchdog = guarded();
    let (left, right) = pair(Type::STREAM);
    let sender = thread::spawn(move || left.send_all_with(&vec![7; 4 << 20], Flags::MORE).unwrap());
    right.recv_exact(&mut vec![0; 4 << 20]).unwrap();
    sender.join().unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn sending_without_copying_is_refused() {
    let _watchdog = guarded();
    let (left, _right) = pair(Type::STREAM);
    let refused = [
        left.send_with(b"x", Flags::ZEROCOPY),
        left.send_all_with(b"x", Flags::ZEROCOPY | Flags::MORE).map(|()| 0),
        left.send_to_with(b"x", Flags::ZEROCOPY, &left.getsockname().unwrap()),
        left.send_mmsg(&[], Flags::ZEROCOPY),
    ];
    for answer in refused {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn shutting_down_wakes_a_waiting_receive() {
    let _watchdog = guarded();
    for limit in [None, Some(Duration::from_secs(3600))] {
        let (client, server) = tcp();
        server.set_timeout(limit).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut control = ControlBuffer::default();
                let mut buffer = [0; 8];
                let buffers = &mut [IoSliceMut::new(&mut buffer)];
                server.recv_msg(buffers, &mut control, Flags::NONE).unwrap().count
            });
            server.shutdown(Shutdown::Both).unwrap();
            assert_eq!(waiting.join().unwrap(), 0);
        });
        drop(client);
    }
}
