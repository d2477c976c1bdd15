//! To send an answer and to wait for what comes next is one call: it loses no byte of either,
//! whatever the peer does meanwhile, and ends as the two calls would.

mod support;

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use coroutine::{Driver, Ended, Settings, Worker, converse, spawn, yield_now};
use socket::seam::{Buffer, Patience};
use socket::{Deadline, Family, Interest, Socket, Type};
use support::{Watchdog, pair, tcp_pair};

/// Runs `main` once on each driver. Where there is no ring, twice on epoll.
fn on_both(grace: Duration, main: impl Fn() + Clone + 'static) -> [Ended; 2] {
    let _watchdog = Watchdog::new(Duration::from_secs(180));
    [Driver::Epoll, Driver::Uring].map(|driver| {
        let settings = Settings { driver, grace, ..Settings::default() };
        Worker::new(settings).unwrap().run(main.clone()).unwrap().1
    })
}

const LONG: Duration = Duration::from_secs(60);

/// A socket that is spoken through, with what its owner keeps for that.
struct Speaker {
    socket: Socket,
    output: Vec<u8>,
    lent: Option<Buffer>,
}

impl Speaker {
    fn new(socket: Socket) -> Speaker {
        Speaker { socket, output: Vec::new(), lent: None }
    }

    fn converse(&mut self) -> io::Result<usize> {
        self.converse_with(Patience::Endless)
    }

    fn converse_with(&mut self, patience: Patience) -> io::Result<usize> {
        let target = self.socket.watch(Interest::READ).target;
        let mut otherwise = None;
        let (output, lent) = (&mut self.output, &mut self.lent);
        match converse(target, output, lent, patience, &mut otherwise) {
            0 => otherwise.expect("in a coroutine that may wait"),
            count => Ok(count),
        }
    }

    /// As a server does: the rest is sent in the usual way.
    fn answer_and_wait(&mut self) -> io::Result<usize> {
        let received = self.converse()?;
        if self.output.is_empty() {
            return Ok(received);
        }
        self.socket.send_all_by(&self.output, Deadline::Never)?;
        self.output.clear();
        match received {
            0 => self.converse(),
            count => Ok(count),
        }
    }

    fn received(&self, count: usize) -> &[u8] {
        &self.lent.as_ref().unwrap()[..count]
    }
}

#[test]
fn every_answer_arrives_once_and_in_order() {
    for pair in [pair, tcp_pair] {
        on_both(LONG, move || {
            let talks: Vec<_> = (0..20)
                .map(|_| {
                    let (near, far) = pair();
                    spawn(move || {
                        let mut speaker = Speaker::new(near);
                        loop {
                            match speaker.answer_and_wait().unwrap() {
                                0 => break,
                                count => speaker.output = speaker.received(count).to_vec(),
                            }
                        }
                    });
                    spawn(move || {
                        for number in 0..200_u8 {
                            // Now and then more than what is handed over together.
                            let sent = vec![number; if number % 50 == 7 { 6000 } else { 3 }];
                            far.send_all(&sent).unwrap();
                            let mut answer = vec![0; sent.len()];
                            far.recv_exact(&mut answer).unwrap();
                            assert_eq!(answer, sent);
                        }
                    })
                })
                .collect();
            talks.into_iter().for_each(|talk| talk.join().unwrap());
        });
    }
}

