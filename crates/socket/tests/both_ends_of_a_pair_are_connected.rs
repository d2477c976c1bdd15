//! The two sockets of a pair are each other's peer. CPython: `BasicSocketPairTest`,
//! `PurePythonSocketPairTest`.

mod support;

use std::os::fd::AsRawFd;

use socket::{Family, Protocol, SockAddr, Socket, Type, UnixAddr};
use support::{PATIENCE, watchdog};

const PAIRS: [(Family, Type); 5] = [
    (Family::UNIX, Type::STREAM),
    (Family::UNIX, Type::DGRAM),
    (Family::UNIX, Type::SEQPACKET),
    (Family::INET, Type::STREAM),
    (Family::INET6, Type::STREAM),
];

/// `testSend`, `testRecv`
#[test]
fn bytes_go_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    for (family, kind) in PAIRS {
        let (left, right) = Socket::pair(family, kind, Default::default()).unwrap();
        for (from, to) in [(&left, &right), (&right, &left)] {
            from.send_all(b"hello").unwrap();
            let mut buffer = [0; 16];
            let count = to.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..count], b"hello", "{family} {kind}");
        }
    }
}

/// `testDefaults`, `testIPv4`, `testIPv6`
#[test]
fn both_are_what_was_asked_for_and_know_each_other() {
    let _watchdog = watchdog(PATIENCE);
    for (family, kind) in PAIRS {
        let (left, right) = Socket::pair(family, kind, Default::default()).unwrap();
        for socket in [&left, &right] {
            assert_eq!((socket.family().unwrap(), socket.kind().unwrap()), (family, kind));
            assert!(socket.blocking() && !socket.inheritable().unwrap());
        }
        if family == Family::UNIX {
            let unnamed = SockAddr::Unix(UnixAddr::Unnamed);
            assert_eq!(left.getpeername().unwrap(), unnamed);
        } else {
            assert_eq!(left.getsockname().unwrap(), right.getpeername().unwrap());
            assert_eq!(left.getpeername().unwrap(), right.getsockname().unwrap());
        }
        assert_ne!(left.as_raw_fd(), right.as_raw_fd());
    }
}

/// `test_injected_authentication_failure`: whoever connects first is not taken for the partner.
#[test]
fn nobody_gets_in_between() {
    let _watchdog = watchdog(PATIENCE);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let (left, right) = support::tcp_pair();
                    assert_eq!(left.getsockname().unwrap(), right.getpeername().unwrap());
                }
            });
        }
    });
}

/// `PurePythonSocketPairTest`: what cannot be paired is refused.
#[test]
fn what_has_no_pairs_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let unsupported = |family, kind, protocol| {
        Socket::pair(family, kind, protocol).unwrap_err().raw_os_error().is_some()
    };
    assert!(unsupported(Family::INET, Type::DGRAM, Protocol::DEFAULT));
    assert!(unsupported(Family::INET, Type::STREAM, Protocol::UDP));
    assert!(unsupported(Family(-1), Type::STREAM, Protocol::DEFAULT));
}
