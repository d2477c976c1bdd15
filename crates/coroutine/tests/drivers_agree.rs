//! Whatever a worker waits with, a call means the same: no byte is lost to a deadline, none is
//! written into a buffer after its call, and a socket goes from one driver to the other.

mod support;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use coroutine::{Driver, Settings, Worker, sleep, spawn, yield_now};
use socket::seam::{Memory, Patience, Watch, wait_any};
use socket::{Deadline, Family, Interest, SockAddr, Socket, Type};
use support::{Watchdog, listener, pair, tcp_pair};

const BOTH: [Driver; 2] = [Driver::Epoll, Driver::Uring];

fn settings(driver: Driver) -> Settings {
    Settings { driver, ..Settings::default() }
}

/// Runs `main` once on each driver. Where there is no ring, twice on epoll.
fn on_both(main: impl Fn() + Clone + 'static) {
    let _watchdog = Watchdog::new(Duration::from_secs(180));
    for driver in BOTH {
        Worker::new(settings(driver)).unwrap().run(main.clone()).unwrap();
    }
}

#[test]
fn no_byte_is_lost_to_a_deadline() {
    const BYTES: usize = 3000;
    on_both(|| {
        let (left, right) = tcp_pair();
        let sender = thread::spawn(move || {
            for number in 0..BYTES {
                left.send_all(&[number as u8]).unwrap();
                if number % 7 == 0 {
                    thread::yield_now();
                }
            }
        });
        let (mut received, mut late) = (0, 0);
        while received < BYTES {
            let mut buffer = [0; 3];
            match right.recv_by(&mut buffer, Deadline::After(Duration::from_micros(30))) {
                Ok(count) => {
                    for byte in &buffer[..count] {
                        assert_eq!(*byte, received as u8);
                        received += 1;
                    }
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    late += 1;
                }
            }
        }
        assert_eq!(right.recv(&mut [0]).unwrap(), 0, "{late} came too late");
        sender.join().unwrap();
    });
}

#[test]
fn a_buffer_is_its_callers_again_when_the_call_returns() {
    on_both(|| {
        for (left, right) in [pair(), tcp_pair()] {
            for _ in 0..50 {
                let mut buffer = [0x55; 256];
                let soon = Deadline::After(Duration::from_micros(200));
                let error = right.recv_by(&mut buffer, soon).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                left.send_all(b"late").unwrap();
                sleep(Duration::from_micros(200));
                assert_eq!(buffer, [0x55; 256], "nothing is written after the call");
                assert_eq!(right.recv(&mut buffer).unwrap(), 4);
                assert_eq!(&buffer[..4], b"late");
            }
        }
    });
}

#[test]
fn one_that_is_cancelled_takes_nothing_with_it() {
    on_both(|| {
        for round in 0..50 {
            let (left, right) = tcp_pair();
            let right = std::sync::Arc::new(right);
            let theirs = std::sync::Arc::clone(&right);
            let waiter = spawn(move || theirs.recv(&mut [0; 8]));
            if round % 2 == 0 {
                yield_now();
            }
            waiter.cancel();
            let error = waiter.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            left.send_all(b"kept").unwrap();
            let mut buffer = [0; 8];
            assert_eq!(right.recv(&mut buffer).unwrap(), 4);
        }
    });
}