#[test]
fn a_peer_that_asks_and_does_not_read_loses_nothing() {
    const QUESTIONS: u8 = 120;
    on_both(LONG, || {
        // Keeps messages apart, so that each question has an answer of its own.
        let (near, far) = Socket::pair(Family::UNIX, Type::SEQPACKET, Default::default()).unwrap();
        near.set_so_sndbuf(4096).unwrap();
        let (tell, told) = mpsc::channel();
        let peer = thread::spawn(move || {
            (0..QUESTIONS).for_each(|number| far.send_all(&[number]).unwrap());
            told.recv().unwrap();
            for number in 0..QUESTIONS {
                let mut answer = [0; 512];
                assert_eq!(far.recv(&mut answer).unwrap(), 500);
                assert_eq!(answer[..500], [number; 500]);
            }
        });
        let mut speaker = Speaker::new(near);
        let mut cut = 0;
        for number in 0..QUESTIONS {
            let before = speaker.output.len();
            let mut received = speaker.converse().unwrap();
            if !speaker.output.is_empty() {
                assert_eq!(speaker.output.len(), before, "a message is sent whole or not at all");
                cut += 1;
                let _ = tell.send(());
                speaker.socket.send_all_by(&speaker.output, Deadline::Never).unwrap();
                speaker.output.clear();
                if received == 0 {
                    received = speaker.converse().unwrap();
                }
            }
            assert_eq!(speaker.received(received), [number]);
            speaker.output = vec![number; 500];
        }
        speaker.socket.send_all_by(&speaker.output, Deadline::Never).unwrap();
        assert!(cut > 0, "more than fits was not taken at once");
        peer.join().unwrap();
    });
}

#[test]
fn a_stream_that_ends_and_one_that_is_gone_are_told_apart() {
    on_both(LONG, || {
        let (near, far) = pair();
        let mut speaker = Speaker::new(near);
        far.send_all(b"?").unwrap();
        assert_eq!(speaker.converse().unwrap(), 1);
        speaker.output = b"answer".to_vec();
        let reader = spawn(move || {
            let mut answer = [0; 6];
            far.recv_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"answer");
        });
        assert_eq!(speaker.converse().unwrap(), 0);
        assert!(speaker.output.is_empty());
        reader.join().unwrap();
        speaker.output = b"nobody hears".to_vec();
        let error = speaker.converse().unwrap_err();
        assert_eq!((error.kind(), speaker.output.len()), (ErrorKind::BrokenPipe, 12));
    });
}

#[test]
fn a_cancel_and_a_force_end_it_when_the_answer_is_sent() {
    for grace in [LONG, Duration::ZERO] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (notes, kept) = (Arc::clone(&seen), Arc::new(Mutex::new(Vec::new())));
        let ended = on_both(grace, move || {
            let (near, far) = pair();
            let notes = Arc::clone(&notes);
            spawn(move || {
                let mut speaker = Speaker::new(near);
                assert_eq!(speaker.converse().unwrap(), 1);
                speaker.output = b"answer".to_vec();
                let error = speaker.converse().unwrap_err();
                notes.lock().unwrap().push((error.kind(), speaker.output.len()));
            });
            yield_now();
            far.send_all(b"?").unwrap();
            let mut answer = [0; 6];
            far.recv_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"answer");
            // Stays open, so that it is not the end of the stream that ends the wait.
            kept.lock().unwrap().push(far);
        });
        let forced = usize::from(grace.is_zero());
        assert_eq!(ended, [Ended { cancelled: 1, forced, abandoned: 0 }; 2]);
        let expected = (ErrorKind::ConnectionAborted, 0);
        assert_eq!(*seen.lock().unwrap(), if forced == 0 { vec![expected; 2] } else { vec![] });
    }
}

#[test]
fn one_who_dozes_is_told_and_has_answered() {
    on_both(LONG, || {
        let (near, far) = pair();
        let dozer = spawn(move || {
            let mut speaker = Speaker::new(near);
            assert_eq!(speaker.converse().unwrap(), 1);
            speaker.output = b"!".to_vec();
            let error = speaker.converse_with(Patience::UntilIdle).unwrap_err();
            assert_eq!((error.kind(), speaker.output.len()), (ErrorKind::TimedOut, 0));
            assert!(speaker.lent.is_none(), "who waits in vain keeps no buffer");
        });
        far.send_all(b"?").unwrap();
        far.recv_exact(&mut [0]).unwrap();
        dozer.join().unwrap();
    });
}
