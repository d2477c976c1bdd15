//! A call that would block suspends its coroutine only: one worker serves both ends of everything.

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use coroutine::{Builder, WaitsFor, in_coroutine, list, sleep, spawn, yield_now};
use socket::{Deadline, Family, Flags, Interest, Socket, Type, UnixAddr, errors, seam};
use support::{listener, pair, run, tcp_pair, until};

#[test]
fn both_ends_of_a_stream_live_on_one_worker() {
    for (left, right) in [pair(), tcp_pair()] {
        let echoed = run(move || {
            let server = spawn(move || {
                let mut buffer = [0; 64];
                loop {
                    match right.recv(&mut buffer).unwrap() {
                        0 => break,
                        count => right.send_all(&buffer[..count]).unwrap(),
                    }
                }
            });
            let mut echoed = 0;
            for round in 0..1000u32 {
                let sent = [round as u8; 64];
                left.send_all(&sent).unwrap();
                let mut back = [0; 64];
                left.recv_exact(&mut back).unwrap();
                assert_eq!(sent, back);
                echoed += 1;
            }
            drop(left);
            server.join().unwrap();
            echoed
        });
        assert_eq!(echoed, 1000);
    }
}

#[test]
fn a_client_inside_a_coroutine_connects_to_a_server_inside_another() {
    run(|| {
        let (listener, address) = listener();
        let server = spawn(move || {
            let (connection, _) = listener.accept().unwrap();
            connection.send_all(b"welcome").unwrap();
        });
        let client = Socket::new(Family::INET, Type::STREAM, Default::default());
        let client = client.unwrap();
        client.connect(&address).unwrap();
        let mut buffer = [0; 7];
        client.recv_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"welcome");
        server.join().unwrap();
    });
}

#[test]
fn more_than_the_buffers_hold_gets_through() {
    for (left, right) in [pair(), tcp_pair()] {
        run(move || {
            let bytes: Arc<[u8]> = (0..4 << 20).map(|at: u32| (at * 7) as u8).collect();
            let sent = Arc::clone(&bytes);
            let writer = spawn(move || left.send_all(&sent).unwrap());
            let mut received = vec![0; bytes.len()];
            right.recv_exact(&mut received).unwrap();
            assert!(received == *bytes);
            writer.join().unwrap();
        });
    }
}

#[test]
fn deadlines_end_waits_and_only_those() {
    run(|| {
        let (left, right) = pair();
        right.set_timeout(Some(Duration::from_millis(20))).unwrap();
        let begun = Instant::now();
        assert!(errors::is_timeout(&right.recv(&mut [0; 8]).unwrap_err()));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        left.send_all(b"x").unwrap();
        assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);
        right.set_timeout(Some(Duration::ZERO)).unwrap();
        assert!(errors::is_would_block(&right.recv(&mut [0; 8]).unwrap_err()));
        let past = Deadline::At(Instant::now());
        left.send_all(b"x").unwrap();
        assert!(errors::is_timeout(&right.recv_by(&mut [0; 8], past).unwrap_err()));
        assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);
    });
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    let order = run(|| {
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        // One beginning for all, however long it takes until each has begun.
        let begun = Instant::now();
        let handles: Vec<_> = [40, 10, 30, 0, 20, 50]
            .map(|wait| {
                let order = Arc::clone(&order);
                spawn(move || {
                    seam::sleep(Deadline::At(begun + Duration::from_millis(wait)));
                    order.lock().unwrap().push(wait);
                })
            })
            .into();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        Arc::into_inner(order).unwrap().into_inner().unwrap()
    });
    assert_eq!(order, [0, 10, 20, 30, 40, 50]);
}

#[test]
fn turns_are_taken_first_in_first_out() {
    let order = run(|| {
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        for name in ["a", "b", "c"] {
            let order = Arc::clone(&order);
            spawn(move || {
                for _ in 0..2 {
                    order.lock().unwrap().push(name);
                    yield_now();
                }
            });
        }
        until(|| order.lock().unwrap().len() == 6);
        order.lock().unwrap().clone()
    });
    assert_eq!(order, ["a", "b", "c", "a", "b", "c"]);
}

