//! A lock has one holder at a time, is free again in the end, and wakes who waits for it.

use std::sync::Arc;

use loom::thread;

use super::{Guarded, explore};
use crate::sync::{Mutex, RwLock};

#[test]
fn two_threads_lock_twice() {
    explore(3, || {
        let mutex = Arc::new(Mutex::new(Guarded::new()));
        let other = Arc::clone(&mutex);
        let thread = thread::spawn(move || {
            other.lock().add_one();
            other.lock().add_one();
        });
        mutex.lock().add_one();
        mutex.lock().add_one();
        thread.join().unwrap();
        assert_eq!(mutex.lock().count(), 4);
    });
}

#[test]
fn three_threads_lock() {
    explore(2, || {
        let mutex = Arc::new(Mutex::new(Guarded::new()));
        let threads = [(); 2].map(|()| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || mutex.lock().add_one())
        });
        mutex.lock().add_one();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(mutex.try_lock().expect("nobody is left").count(), 3);
    });
}

#[test]
fn a_writer_is_alone() {
    explore(2, || {
        let lock = Arc::new(RwLock::new(Guarded::new()));
        let writer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.write().add_one())
        };
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.read().count())
        };
        let seen = lock.read().count();
        lock.write().add_one();
        writer.join().unwrap();
        assert!(seen <= 1 && reader.join().unwrap() <= 2);
        assert_eq!(lock.try_write().expect("nobody is left").count(), 2);
    });
}
