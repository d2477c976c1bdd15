//! What one socket receives another sends, inside the kernel: all of it, within one limit, and
//! with a pipe of one's own nothing is lost by an error.

mod support;

use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use socket::{Family, Socket, Splice, Type};
use support::{PATIENCE, tcp_pair, unix_pair, watchdog};

type Pair = fn() -> (Socket, Socket);

const WAYS: [(Pair, Pair); 4] =
    [(tcp_pair, tcp_pair), (tcp_pair, unix_pair), (unix_pair, tcp_pair), (unix_pair, unix_pair)];

#[test]
fn everything_comes_through_in_order() {
    let _watchdog = watchdog(PATIENCE);
    let bytes: Vec<u8> = (0..2_000_003_u32).map(|index| (index >> 6) as u8).collect();
    for (one, two) in WAYS {
        for limit in [None, Some(PATIENCE)] {
            let ((client, near), (far, server)) = (one(), two());
            near.set_timeout(limit).unwrap();
            let sending = std::thread::spawn({
                let bytes = bytes.clone();
                move || client.send_all(&bytes)
            });
            let receiving = std::thread::spawn(move || {
                let mut all = Vec::new();
                (&server).read_to_end(&mut all).map(|_| all)
            });
            assert_eq!(near.splice(&far, Some(70_000)).unwrap(), 70_000);
            assert_eq!(near.splice(&far, None).unwrap(), bytes.len() as u64 - 70_000);
            assert_eq!(near.splice(&far, Some(1)).unwrap(), 0, "the end stays the end");
            drop(far);
            sending.join().unwrap().unwrap();
            assert!(receiving.join().unwrap().unwrap() == bytes);
        }
    }
}

#[test]
fn silence_ends_at_the_limit_of_either() {
    let _watchdog = watchdog(PATIENCE);
    let limit = Duration::from_millis(50);
    for (one, two) in WAYS {
        for receiver_has_it in [true, false] {
            let ((client, near), (far, _server)) = (one(), two());
            let limited = if receiver_has_it { &near } else { &far };
            limited.set_timeout(Some(limit)).unwrap();
            client.send_all(b"some").unwrap();
            let start = Instant::now();
            assert_eq!(near.splice(&far, None).unwrap_err().kind(), ErrorKind::TimedOut);
            assert!(start.elapsed() >= limit);
        }
    }
}

#[test]
fn a_pipe_of_ones_own_keeps_what_could_not_be_sent() {
    let _watchdog = watchdog(PATIENCE);
    for (one, two) in WAYS {
        let ((client, near), (far, server)) = (one(), two());
        far.set_timeout(Some(Duration::from_millis(30))).unwrap();
        far.set_so_sndbuf(4_096).unwrap();
        client.set_blocking(false).unwrap();
        let mut pipe = Splice::new().unwrap();
        let mut sent = 0;
        let error = loop {
            // As much as there is room for, so that there is always something to move.
            if let Ok(count) = client.send(&[b'x'; 10_000]) {
                sent += count;
            }
            if let Err(error) = pipe.transfer(&near, &far, usize::MAX) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(pipe.held() > 0);
        client.shutdown(Shutdown::Write).unwrap();
        let receiving = std::thread::spawn(move || {
            let mut all = Vec::new();
            (&server).read_to_end(&mut all).map(|_| all.len())
        });
        far.set_timeout(Some(PATIENCE)).unwrap();
        while pipe.transfer(&near, &far, usize::MAX).unwrap() > 0 {}
        assert_eq!((pipe.held(), pipe.moved()), (0, sent as u64));
        drop(far);
        assert_eq!(receiving.join().unwrap().unwrap(), sent);
    }
}

#[test]
fn a_pipe_serves_non_blocking_sockets() {
    let _watchdog = watchdog(PATIENCE);
    let ((client, near), (far, server)) = (tcp_pair(), unix_pair());
    near.set_blocking(false).unwrap();
    far.set_blocking(false).unwrap();
    let mut pipe = Splice::new().unwrap();
    let error = pipe.transfer(&near, &far, 10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.send_all(b"hello, world").unwrap();
    assert_eq!(pipe.transfer(&near, &far, 5).unwrap(), 5);
    assert_eq!(pipe.transfer(&near, &far, 0).unwrap(), 0);
    assert_eq!(server.recv(&mut [0; 16]).unwrap(), 5);
    assert_eq!(near.splice(&far, None).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_is_no_stream_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    left.send(b"datagram").unwrap();
    let (to, _kept) = tcp_pair();
    let invalid = |answer: std::io::Result<u64>| {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::InvalidInput);
    };
    invalid(right.splice(&to, None));
    invalid(to.splice(&right, None));
    assert_eq!(right.recv(&mut [0; 16]).unwrap(), 8, "nothing was done");
}

#[test]
fn a_peer_that_is_gone_is_an_error() {
    let _watchdog = watchdog(PATIENCE);
    let ((client, near), (far, server)) = (tcp_pair(), unix_pair());
    drop(server);
    client.send_all(b"nobody").unwrap();
    assert_eq!(near.splice(&far, None).unwrap_err().kind(), ErrorKind::BrokenPipe);
}
