//! A step of a conversation sends all or says so, receives what comes next, and is no different
//! from a send and a receive; where it cannot be taken, nothing has happened.

mod support;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use coroutine::{Driver, Settings, Worker, converse, spawn, yield_now};
use socket::seam::{Buffer, Patience};
use socket::{Interest, Socket};
use support::{Watchdog, pair, tcp_pair};

/// What one side of a conversation has.
#[derive(Default)]
struct Side {
    output: Vec<u8>,
    buffer: Option<Buffer>,
}

impl Side {
    /// Says `text`, and answers what was received or what happened otherwise.
    fn say(&mut self, socket: &Socket, text: &[u8]) -> (usize, Option<io::Result<usize>>) {
        self.output.extend_from_slice(text);
        let (target, mut otherwise) = (socket.watch(Interest::READ).target, None);
        let (output, buffer) = (&mut self.output, &mut self.buffer);
        let count = converse(target, output, buffer, Patience::Endless, &mut otherwise);
        (count, otherwise)
    }

    /// What was received, however that was said.
    fn hear(&mut self, socket: &Socket, text: &[u8]) -> io::Result<Vec<u8>> {
        let count = match self.say(socket, text) {
            (0, otherwise) => otherwise.expect("a coroutine on epoll")?,
            (count, _) => count,
        };
        assert!(self.output.is_empty(), "not all was sent");
        Ok(self.buffer.as_ref().map_or(Vec::new(), |bytes| bytes[..count].to_vec()))
    }
}

fn on_epoll<T: 'static>(main: impl FnOnce() -> T + 'static) -> T {
    let _watchdog = Watchdog::new(Duration::from_secs(180));
    let settings = Settings { driver: Driver::Epoll, ..Settings::default() };
    Worker::new(settings).unwrap().run(main).unwrap().0
}

#[test]
fn both_sides_hear_all_that_the_other_says() {
    for (left, right) in [pair(), tcp_pair()] {
        on_epoll(move || {
            let other = spawn(move || {
                let (mut side, mut heard) = (Side::default(), vec![0; 100]);
                let count = right.recv(&mut heard).unwrap();
                heard.truncate(count);
                while !heard.is_empty() {
                    heard.push(b'!');
                    heard = side.hear(&right, &heard).unwrap();
                }
            });
            let mut side = Side::default();
            for round in 0..1000 {
                let text = format!("{round}, and so on");
                let heard = side.hear(&left, text.as_bytes()).unwrap();
                assert_eq!(String::from_utf8(heard).unwrap(), text + "!");
            }
            drop(left);
            other.join().unwrap();
        });
    }
}

#[test]
fn what_cannot_be_sent_is_left_and_nothing_is_received() {
    on_epoll(|| {
        let (left, right) = tcp_pair();
        let (mut side, text) = (Side::default(), [7; 16 * 1024]);
        // Something to be received, which must still be there afterwards.
        right.send_all(b"x").unwrap();
        let mut said = 0;
        loop {
            said += text.len();
            match side.say(&left, &text) {
                (0, Some(Ok(0))) if !side.output.is_empty() => break,
                (1, None) | (0, Some(Ok(1))) => right.send_all(b"x").unwrap(),
                (count, otherwise) => panic!("{count} {otherwise:?}"),
            }
        }
        let sent = said - side.output.len();
        let mut rest = vec![0; sent];
        right.recv_exact(&mut rest).unwrap();
        assert!(rest.iter().all(|byte| *byte == 7));
        let mut one = [0];
        left.recv_exact(&mut one).unwrap();
        assert_eq!(&one, b"x");
        drop(left);
        assert_eq!(right.recv(&mut rest).unwrap(), 0, "more was sent than was taken out");
    });
}

#[test]
fn a_wait_in_it_can_be_cancelled() {
    on_epoll(|| {
        let (left, right) = tcp_pair();
        let left = Arc::new(left);
        let waits = Arc::clone(&left);
        let waiter = spawn(move || {
            let mut side = Side::default();
            for _ in 0..10 {
                side.hear(&waits, b"y").unwrap();
            }
            side.hear(&waits, b"y").map(drop)
        });
        for _ in 0..10 {
            right.recv_exact(&mut [0]).unwrap();
            right.send_all(b"z").unwrap();
        }
        right.recv_exact(&mut [0]).unwrap();
        yield_now();
        waiter.cancel();
        let error = waiter.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    });
}

#[test]
fn outside_of_a_coroutine_nothing_happens() {
    let (left, right) = tcp_pair();
    let mut side = Side::default();
    assert!(matches!(side.say(&left, b"hello"), (0, None)));
    assert_eq!(side.output, b"hello");
    right.set_blocking(false).unwrap();
    assert_eq!(right.recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}
