//! A ring whose queues are far too small, and one that goes while something is under way.

use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use io_uring::opcode::Recv;
use io_uring::types::Fd;
use rustix::event::{EventfdFlags, eventfd};
use socket::seam::{self, Memory, Watch, wait_any};
use socket::{Deadline, Family, Interest, Socket, Type};

use super::*;
use crate::reactor::Reactor;
use crate::reactor::choice::Driver;
use crate::settings::{Ended, Settings};
use crate::shortage::Shortage;
use crate::slot::{Slot, SlotRef};
use crate::worker::Worker;
use crate::{Remote, sleep, spawn, yield_now};

const TINY: Sizes = Sizes { submissions: 2, completions: 4 };

/// Runs `main` on a worker with a ring of that size, or not at all where there are no rings.
fn on_tiny_ring(grace: Duration, main: impl FnOnce() + 'static) -> Option<Ended> {
    let settings = Settings { driver: Driver::Uring, grace, ..Settings::default() };
    let worker = Worker::sized(settings, TINY).unwrap();
    (worker.driver().driver == Driver::Uring).then(|| worker.run(main).unwrap().1)
}

fn pair() -> (Socket, Socket) {
    Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap()
}

/// What this worker says now that it has run short of.
fn said() -> Vec<Shortage> {
    let remote = Remote(Arc::clone(&crate::current::worker().unwrap().shared));
    std::iter::from_fn(|| remote.shortage()).collect()
}

#[test]
fn full_queues_delay_and_lose_nothing() {
    on_tiny_ring(Duration::from_secs(60), || {
        let echoes: Vec<_> = (0..100)
            .map(|_| {
                let (left, right) = pair();
                spawn(move || {
                    let mut byte = [0];
                    while right.recv(&mut byte).unwrap() == 1 {
                        right.send_all(&byte).unwrap();
                    }
                });
                spawn(move || {
                    for number in 0..50 {
                        left.send_all(&[number]).unwrap();
                        let mut byte = [0];
                        left.recv_exact(&mut byte).unwrap();
                        assert_eq!(byte, [number]);
                    }
                })
            })
            .collect();
        echoes.into_iter().for_each(|echo| echo.join().unwrap());
    });
}

/// Has many wait for the same at once, more than completions have room, and all of them hear it.
fn overflow() {
    let (left, right) = pair();
    let right = Arc::new(right);
    let waiters: Vec<_> = (0..300)
        .map(|_| {
            let right = Arc::clone(&right);
            spawn(move || {
                let memory = Memory::default();
                let target = memory.target(right.as_fd());
                let mut watch = [Watch { target, interest: Interest::READ, ready: false }];
                wait_any(&mut watch, Deadline::Never).unwrap();
                right.recv(&mut [0]).unwrap()
            })
        })
        .collect();
    sleep(Duration::from_millis(1));
    left.send_all(b"1").unwrap();
    left.shutdown(Shutdown::Write).unwrap();
    assert_eq!(waiters.into_iter().map(|one| one.join().unwrap()).sum::<usize>(), 1);
}

#[test]
fn completions_that_overflow_all_arrive_and_it_is_said_once() {
    on_tiny_ring(Duration::from_secs(60), || {
        overflow();
        assert_eq!(said(), [Shortage::Completions]);
        overflow();
        assert_eq!(said(), []);
    });
}

/// More than the one queue holds, and more than the other, with receives that complete meanwhile.
#[test]
fn sends_together_go_through_full_queues() {
    on_tiny_ring(Duration::from_secs(60), || {
        let (near, far): (Vec<_>, Vec<_>) = (0..300).map(|_| pair()).unzip();
        let readers: Vec<_> = far
            .into_iter()
            .map(|far| {
                spawn(move || {
                    let mut heard = [0; 20];
                    far.recv_exact(&mut heard).unwrap();
                    heard
                })
            })
            .collect();
        yield_now();
        let said: Vec<_> = (0..20).collect();
        for byte in said.chunks(1) {
            let sends: Vec<_> = near.iter().map(|near| (near.as_fd(), byte)).collect();
            let answers = crate::send_each(&sends);
            assert_eq!(answers.len(), sends.len());
            assert!(answers.into_iter().all(|sent| sent.is_ok_and(|count| count == 1)));
        }
        readers.into_iter().for_each(|reader| assert_eq!(reader.join().unwrap()[..], said));
    });
}

#[test]
fn a_crowd_is_cancelled_and_unwound_through_full_queues() {
    for grace in [Duration::ZERO, Duration::from_secs(60)] {
        let ended = on_tiny_ring(grace, || {
            for _ in 0..100 {
                let (left, right) = pair();
                spawn(move || {
                    let answer = right.recv(&mut [0; 100]);
                    assert!(answer.is_err());
                    drop(left);
                });
            }
            yield_now();
            sleep(Duration::from_millis(1));
        });
        let Some(ended) = ended else { return };
        let forced = if grace.is_zero() { 100 } else { 0 };
        assert_eq!(ended, Ended { cancelled: 100, forced, abandoned: 0 });
    }
}