/// A pair of which one side always has something to read never waits, and gives way all the same.
#[test]
fn one_that_never_waits_lets_others_run() {
    run(|| {
        let (left, right) = pair();
        left.send_all(b"x").unwrap();
        let flags = Flags::PEEK;
        let busy = spawn(move || {
            while !coroutine::is_cancelled() {
                if right.recv_with(&mut [0; 1], flags).is_err() {
                    break;
                }
            }
        });
        let other = spawn(yield_now);
        other.join().unwrap();
        busy.cancel();
        busy.join().unwrap();
        drop(left);
    });
}

/// Of what arrives meanwhile the worker hears from the kernel only: it has to ask, although
/// somebody could always go on.
#[test]
fn one_that_never_waits_hides_no_arrival() {
    for (flood, flooded) in [pair(), tcp_pair()] {
        let rounds = run(move || {
            let (quiet, other_end) = pair();
            let heard = Arc::new(AtomicBool::new(false));
            let hears = Arc::clone(&heard);
            let waiting = spawn(move || {
                quiet.recv_exact(&mut [0; 5]).unwrap();
                hears.store(true, SeqCst);
            });
            yield_now();
            other_end.send_all(b"hello").unwrap();
            let mut rounds = 0;
            while !heard.load(SeqCst) && rounds < MANY_ROUNDS {
                flood.send_all(&[7; 64]).unwrap();
                flooded.recv_exact(&mut [0; 64]).unwrap();
                rounds += 1;
            }
            waiting.join().unwrap();
            rounds
        });
        assert!(rounds < 500, "{rounds} rounds until an arrival was seen");
    }
}

/// More than a worker may go through without a look at what has arrived.
const MANY_ROUNDS: usize = 5000;

#[test]
fn one_reads_while_another_writes_the_same_socket() {
    run(|| {
        let (left, right) = tcp_pair();
        let (left, right) = (Arc::new(left), Arc::new(right));
        let ends = [Arc::clone(&left), Arc::clone(&right)].map(|end| {
            let reader = Arc::clone(&end);
            let writer = spawn(move || {
                let block = [7; 64 * 1024];
                (0..64).for_each(|_| end.send_all(&block).unwrap());
            });
            let reader = spawn(move || {
                let mut block = vec![0; 64 * 1024];
                (0..64).for_each(|_| reader.recv_exact(&mut block).unwrap());
            });
            (reader, writer)
        });
        for (reader, writer) in ends {
            reader.join().unwrap();
            writer.join().unwrap();
        }
        drop((left, right));
    });
}

#[test]
fn several_readers_of_one_socket_are_all_served() {
    run(|| {
        let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
        let right = Arc::new(right);
        let readers: Vec<_> = (0..5)
            .map(|_| {
                let right = Arc::clone(&right);
                spawn(move || {
                    let mut buffer = [0; 8];
                    let count = right.recv(&mut buffer).unwrap();
                    buffer[..count].to_vec()
                })
            })
            .collect();
        until(|| {
            list().iter().filter(|one| matches!(one.waits_for, WaitsFor::Read(_))).count() == 5
        });
        for word in ["a", "b", "c", "d", "e"] {
            left.send_all(word.as_bytes()).unwrap();
        }
        let mut heard: Vec<_> = readers.into_iter().map(|one| one.join().unwrap()).collect();
        heard.sort();
        assert_eq!(heard, [b"a", b"b", b"c", b"d", b"e"]);
    });
}

/// No event tells a sender that is not connected of room in the receiver's queue.
#[test]
fn datagrams_to_a_full_unix_queue_get_through() {
    run(|| {
        let socket = || Socket::new(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
        let (receiver, sender) = (socket(), socket());
        receiver.bind(&UnixAddr::Unnamed.into()).unwrap(); // the kernel chooses a name
        let address = receiver.getsockname().unwrap();
        let sending = spawn(move || {
            (0..2000u32)
                .for_each(|n| assert_eq!(sender.send_to(&n.to_be_bytes(), &address).unwrap(), 4));
        });
        until(|| list().iter().any(|one| one.waits_for == WaitsFor::Time));
        for n in 0..2000u32 {
            let mut bytes = [0; 4];
            receiver.recv_exact(&mut bytes).unwrap();
            assert_eq!(u32::from_be_bytes(bytes), n);
        }
        sending.join().unwrap();
    });
}

/// Urgent data makes reads stop short with more to come.
#[test]
fn urgent_data_hides_nothing_behind_it() {
    run(|| {
        let (left, right) = tcp_pair();
        let reader = spawn(move || {
            let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                match right.recv(&mut buffer).unwrap() {
                    0 => break heard,
                    count => heard.extend_from_slice(&buffer[..count]),
                }
            }
        });
        for round in 0..50 {
            left.send_all(b"before").unwrap();
            if round > 10 {
                left.send_with(b"!", Flags::OOB).unwrap();
                left.send_all(b"after").unwrap();
            }
            (0..round % 4).for_each(|_| yield_now());
        }
        drop(left);
        let heard = String::from_utf8(reader.join().unwrap()).unwrap();
        assert_eq!(heard.matches("before").count(), 50);
        assert_eq!(heard.matches("after").count(), 39);
    });
}

