//! A channel delivers each value once and in order, and tells who waits that nobody is left.

use std::sync::Arc;

use loom::thread;

use super::explore;
use crate::sync::{WaitError, channel};

#[test]
fn values_keep_their_order_and_the_end_is_told() {
    explore(3, || {
        let (sender, receiver) = channel(1);
        let thread = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(receiver.recv(), Ok(2));
        assert_eq!(receiver.recv(), Err(WaitError::Disconnected));
        thread.join().unwrap();
    });
}

#[test]
fn each_value_goes_to_one_receiver() {
    explore(2, || {
        let (sender, receiver) = channel(2);
        let threads = [(); 2].map(|()| {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.recv().map_or(0, |value: u32| value))
        });
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        drop(sender);
        let sum: u32 = threads.map(|thread| thread.join().unwrap()).iter().sum();
        assert_eq!(sum, 3);
    });
}

#[test]
fn a_value_outlives_the_sender() {
    explore(3, || {
        let (sender, receiver) = channel(1);
        let thread = thread::spawn(move || sender.send(7));
        let value = loop {
            match receiver.try_recv() {
                Err(WaitError::WouldBlock) => thread::yield_now(),
                other => break other,
            }
        };
        assert_eq!(value, Ok(7));
        thread.join().unwrap().unwrap();
        assert_eq!(receiver.try_recv(), Err(WaitError::Disconnected));
    });
}

#[test]
fn a_sender_that_waits_gets_its_value_back() {
    explore(3, || {
        let (sender, receiver) = channel(1);
        let value = Arc::new(());
        sender.send(Arc::clone(&value)).unwrap();
        let thread = thread::spawn(move || drop(receiver));
        let error = sender.send(Arc::clone(&value)).unwrap_err();
        assert_eq!(error.why, WaitError::Disconnected);
        drop(error);
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
