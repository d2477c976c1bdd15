//! Whoever waits is woken from anywhere: by a thread, by a coroutine of the same worker, by one of
//! another worker. And a lock that is held over a wait holds up nobody else.

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use coroutine::sync::{Condvar, Mutex, Receiver, Sender, channel};
use coroutine::{spawn, yield_now};
use support::{Watchdog, pair, run};

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 2000;

type Ends = (Sender<usize>, Receiver<usize>);

/// Two ends of a conversation.
fn ends() -> (Ends, Ends) {
    let (there, from_here) = channel(1);
    let (back, from_there) = channel(1);
    ((there, from_there), (back, from_here))
}

fn ask((sender, receiver): Ends) {
    for round in 0..ROUNDS {
        sender.send(round).unwrap();
        assert_eq!(receiver.recv(), Ok(round));
    }
}

fn answer((sender, receiver): Ends) {
    receiver.iter().for_each(|round| sender.send(round).unwrap());
}

#[test]
fn a_thread_and_a_coroutine() {
    let _watchdog = Watchdog::new(PATIENCE);
    let (here, there) = ends();
    let thread = thread::spawn(move || answer(there));
    run(move || ask(here));
    thread.join().unwrap();
}

#[test]
fn coroutines_of_two_workers() {
    let _watchdog = Watchdog::new(PATIENCE);
    let (here, there) = ends();
    let thread = thread::spawn(move || run(move || answer(there)));
    run(move || ask(here));
    thread.join().unwrap();
}

#[test]
fn coroutines_of_one_worker() {
    let (here, there) = ends();
    run(move || {
        let other = spawn(move || answer(there));
        ask(here);
        other.join().unwrap();
    });
}

#[test]
fn a_condition_is_told_across_threads() {
    let _watchdog = Watchdog::new(PATIENCE);
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let turns = move |own: usize| {
        for _ in 0..ROUNDS {
            let (mut turn, waited) = shared.1.wait_while(shared.0.lock(), |turn| *turn % 2 != own);
            waited.unwrap();
            *turn += 1;
            shared.1.notify_one();
        }
    };
    let other = turns.clone();
    let thread = thread::spawn(move || other(0));
    run(move || turns(1));
    thread.join().unwrap();
}

#[test]
fn a_lock_held_over_a_wait_does_not_hold_up_the_worker() {
    run(|| {
        let (left, right) = pair();
        let mutex = Arc::new(Mutex::new(0));
        let holder = Arc::clone(&mutex);
        // Holds the lock until the socket has something to read.
        let holding = spawn(move || {
            let mut held = holder.lock();
            let mut byte = [0];
            right.recv_exact(&mut byte).unwrap();
            *held += byte[0];
        });
        yield_now();
        let wanting = spawn(move || *mutex.lock());
        yield_now();
        assert!(!holding.is_finished() && !wanting.is_finished());
        // This still runs, and ends it.
        left.send_all(&[7]).unwrap();
        holding.join().unwrap();
        assert_eq!(wanting.join().unwrap(), 7);
    });
}

#[test]
fn a_lock_held_by_a_thread_holds_up_one_coroutine_only() {
    let _watchdog = Watchdog::new(PATIENCE);
    let mutex = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&mutex);
    let (go_on, held) = channel::<()>(1);
    let (is_held, holds) = channel(1);
    let thread = thread::spawn(move || {
        let mut value = theirs.lock();
        is_held.send(()).unwrap();
        held.recv().unwrap();
        *value = 5;
    });
    holds.recv().unwrap();
    run(move || {
        let wanting = spawn(move || *mutex.lock());
        yield_now();
        assert!(!wanting.is_finished());
        go_on.send(()).unwrap();
        assert_eq!(wanting.join().unwrap(), 5);
    });
    thread.join().unwrap();
}
