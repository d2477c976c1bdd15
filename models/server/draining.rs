//! A server ends when everything is finished, not before and not never; and a drain finds everybody
//! who waits.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use loom::thread;

use crate::atomic::{AtomicBool, AtomicU64, Lock};
use crate::explore;
use crate::places::Places;
use crate::waiting::{self, Ending, NEVER, Waiting};

#[test]
fn finished_is_said_when_all_is_over_and_not_before() {
    explore(3, || {
        let places = Arc::new(Places::new(8));
        let over = Arc::new(AtomicBool::default());
        let _door = places.open_door();
        // One request is under way while the loop takes another and then ends.
        assert!(places.reserve());
        places.take();
        let handler = Arc::clone(&places);
        let first = thread::spawn(move || {
            handler.vacate();
            handler.finish();
        });
        let (accepting, told) = (Arc::clone(&places), Arc::clone(&over));
        let accepting = thread::spawn(move || {
            assert!(accepting.reserve());
            accepting.take();
            accepting.close_to_new();
            accepting.vacate();
            told.store(true, SeqCst);
            accepting.finish();
        });
        places.finished.wait().unwrap();
        assert!(over.load(SeqCst), "said while a request was under way");
        first.join().unwrap();
        accepting.join().unwrap();
    });
}

#[test]
fn the_last_of_two_loops_ends_it() {
    explore(3, || {
        let places = Arc::new(Places::new(8));
        let doors = [(); 2].map(|()| places.open_door());
        let loops = doors.map(|_door| {
            let places = Arc::clone(&places);
            thread::spawn(move || places.close_to_new())
        });
        places.finished.wait().unwrap();
        loops.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// One connection as its handler, the drain and its peer have it.
#[derive(Default)]
struct Connection {
    word: AtomicU64,
    draining: AtomicBool,
    time_called: AtomicBool,
    /// Requests that have arrived and were not received; and whether the input was shut down.
    input: Lock<(usize, bool)>,
}

/// How a receive ended.
#[derive(Debug, PartialEq)]
enum Received {
    Request,
    End,
    LetGo,
    /// It would still wait, which is no fault while nobody wants it to end.
    Waits,
}

impl Connection {
    /// The handler's receive: it says that it waits, looks at the server, receives, goes on.
    fn receive(&self, what: Waiting) -> Received {
        waiting::begin(&self.word, what, NEVER, 0);
        let draining = self.draining.load(SeqCst);
        if draining && what == Waiting::Reading && self.time_called.load(SeqCst) {
            return Received::LetGo;
        }
        let at_once = draining && what == Waiting::Between;
        loop {
            let taken = {
                let mut input = self.input.lock();
                let there = input.0 > 0;
                input.0 -= usize::from(there);
                there || input.1 || at_once
            };
            if taken {
                break;
            }
            // Asleep in the kernel: only a request or the shut input would wake it.
            if waiting::any(&self.word).is_some() {
                return Received::Waits;
            }
            thread::yield_now();
        }
        match waiting::resume(&self.word) {
            Some(Ending::LetGo | Ending::Overdue) => Received::LetGo,
            Some(Ending::Drained) => Received::End,
            None if self.input.lock().1 => Received::End,
            None => Received::Request,
        }
    }

    /// What the drain does to a wait that it has seen.
    fn end(&self, seen: u64, ending: Ending) {
        if waiting::end(&self.word, seen, ending) {
            self.input.lock().1 = true;
        }
    }
}

/// Between two requests: the drain sets its flag and looks; the handler waits and looks.
#[test]
fn a_drain_leaves_nobody_between_two_requests() {
    explore(3, || {
        let connection = Arc::new(Connection::default());
        let drain = Arc::clone(&connection);
        let drain = thread::spawn(move || {
            drain.draining.store(true, SeqCst);
            if let Some(seen) = waiting::between(&drain.word) {
                drain.end(seen, Ending::Drained);
            }
        });
        let received = connection.receive(Waiting::Between);
        drain.join().unwrap();
        // A wait that the handler had begun is ended by now, whatever it saw then.
        assert!(received != Received::Waits || waiting::any(&connection.word).is_none());
    });
}

/// In the middle of a request: the same when time is called.
#[test]
fn calling_time_leaves_nobody_waiting_for_its_peer() {
    explore(3, || {
        let connection = Arc::new(Connection::default());
        connection.draining.store(true, SeqCst);
        let drain = Arc::clone(&connection);
        let drain = thread::spawn(move || {
            drain.time_called.store(true, SeqCst);
            if let Some(seen) = waiting::any(&drain.word) {
                drain.end(seen, Ending::LetGo);
            }
        });
        let received = connection.receive(Waiting::Reading);
        drain.join().unwrap();
        assert!(received != Received::Waits || waiting::any(&connection.word).is_none());
    });
}

/// A handler that goes on at the moment when its wait is ended: either it is told, or its input is
/// whole; never neither, never both.
#[test]
fn a_wait_is_ended_or_it_is_over() {
    explore(3, || {
        let connection = Arc::new(Connection::default());
        waiting::begin(&connection.word, Waiting::Reading, 10, 0);
        let others = [Ending::Overdue, Ending::LetGo].map(|ending| {
            let other = Arc::clone(&connection);
            thread::spawn(move || {
                let seen = match ending {
                    Ending::Overdue => waiting::overdue(&other.word, 10),
                    _ => waiting::any(&other.word),
                };
                seen.is_some_and(|seen| waiting::end(&other.word, seen, ending))
            })
        });
        let told = waiting::resume(&connection.word);
        let ended = others.map(|other| other.join().unwrap());
        let by = [Some(Ending::Overdue), Some(Ending::LetGo)];
        match told {
            None => assert_eq!(ended, [false, false], "its input was shut down unheard"),
            Some(_) => assert_eq!(ended, by.map(|one| one == told), "{told:?}"),
        }
    });
}

/// The second look of a drain: a handler that has received a request meanwhile, answered it and
/// waits anew is not mistaken for the one that was seen waiting.
#[test]
fn a_later_wait_is_not_the_one_that_was_seen() {
    explore(3, || {
        let connection = Arc::new(Connection::default());
        waiting::begin(&connection.word, Waiting::Between, 10, 0);
        let seen = waiting::between(&connection.word).unwrap();
        connection.input.lock().0 = 1;
        let drain = Arc::clone(&connection);
        let drain = thread::spawn(move || waiting::end(&drain.word, seen, Ending::Drained));
        // It receives what has arrived, and reads on.
        connection.input.lock().0 -= 1;
        let told = waiting::resume(&connection.word);
        waiting::begin(&connection.word, Waiting::Between, 10, 1);
        let ended = drain.join().unwrap();
        assert_eq!(ended, told == Some(Ending::Drained));
        assert!(waiting::any(&connection.word).is_some());
    });
}
