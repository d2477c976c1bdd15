//! A channel delivers each value once, each sender's in the order of sending, holds no more than
//! its bound, and says when the other side is gone.

mod callers;
mod support;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use callers::Mix;
use coroutine::sync::{Receiver, SendError, WaitError, channel};
use coroutine::{spawn, yield_now};
use socket::Deadline;
use support::{Watchdog, run};

const PATIENCE: Duration = Duration::from_secs(60);
const VALUES: usize = 500;

/// Receives to the end, and checks that each sender's values rise.
fn receive(receiver: Receiver<(usize, usize)>) -> usize {
    let mut last = HashMap::new();
    let values = receiver.iter().inspect(|(sender, value)| {
        let before = last.insert(*sender, *value);
        assert!(before.is_none_or(|before| before < *value));
    });
    values.count()
}

#[test]
fn between_callers_of_every_kind() {
    let _watchdog = Watchdog::new(PATIENCE);
    for (mix, bound) in Mix::EACH.into_iter().flat_map(|mix| [(mix, 1), (mix, 7), (mix, 1000)]) {
        let (sender, receiver) = channel(bound);
        let receivers = [(); 2].map(|()| {
            let receiver = receiver.clone();
            std::thread::spawn(move || receive(receiver))
        });
        let coroutine = std::thread::spawn(|| coroutine::run(|| receive(receiver)).unwrap());
        mix.run(move |number| {
            for value in 0..VALUES {
                sender.send((number, value)).unwrap();
            }
        });
        let counts = receivers.map(|receiver| receiver.join().unwrap());
        let count = counts.iter().sum::<usize>() + coroutine.join().unwrap();
        assert_eq!(count, mix.count() * VALUES);
    }
}

#[test]
fn a_full_channel_makes_its_sender_wait() {
    run(|| {
        let (sender, receiver) = channel(2);
        let sending = spawn(move || (0..5).try_for_each(|number| sender.send(number)));
        yield_now();
        yield_now();
        assert!(!sending.is_finished());
        assert_eq!(receiver.try_iter().take(2).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [2, 3, 4]);
        sending.join().unwrap().unwrap();
    });
}

#[test]
fn what_cannot_be_had_says_why() {
    let _watchdog = Watchdog::new(PATIENCE);
    let short = Duration::from_millis(5);
    let check = move || {
        let (sender, receiver) = channel(0);
        assert_eq!(receiver.try_recv(), Err(WaitError::WouldBlock));
        assert_eq!(receiver.recv_timeout(short), Err(WaitError::TimedOut));
        assert_eq!(receiver.recv_by(Deadline::After(short).fixed()), Err(WaitError::TimedOut));
        sender.send("one").unwrap();
        let full = |why| Err(SendError { value: "two", why });
        assert_eq!(sender.try_send("two"), full(WaitError::WouldBlock));
        assert_eq!(sender.send_timeout("two", short), full(WaitError::TimedOut));
        // What is there is had, however late it is.
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok("one"));
        assert_eq!(sender.send_timeout("two", Duration::ZERO), Ok(()));
        drop(sender);
        assert_eq!(receiver.try_recv(), Ok("two"));
        assert_eq!(receiver.try_recv(), Err(WaitError::Disconnected));
        assert_eq!(receiver.recv(), Err(WaitError::Disconnected));
        let (sender, receiver) = channel(1);
        drop(receiver);
        assert_eq!(sender.try_send("two"), full(WaitError::Disconnected));
        assert_eq!(sender.send("two"), full(WaitError::Disconnected));
        let error = io::Error::from(sender.send("two").unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    };
    check();
    run(check);
}

#[test]
fn values_that_nobody_receives_are_dropped_once() {
    let _watchdog = Watchdog::new(PATIENCE);
    let value = Arc::new(());
    let (sender, receiver) = channel(4);
    (0..3).for_each(|_| sender.send(Arc::clone(&value)).unwrap());
    drop(receiver.recv().unwrap());
    let other = receiver.clone();
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 3);
    drop(other);
    assert_eq!(Arc::strong_count(&value), 1);
    sender.send(Arc::clone(&value)).unwrap_err();
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn both_sides_learn_of_the_other_while_they_wait() {
    let _watchdog = Watchdog::new(PATIENCE);
    for _ in 0..50 {
        let (sender, receiver) = channel::<u8>(1);
        let waiting = std::thread::spawn(move || receiver.recv());
        run(move || drop(sender));
        assert_eq!(waiting.join().unwrap(), Err(WaitError::Disconnected));
        let (sender, receiver) = channel(1);
        sender.send(1).unwrap();
        let waiting = std::thread::spawn(move || run(move || sender.send(2).unwrap_err().why));
        drop(receiver);
        assert_eq!(waiting.join().unwrap(), WaitError::Disconnected);
    }
}