#[test]
fn a_full_socket_is_waited_for_and_every_byte_arrives() {
    on_both(|| {
        let (left, right) = tcp_pair();
        let sender = spawn(move || {
            let bytes: Vec<u8> = (0..4_000_000_u32).map(|number| (number % 251) as u8).collect();
            left.send_all(&bytes).unwrap();
        });
        let (mut total, mut buffer) = (0_usize, vec![0; 100_000]);
        loop {
            let count = right.recv(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            for byte in &buffer[..count] {
                assert_eq!(*byte, (total % 251) as u8);
                total += 1;
            }
        }
        assert_eq!(total, 4_000_000);
        sender.join().unwrap();
    });
}

#[test]
fn one_byte_wakes_thousands_and_one_of_them_gets_it() {
    on_both(|| {
        let (left, right) = pair();
        let right = std::sync::Arc::new(right);
        let waiters: Vec<_> = (0..5000)
            .map(|_| {
                let right = std::sync::Arc::clone(&right);
                spawn(move || {
                    let memory = Memory::default();
                    let mut watch = [Watch {
                        target: memory.target(right.as_fd()),
                        interest: Interest::READ,
                        ready: false,
                    }];
                    wait_any(&mut watch, Deadline::Never).unwrap();
                    assert!(watch[0].ready);
                    right.recv_by(&mut [0], Deadline::Immediate).map_err(|error| error.kind())
                })
            })
            .collect();
        yield_now();
        left.send_all(b"1").unwrap();
        left.shutdown(std::net::Shutdown::Write).unwrap();
        let answers: Vec<_> = waiters.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(answers.iter().filter(|answer| **answer == Ok(1)).count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == Ok(0)).count(), 4999);
    });
}

/// A socket on a round: a thread of its own for each stop, on either driver or none.
#[test]
fn a_socket_goes_round_all_drivers() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let (left, right) = tcp_pair();
    let stop = |socket: Socket, driver: Option<Driver>| -> Socket {
        let echo = move || {
            for _ in 0..4 {
                let mut buffer = [0; 16];
                let count = socket.recv(&mut buffer).unwrap();
                socket.send_all(&buffer[..count]).unwrap();
            }
            socket
        };
        match driver {
            None => echo(),
            Some(driver) => Worker::new(settings(driver)).unwrap().run(echo).unwrap().0,
        }
    };
    let round = thread::spawn(move || {
        let stops = [Some(Driver::Uring), Some(Driver::Epoll), None];
        let stops = stops.into_iter().cycle().take(9);
        drop(stops.fold(right, |socket, driver| {
            thread::spawn(move || stop(socket, driver)).join().unwrap()
        }));
    });
    for number in 0..36_u8 {
        left.send_all(&[number]).unwrap();
        let mut byte = [0];
        assert_eq!(left.recv(&mut byte).unwrap(), 1);
        assert_eq!(byte, [number]);
    }
    assert_eq!(left.recv(&mut [0]).unwrap(), 0);
    round.join().unwrap();
}

#[test]
fn a_file_that_is_non_blocking_is_waited_for_all_the_same() {
    on_both(|| {
        let (left, right) = tcp_pair();
        let (listener, address) = listener();
        for fd in [left.as_fd(), right.as_fd(), listener.as_fd()] {
            rustix::io::ioctl_fionbio(fd, true).unwrap();
        }
        let client = spawn(move || {
            let client = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
            client.connect(&address).unwrap();
            for number in 0..20 {
                let mut byte = [0];
                assert_eq!(right.recv(&mut byte).unwrap(), 1);
                assert_eq!(byte, [number]);
                right.send_all(&byte).unwrap();
            }
        });
        listener.accept().unwrap();
        for number in 0..20 {
            left.send_all(&[number]).unwrap();
            let mut lent = None;
            assert_eq!(left.recv_lent(&mut lent, Deadline::Never, Patience::Endless).unwrap(), 1);
            assert_eq!(lent.unwrap()[0], number);
        }
        client.join().unwrap();
    });
}

#[test]
fn a_closed_socket_is_closed_although_somebody_waited_for_it() {
    on_both(|| {
        let (left, right) = tcp_pair();
        let soon = Deadline::After(Duration::from_micros(100));
        assert!(right.recv_by(&mut [0], soon).is_err());
        drop(right);
        // The kernel holds no file back: the other end sees the end.
        assert_eq!(left.recv(&mut [0]).unwrap(), 0);
        // Where no other test is given a port.
        let listener = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
        listener.bind(&SockAddr::from(SocketAddr::from(([127, 44, 0, 1], 0)))).unwrap();
        listener.listen(1).unwrap();
        let address = listener.getsockname().unwrap();
        let mut watch = [listener.watch(Interest::READ)];
        assert!(wait_any(&mut watch, soon).is_err());
        listener.set_timeout(Some(Duration::from_millis(1))).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(listener);
        let again = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
        again.bind(&address).unwrap();
        again.listen(1).unwrap();
    });
}