/// Receives into lent memory, which idle callers do not have, and answers how much came.
fn recv_lent(socket: &Socket) -> usize {
    let memory = Memory::default();
    let mut lent = None;
    let count = seam::recv_lent(
        memory.target(socket.as_fd()),
        &mut lent,
        Deadline::Never,
        seam::Patience::Endless,
    )
    .unwrap();
    // At the end there may be no buffer.
    let received = lent.as_ref().map_or(&[][..], |lent| &lent[..count]);
    assert!(received.len() == count && received.iter().all(|byte| *byte == b'x'));
    count
}

/// Answers by a byte and receives in one step, and answers how much came.
fn answer_and_recv(socket: &Socket, memory: &Memory) -> usize {
    let (mut output, mut lent, mut otherwise) = (b"a".to_vec(), None, None);
    let target = memory.target(socket.as_fd());
    let patience = seam::Patience::Endless;
    match crate::converse(target, &mut output, &mut lent, patience, &mut otherwise) {
        0 => otherwise.unwrap().unwrap(),
        count => count,
    }
}

#[test]
fn a_crowd_empties_the_shelf_and_everyone_is_served() {
    let settings = Settings { driver: Driver::Uring, ..Settings::default() };
    let crowd = || {
        let (lefts, rights): (Vec<_>, Vec<_>) = (0..500).map(|_| pair()).unzip();
        let readers: Vec<_> = rights
            .into_iter()
            .map(|right| {
                spawn(move || {
                    let (mut total, mut count) = (0, 1);
                    while count > 0 {
                        count = recv_lent(&right);
                        total += count;
                    }
                    total
                })
            })
            .collect();
        sleep(Duration::from_millis(1));
        std::thread::spawn(move || {
            lefts.iter().for_each(|left| left.send_all(&[b'x'; 100]).unwrap());
            lefts.iter().for_each(|left| left.send_all(&[b'x'; 20_000]).unwrap());
        })
        // Holds the worker up, so that all of it is there at once.
        .join()
        .unwrap();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 20_100);
        }
    };
    Worker::new(settings).unwrap().run(crowd).unwrap();
}

#[test]
fn an_empty_shelf_stops_nobody_and_it_is_said_once() {
    let settings = Settings { driver: Driver::Uring, ..Settings::default() };
    let worker = Worker::new(settings).unwrap();
    let emptied = || {
        let core = crate::current::worker().unwrap();
        let Reactor::Uring(uring) = &core.reactor else { return };
        let Some(shelf) = &uring.shelf else { return };
        shelf.forget_all(&uring.ring);
        let (left, right) = pair();
        let reader = spawn(move || {
            let received = (0..50).map(|_| recv_lent(&right)).sum::<usize>();
            let memory = Memory::default();
            received + (0..50).map(|_| answer_and_recv(&right, &memory)).sum::<usize>()
        });
        let say = |times| {
            for _ in 0..times {
                left.send_all(b"x").unwrap();
                yield_now();
                sleep(Duration::from_micros(10));
            }
        };
        assert_eq!(said(), [], "nothing was short so far");
        say(50);
        assert_eq!(said(), [Shortage::Buffers]);
        say(50);
        assert_eq!(said(), []);
        assert_eq!(left.shutdown(Shutdown::Write).map_err(|error| error.kind()), Ok(()));
        assert_eq!(reader.join().unwrap(), 100);
        let mut answers = [0; 50];
        left.recv_exact(&mut answers).unwrap();
        assert_eq!(answers, [b'a'; 50]);
    };
    worker.run(emptied).unwrap();
}

#[test]
fn a_ring_that_goes_ends_what_is_under_way() {
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
    let Ok(uring) = Uring::new(&bell, SIZES, &Arc::default()) else { return };
    let slot = Slot::new(0);
    // SAFETY: the slot outlives the ring.
    let waiter = unsafe { SlotRef::new(&slot) };
    let (left, right) = pair();
    let mut buffer = [0x55; 8];
    let entry = Recv::new(Fd(right.as_raw_fd()), buffer.as_mut_ptr(), 8).build();
    // SAFETY: the buffer outlives the ring, which ends the operation.
    unsafe { uring.begin(waiter, entry) }.unwrap();
    uring.ring.enter(0).unwrap();
    assert_eq!(uring.operations.pending(), 1);
    drop(uring);
    left.send_all(b"nothing").unwrap();
    assert_eq!(buffer, [0x55; 8]);
    assert_eq!(right.recv(&mut buffer).unwrap(), 7);
}

#[test]
fn a_child_leaves_the_ring_alone() {
    let Ok(ring) = Ring::new(SIZES, Arc::default()) else { return };
    let another = || Ring::new(SIZES, Arc::default());
    let child = || {
        let nop = io_uring::opcode::Nop::new().build();
        // SAFETY: the entry points to nothing.
        let pushed = unsafe { ring.push(&nop) };
        match (ring.is_ours(), pushed, ring.enter(0)) {
            (false, Err(_), Err(_)) if another().is_ok_and(|own| own.is_ours()) => 0,
            _ => 1,
        }
    };
    let mut child = socket::process::Fork::new().run(child).unwrap();
    assert_eq!(child.wait().unwrap(), socket::process::Exit::Code(0));
    assert!(ring.is_ours());
}
