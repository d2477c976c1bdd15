//! A call with a time limit ends: at its limit, not before, and as a whole. CPython:
//! `TCPTimeoutTest`.

mod support;

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use socket::{Deadline, Family, SockAddr, Socket, Type, UnixAddr};
use support::{PATIENCE, watchdog};

const LIMIT: Duration = Duration::from_millis(60);

fn pair() -> (Socket, Socket) {
    Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap()
}

/// Runs `call`, which must time out no earlier than the limit.
fn times_out<T: std::fmt::Debug>(call: impl FnOnce() -> std::io::Result<T>) {
    let start = Instant::now();
    assert_eq!(call().unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= LIMIT, "ended after {:?}", start.elapsed());
}

#[test]
fn receive_times_out_and_the_socket_stays_usable() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = pair();
    right.set_timeout(Some(LIMIT)).unwrap();
    times_out(|| right.recv(&mut [0; 8]));
    left.send_all(b"late").unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 4);
    right.set_timeout(None).unwrap();
    left.send_all(b"x").unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn a_longer_limit_after_a_shorter_one_is_kept() {
    let _watchdog = watchdog(PATIENCE);
    let (_left, right) = pair();
    right.set_timeout(Some(Duration::from_millis(25))).unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
    right.set_timeout(Some(LIMIT)).unwrap();
    times_out(|| right.recv(&mut [0; 8]));
}

#[test]
fn sending_everything_has_one_limit_for_all_of_it() {
    let _watchdog = watchdog(PATIENCE);
    let (left, _right) = pair();
    left.set_timeout(Some(LIMIT)).unwrap();
    times_out(|| left.send_all(&vec![7; 16 << 20]));
}

/// Every byte comes well within the limit, all of them do not.
#[test]
fn receiving_everything_has_one_limit_for_all_of_it() {
    let _watchdog = watchdog(PATIENCE);
    let (left, mut right) = pair();
    let drip = std::thread::spawn(move || {
        left.set_timeout(Some(Duration::from_millis(5))).unwrap();
        // As long as anybody reads, and if nobody does for a while.
        while left.send(b"x").map_or_else(|error| error.kind() == ErrorKind::TimedOut, |_| true) {
            // Nothing ever comes: this is the pause between two bytes.
            let _ = left.recv(&mut [0; 1]);
        }
    });
    right.set_timeout(Some(LIMIT)).unwrap();
    times_out(|| right.recv_exact(&mut [0; 1000]));
    times_out(|| right.read_exact(&mut [0; 1000]));
    times_out(|| (&right).read_exact(&mut [0; 1000]));
    drop(right);
    drip.join().unwrap();
}

#[test]
fn accept_times_out() {
    let _watchdog = watchdog(PATIENCE);
    let listener = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    listener.listen(1).unwrap();
    listener.set_timeout(Some(LIMIT)).unwrap();
    times_out(|| listener.accept());
}

#[test]
fn connecting_to_a_full_unix_backlog_times_out() {
    let _watchdog = watchdog(PATIENCE);
    let listener = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    listener.bind(&SockAddr::Unix(UnixAddr::Unnamed)).unwrap();
    listener.listen(0).unwrap();
    let address = listener.getsockname().unwrap();
    let connect = || {
        let client = Socket::new(Family::UNIX, Type::STREAM, Default::default())?;
        client.set_timeout(Some(LIMIT))?;
        client.connect(&address).map(|()| client)
    };
    let _first = connect().unwrap();
    times_out(connect);
}

#[test]
fn a_moment_that_has_passed_is_over_even_when_data_waits() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = pair();
    left.send_all(b"waiting").unwrap();
    let error = right.recv_by(&mut [0; 8], Deadline::At(Instant::now())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_non_blocking_socket_does_not_wait() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = pair();
    right.set_blocking(false).unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    left.send_all(b"now").unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 3);
}