#[test]
fn both_run_at_once_in_one_process() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let (one, other) = tcp_pair();
    let (tell, told) = mpsc::channel();
    let threads: Vec<_> = BOTH
        .into_iter()
        .zip([one, other])
        .map(|(driver, socket)| {
            let tell = tell.clone();
            thread::spawn(move || {
                let worker = Worker::new(settings(driver)).unwrap();
                let first = driver == Driver::Epoll;
                let (count, _) = worker
                    .run(move || {
                        let mut byte = [0];
                        if first {
                            socket.send_all(&byte).unwrap();
                        }
                        let mut count = 0;
                        while socket.recv(&mut byte).unwrap() == 1 {
                            count += 1;
                            if byte[0] == 200 {
                                break;
                            }
                            byte[0] += 1;
                            socket.send_all(&byte).unwrap();
                        }
                        count
                    })
                    .unwrap();
                tell.send(count).unwrap();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(told.try_iter().sum::<usize>(), 201);
}

/// Connects to `address`, from a thread of its own.
fn connected(address: &SockAddr) -> Socket {
    let address = address.clone();
    let connect = move || {
        let socket = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
        socket.connect(&address).unwrap();
        socket
    };
    thread::spawn(connect).join().unwrap()
}

#[test]
fn what_was_accepted_is_heard_whether_it_speaks_early_or_late() {
    on_both(|| {
        let (listener, address) = listener();
        // More than enough for a worker to try some before it waits, and to wait for others.
        for number in 0..70 {
            let early = number % 3 == 0;
            let peer = connected(&address);
            if early {
                peer.send_all(b"first").unwrap();
            }
            let (accepted, _) = listener.accept().unwrap();
            let (tell, told) = mpsc::channel();
            let reader = spawn(move || {
                let mut lent = None;
                let mut heard = Vec::new();
                loop {
                    let endless = Patience::Endless;
                    let count = accepted.recv_lent(&mut lent, Deadline::Never, endless).unwrap();
                    if count == 0 {
                        assert!(lent.is_none(), "a buffer is kept for nothing");
                        return heard;
                    }
                    heard.extend_from_slice(&lent.as_ref().unwrap()[..count]);
                    // Only the first is waited for.
                    let _ = tell.send(());
                }
            });
            let speaker = thread::spawn(move || {
                if !early {
                    peer.send_all(b"first").unwrap();
                }
                told.recv().unwrap();
                peer.send_all(b" and last").unwrap();
            });
            assert_eq!(reader.join().unwrap(), b"first and last");
            speaker.join().unwrap();
        }
    });
}

#[test]
fn who_waits_to_write_goes_on_although_another_was_there_first_to_read() {
    const BYTES: usize = 8 << 20;
    on_both(|| {
        let (left, right) = tcp_pair();
        let reads = left.try_clone().unwrap();
        // It has the socket registered, for reading.
        let reader = spawn(move || left.recv(&mut [0; 8]).unwrap());
        yield_now();
        let writer = spawn(move || {
            reads.send_all(&vec![7; BYTES]).unwrap();
            reads
        });
        yield_now();
        let taker = thread::spawn(move || {
            let (mut taken, mut room) = (0, vec![0; 64 * 1024]);
            while taken < BYTES {
                taken += right.recv(&mut room).unwrap();
            }
            right.send_all(b"all").unwrap();
            right
        });
        writer.join().unwrap();
        assert_eq!(reader.join().unwrap(), 3);
        drop(taker.join().unwrap());
    });
}

#[test]
fn what_is_known_of_an_accepted_socket_is_forgotten_when_a_layer_comes_between() {
    on_both(|| {
        let (listener, address) = listener();
        let _peer = connected(&address);
        let (accepted, _) = listener.accept().unwrap();
        let plain = |socket: &Socket| socket.watch(Interest::READ).target.is_plain_tcp();
        assert!(plain(&accepted));
        // Whether it could be put there or not.
        assert!(accepted.set_tcp_ulp("no such").is_err());
        assert!(!plain(&accepted));
        let (unix, _) = pair();
        assert!(!plain(&unix));
    });
}
