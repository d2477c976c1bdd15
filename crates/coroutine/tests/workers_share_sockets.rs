//! A socket works wherever it is used: on a thread, on this worker, on another, on two at once; and
//! under a descriptor number that belonged to another one a moment ago.

mod support;

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use coroutine::{Remote, Settings, Worker, list, sleep, spawn, yield_now};
use socket::{Family, Interest, Socket, Type};
use support::{Watchdog, pair, run, tcp_pair, until};

/// A worker on a thread of its own, until it is dropped.
struct Running {
    remote: Remote,
    thread: Option<thread::JoinHandle<()>>,
    end: Option<Socket>,
}

impl Running {
    fn new() -> Running {
        let (end, ends) = pair();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let worker = Worker::new(Settings::default()).unwrap();
            tell.send(worker.remote()).unwrap();
            worker.run(move || ends.recv(&mut [0; 1]).unwrap()).unwrap();
        });
        Running { remote: told.recv().unwrap(), thread: Some(thread), end: Some(end) }
    }

    /// Runs `body` there, and answers what it returns.
    fn ask<T: Send + 'static>(&self, body: impl FnOnce() -> T + Send + 'static) -> T {
        self.begin(body).recv().unwrap()
    }

    fn begin<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> mpsc::Receiver<T> {
        let (tell, told) = mpsc::channel();
        self.remote.spawn("asked", move || drop(tell.send(body()))).unwrap();
        told
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Receives one byte, which the other end sends only when this one waits.
fn wait_for_one(socket: &Socket) -> u8 {
    let mut byte = [0];
    assert_eq!(socket.recv(&mut byte).unwrap(), 1);
    byte[0]
}

#[test]
fn one_that_moves_between_workers_and_threads_goes_on() {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    let (one, two) = (Running::new(), Running::new());
    let (left, mut right) = tcp_pair();
    for round in 0..20u8 {
        for worker in [&one, &two] {
            let answer = worker.begin(move || (wait_for_one(&right), right));
            left.send_all(&[round]).unwrap();
            let (byte, back) = answer.recv().unwrap();
            assert_eq!(byte, round);
            right = back;
        }
        left.send_all(&[round]).unwrap();
        assert_eq!(wait_for_one(&right), round);
    }
}

#[test]
fn one_that_two_workers_use_at_once_serves_both() {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    let workers = [Running::new(), Running::new()];
    let (left, right) = Socket::pair(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    let right = Arc::new(right);
    let mut answers = Vec::new();
    for worker in workers.iter().cycle().take(8) {
        let right = Arc::clone(&right);
        answers.push(
            worker.begin(move || (0..200).map(|_| u64::from(wait_for_one(&right))).sum::<u64>()),
        );
    }
    let mut sent = 0;
    for n in 0..1600u32 {
        left.send_all(&[n as u8]).unwrap();
        sent += u64::from(n as u8);
    }
    let heard: u64 = answers.into_iter().map(|answer| answer.recv().unwrap()).sum();
    assert_eq!(heard, sent);
}

#[test]
fn several_holders_of_one_descriptor_wait_beside_each_other() {
    run(|| {
        let (left, right) = pair();
        let right = Arc::new(right);
        let watchers: Vec<_> = (0..3)
            .map(|_| {
                let right = Arc::clone(&right);
                spawn(move || {
                    // A memory of its own, for a descriptor that others have registered.
                    let memory = socket::seam::Memory::default();
                    let fd = std::os::fd::AsFd::as_fd(&*right);
                    let target = memory.target(fd);
                    let mut ready = socket::seam::Operation::Ready(Interest::READ);
                    socket::seam::perform(target, &mut ready, socket::Deadline::Never).unwrap();
                })
            })
            .collect();
        (0..3).for_each(|_| yield_now());
        assert!(watchers.iter().all(|watcher| !watcher.is_finished()));
        left.send_all(b"x").unwrap();
        watchers.into_iter().for_each(|watcher| watcher.join().unwrap());
    });
}

#[test]
fn a_number_that_is_used_again_is_another_socket() {
    run(|| {
        let (keep, _other) = pair();
        let number = keep.as_raw_fd();
        for round in 0..50u8 {
            let (left, right) = if round % 2 == 0 { pair() } else { tcp_pair() };
            // Registered, and closed while a copy of the file lives on, whose events are stale now.
            let copy = right.try_clone().unwrap();
            let reader = spawn(move || wait_for_one(&right));
            yield_now();
            left.send_all(&[round]).unwrap();
            assert_eq!(reader.join().unwrap(), round);
            let (next, again) = pair();
            let reader = spawn(move || wait_for_one(&again));
            yield_now();
            left.send_all(b"stale").unwrap();
            yield_now();
            assert!(!reader.is_finished());
            next.send_all(&[7]).unwrap();
            assert_eq!(reader.join().unwrap(), 7);
            drop(copy);
        }
        assert_eq!(keep.as_raw_fd(), number);
    });
}

#[test]
fn one_that_is_given_away_and_taken_back_is_registered_again() {
    run(|| {
        let (left, mut right) = tcp_pair();
        for round in 0..10u8 {
            let reader = spawn(move || (wait_for_one(&right), right));
            yield_now();
            left.send_all(&[round]).unwrap();
            let (byte, back) = reader.join().unwrap();
            assert_eq!(byte, round);
            right = Socket::from(OwnedFd::from(back));
        }
    });
}

#[test]
fn shutdown_from_another_thread_wakes() {
    for (left, right) in [pair(), tcp_pair()] {
        let right = Arc::new(right);
        let theirs = Arc::clone(&right);
        run(move || {
            let reader = Arc::clone(&right);
            let reader = spawn(move || reader.recv(&mut [0; 1]).unwrap());
            let writer = spawn(move || right.send_all(&vec![0; 16 << 20]).unwrap_err());
            let waiting = || {
                let list = list();
                list.iter().filter(|one| format!("{:?}", one.waits_for).contains('(')).count()
            };
            until(|| waiting() == 2);
            thread::spawn(move || theirs.shutdown(Shutdown::Both).unwrap());
            assert_eq!(reader.join().unwrap(), 0);
            let error = writer.join().unwrap();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            drop(left);
        });
    }
}

#[test]
fn accepting_on_one_listener_from_two_workers_takes_every_connection() {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    let workers = [Running::new(), Running::new()];
    let (listener, address) = support::listener();
    let listener = Arc::new(listener);
    let mut answers = Vec::new();
    for worker in workers.iter().cycle().take(6) {
        let listener = Arc::clone(&listener);
        answers.push(worker.begin(move || {
            (0..20).for_each(|_| listener.accept().unwrap().0.send_all(b"!").unwrap());
        }));
    }
    for _ in 0..120 {
        let client = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
        client.connect(&address).unwrap();
        assert_eq!(wait_for_one(&client), b'!');
    }
    answers.into_iter().for_each(|answer| answer.recv().unwrap());
    let flags = rustix::fs::fcntl_getfl(&*listener).unwrap();
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "the file is as it was");
}

#[test]
fn files_are_sent_and_spliced_without_blocking_the_worker() {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let length = file.metadata().unwrap().len().min(4 << 20);
    run(move || {
        let (left, right) = tcp_pair();
        let reader = spawn(move || {
            let mut received = vec![0; length as usize];
            right.recv_exact(&mut received).unwrap();
            received
        });
        let mut sent = 0;
        while sent < length {
            sent += left.sendfile(&file, sent, Some(length - sent)).unwrap();
        }
        let flags = rustix::fs::fcntl_getfl(&left).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "the file is as it was");
        let received = reader.join().unwrap();
        let original = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(received[..] == original[..received.len()]);
    });
}