/// Someone who only ever asks whether there is something must not keep the worker.
#[test]
fn one_that_never_blocks_lets_others_run() {
    run(|| {
        let (left, right) = pair();
        right.set_blocking(false).unwrap();
        let asking = spawn(move || {
            loop {
                match right.recv(&mut [0; 1]) {
                    Err(error) if errors::is_would_block(&error) => {}
                    answer => break answer.unwrap(),
                }
            }
        });
        yield_now();
        left.send_all(b"x").unwrap();
        assert_eq!(asking.join().unwrap(), 1);
    });
}

#[test]
fn waiting_for_any_of_several_goes_by_the_level() {
    run(|| {
        let pairs: Vec<_> = (0..4).map(|_| tcp_pair()).collect();
        // Edges long gone: each socket was registered, woken and not read from.
        for (left, right) in &pairs {
            left.send_all(b"x").unwrap();
            right.wait(Interest::READ).unwrap();
            assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);
        }
        let ends: Vec<_> = pairs.iter().map(|(left, _)| left.try_clone().unwrap()).collect();
        let writer = spawn(move || {
            yield_now();
            ends[2].send_all(b"y").unwrap();
        });
        for _ in 0..2 {
            let mut watches: Vec<_> =
                pairs.iter().map(|(_, right)| right.watch(Interest::READ)).collect();
            seam::wait_any(&mut watches, Deadline::Never).unwrap();
            let ready: Vec<_> = watches.iter().map(|watch| watch.ready).collect();
            assert_eq!(ready, [false, false, true, false]);
        }
        let mut watches = [pairs[0].1.watch(Interest::READ)];
        let immediately = seam::wait_any(&mut watches, Deadline::Immediate).unwrap_err();
        assert!(errors::is_would_block(&immediately));
        let soon = Deadline::After(Duration::from_millis(10));
        assert!(errors::is_timeout(&seam::wait_any(&mut watches, soon).unwrap_err()));
        // It is known to have had nothing a moment ago, and nobody has given way since.
        pairs[0].0.send_all(b"z").unwrap();
        seam::wait_any(&mut watches, Deadline::Immediate).unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn what_is_not_send_is_sound_between_coroutines_of_a_worker() {
    let total = run(|| {
        let shared = Rc::new(RefCell::new(0));
        let mine = Rc::clone(&shared);
        *mine.borrow_mut() += 1;
        yield_now();
        assert!(in_coroutine());
        *shared.borrow()
    });
    assert_eq!(total, 1);
    assert!(!in_coroutine());
}

#[test]
fn the_list_says_who_waits_for_what() {
    run(|| {
        let (left, right) = pair();
        let reader = Builder::new().name("reader").spawn(move || {
            let _ = right.recv(&mut [0; 1]);
        });
        let reader = reader.unwrap();
        let sleeper = Builder::new().name("sleeper").spawn(|| sleep(Duration::MAX)).unwrap();
        yield_now();
        let list = list();
        let names: Vec<_> = list.iter().map(|one| (one.id, one.name.as_str())).collect();
        assert_eq!(names, [(0, "main"), (1, "reader"), (2, "sleeper")]);
        assert_eq!(list[0].waits_for, WaitsFor::Turn);
        assert!(matches!(list[1].waits_for, WaitsFor::Read(_)));
        assert_eq!(list[2].waits_for, WaitsFor::Time);
        drop(left);
        reader.join().unwrap();
        sleeper.cancel();
        sleeper.join().unwrap();
    });
}
