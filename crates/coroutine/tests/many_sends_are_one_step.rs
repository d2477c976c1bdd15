//! Many sends that do not wait are all made, each is told what came of it, and what others wait for
//! goes on; on both drivers, and where there is none.

mod support;

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;

use coroutine::{
    Driver, Settings, Worker, in_coroutine, send_each, sends_together, spawn, yield_now,
};
use socket::{Deadline, Socket};
use support::{Watchdog, pair, tcp_pair, until};

/// Runs `main` on a worker with each driver, and on a plain thread.
fn everywhere(main: impl FnOnce() + Clone + 'static) {
    let _watchdog = Watchdog::new(Duration::from_secs(180));
    for driver in [Driver::Epoll, Driver::Uring] {
        let settings = Settings { driver, ..Settings::default() };
        let worker = Worker::new(settings).unwrap();
        let on_ring = worker.driver().driver == Driver::Uring;
        let main = main.clone();
        worker
            .run(move || {
                assert_eq!(sends_together(), on_ring);
                main();
            })
            .unwrap();
    }
    assert!(!sends_together());
    main();
}

/// A socket of which a first send takes only a part and a second one nothing.
fn small() -> (Socket, Socket) {
    let (near, far) = pair();
    near.set_so_sndbuf(4096).unwrap();
    (near, far)
}

#[test]
fn everybody_gets_what_was_meant_for_them() {
    everywhere(|| {
        // Fewer over TCP, whose ports are for a while nobody else's afterwards.
        for (count, pair) in [(0, pair as fn() -> _), (2, pair), (700, pair), (20, tcp_pair)] {
            let (near, far): (Vec<_>, Vec<_>) = (0..count).map(|_| pair()).unzip();
            for turn in 0..3_u32 {
                let texts: Vec<_> = (0..count).map(|at| format!("{turn} to {at}")).collect();
                let sends = near.iter().map(AsFd::as_fd).zip(&texts);
                let sends: Vec<_> = sends.map(|(fd, text)| (fd, text.as_bytes())).collect();
                let answers = send_each(&sends);
                assert_eq!(answers.len(), texts.len());
                for ((answer, text), far) in answers.into_iter().zip(&texts).zip(&far) {
                    assert_eq!(answer.unwrap(), text.len());
                    let mut heard = vec![0; text.len()];
                    far.recv_exact(&mut heard).unwrap();
                    assert_eq!(&heard, text.as_bytes());
                }
            }
        }
    });
}

#[test]
fn each_is_told_what_came_of_its_own() {
    everywhere(|| {
        const LONG: &[u8] = &[7; 1 << 20];
        for place in 0..4 {
            let (open, hears) = pair();
            let (part, hears_part) = small();
            let (full, hears_nothing) = small();
            let mut filled = 0;
            while let Ok(count) = full.send_by(LONG, Deadline::Immediate) {
                filled += count;
            }
            let (gone, other) = pair();
            drop(other);
            let mut sends = [
                (open.as_fd(), &b"heard"[..]),
                (part.as_fd(), LONG),
                (full.as_fd(), b"not heard"),
                (gone.as_fd(), b"to nobody"),
            ];
            // In every order: the answers are of this order.
            sends.rotate_left(place);
            let mut answers = send_each(&sends);
            answers.rotate_right(place);
            assert_eq!(answers[0].as_ref().unwrap(), &5);
            let sent = *answers[1].as_ref().unwrap();
            assert!((1..LONG.len()).contains(&sent), "{sent}");
            assert_eq!(answers[2].as_ref().unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!(answers[3].as_ref().unwrap_err().kind(), ErrorKind::BrokenPipe);
            hears.recv_exact(&mut [0; 5]).unwrap();
            for (far, count) in [(hears_part, sent), (hears_nothing, filled)] {
                far.recv_exact(&mut vec![0; count]).unwrap();
                let more = far.recv_by(&mut [0], Deadline::Immediate).unwrap_err();
                assert_eq!(more.kind(), ErrorKind::WouldBlock);
            }
        }
    });
}

/// On a ring what they wait for completes in the middle of the sends.
#[test]
fn whoever_waits_meanwhile_is_woken() {
    everywhere(|| {
        if !in_coroutine() {
            return;
        }
        let (near, far): (Vec<_>, Vec<_>) = (0..300).map(|_| pair()).unzip();
        let readers: Vec<_> = far
            .into_iter()
            .map(|far| {
                spawn(move || {
                    let mut bytes = [0; 8];
                    (0..10).for_each(|_| far.recv_exact(&mut bytes).unwrap());
                    bytes
                })
            })
            .collect();
        yield_now();
        for turn in 0..10_u64 {
            let text = turn.to_ne_bytes();
            let sends: Vec<_> = near.iter().map(|near| (near.as_fd(), &text[..])).collect();
            assert!(send_each(&sends).into_iter().all(|sent| sent.is_ok_and(|count| count == 8)));
        }
        for reader in readers {
            assert_eq!(u64::from_ne_bytes(reader.join().unwrap()), 9);
        }
    });
}

/// It has nothing to wait for, so there is nothing to be cancelled.
#[test]
fn a_cancelled_caller_sends_all_the_same() {
    everywhere(|| {
        if !in_coroutine() {
            return;
        }
        let (near, far) = pair();
        let sender = spawn(move || {
            until(coroutine::is_cancelled);
            let answers = send_each(&[(near.as_fd(), b"last")]);
            assert!(answers[0].as_ref().is_ok_and(|count| *count == 4));
        });
        yield_now();
        sender.cancel();
        sender.join().unwrap();
        far.recv_exact(&mut [0; 4]).unwrap();
    });
}