#[test]
fn a_remote_reaches_its_worker_until_it_ends() {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    let running = Running::new();
    assert_eq!(running.ask(|| 6 * 7), 42);
    let names = running.ask(|| list().into_iter().map(|one| one.name).collect::<Vec<_>>());
    assert_eq!(names, ["main", "asked"]);
    let remote = running.remote.clone();
    drop(running);
    assert_eq!(remote.spawn("late", || ()).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn many_threads_spawn_and_all_of_it_runs() {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    let running = Running::new();
    let (tell, told) = mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (remote, tell) = (running.remote.clone(), tell.clone());
            thread::spawn(move || {
                for n in 0..500u64 {
                    let tell = tell.clone();
                    remote.spawn("", move || tell.send(n).unwrap()).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(tell);
    assert_eq!(told.iter().sum::<u64>(), 4 * 499 * 250);
}

#[test]
fn without_a_stack_what_is_spawned_waits_for_one() {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    let worker = Worker::new(Settings { coroutines: 3, ..Settings::default() }).unwrap();
    let remote = worker.remote();
    let (tell, told) = mpsc::channel();
    let ((), _) = worker
        .run(move || {
            for n in 0..10 {
                let tell = tell.clone();
                remote.spawn("", move || tell.send(n).unwrap()).unwrap();
            }
            let two = [spawn(yield_now), spawn(yield_now)];
            let error = coroutine::Builder::new().spawn(|| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfMemory);
            assert!(error.to_string().contains("Settings::coroutines"), "{error}");
            two.into_iter().for_each(|one| one.join().unwrap());
            let mut heard = Vec::new();
            while heard.len() < 10 {
                heard.extend(told.try_iter());
                yield_now();
            }
            assert_eq!(heard, (0..10).collect::<Vec<_>>());
        })
        .unwrap();
}

#[test]
fn a_coroutine_that_keeps_the_worker_is_named() {
    let _watchdog = Watchdog::new(std::time::Duration::from_secs(60));
    let running = Running::new();
    assert_eq!(running.remote.held(), None);
    let (end, ends) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let keeper = move || {
        tell.send(()).unwrap();
        // Blocks the whole worker, which is what a coroutine should not do.
        let _ = ends.recv();
    };
    running.remote.spawn("the keeper", keeper).unwrap();
    told.recv().unwrap();
    assert_eq!(running.remote.held(), None, "one sample proves nothing");
    let held = running.remote.held().unwrap();
    assert_eq!(held.name, "the keeper");
    drop(end);
    running.ask(|| sleep(std::time::Duration::ZERO));
    until_thread(|| running.remote.held().is_none());
}

fn until_thread(done: impl Fn() -> bool) {
    while !done() {
        thread::yield_now();
    }
}
