//! One connection of a load: when it asks, what it hears, what it does when it breaks.
//!
//! ```text
//!   closed loop   ask when fewer than --pipeline are under way
//!   open loop     question k of connection n is due at start + (k * connections + n) / rate
//! ```
//! In an open loop a question that is late is still asked, and its wait counts from the moment it
//! was due: otherwise a server that stands still for a second would lose one measurement instead of
//! all that a user would have made in that second ("coordinated omission").
//!
//! A connection that breaks is opened again, with a pause that grows, so that a server that is gone
//! costs a few errors and not a million.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use switchboard::socket::{Interest, seam};
use switchboard::{Deadline, Socket, plain};

use super::asker::{Answer, Asker, Question};
use super::tally::Tally;
use super::{Pace, Shared};
use crate::connect;

/// The pauses before a broken connection is opened again: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// Room for what comes at once: enough for many small answers, and for a piece of a large one.
const ROOM_BYTES: usize = 64 * 1024;

/// Planned bytes that wait for the system to take them; then no more is planned.
const UNSENT_BYTES: usize = 256 * 1024;

/// How often a connection that waits for the start looks for it.
const START_EACH: Duration = Duration::from_millis(2);

/// A question under way.
#[derive(Debug)]
struct UnderWay {
    number: u64,
    /// In an open loop.
    due: Option<Instant>,
    sent: Instant,
}

/// One connection.
pub(super) struct Load<'a> {
    shared: &'a Shared,
    tally: &'a std::sync::Mutex<Tally>,
    /// Its place among all connections.
    place: usize,
    start: Instant,
    end: Option<Instant>,
    /// Questions asked on all connections that this was.
    asked: u64,
    under_way: VecDeque<UnderWay>,
    over: bool,
    /// Whether anything was answered since it was last opened.
    answered: bool,
}

/// Why a conversation ended.
enum Ended {
    /// Everything was asked and answered, or will not be.
    Done,
    /// Open it again, without a word.
    Reopen,
    /// It broke, and how that is called.
    Broken(String),
}

impl<'a> Load<'a> {
    /// Lives from the first connect to the end of the load.
    pub(super) fn run(shared: &'a Shared, tally: &'a std::sync::Mutex<Tally>, place: usize) {
        let socket = Load::connect(shared);
        shared.ready.fetch_add(1, Relaxed);
        let Some(start) = Load::wait_for_start(shared) else { return };
        let mut load = Load {
            shared,
            tally,
            place,
            start,
            end: shared.plan.duration.map(|duration| start + duration),
            asked: 0,
            under_way: VecDeque::new(),
            over: false,
            answered: false,
        };
        load.live(socket);
    }

    fn connect(shared: &Shared) -> io::Result<Socket> {
        let deadline = Deadline::After(shared.plan.connect_wait);
        let socket = connect::connect(&shared.plan.endpoint, deadline)?;
        socket.set_blocking(false)?;
        // What is asked is asked now. A Unix socket has no such option, and no need of it.
        let _ = socket.set_tcp_nodelay(true);
        Ok(socket)
    }

    /// The moment at which all begin; `None` if that never comes.
    fn wait_for_start(shared: &Shared) -> Option<Instant> {
        while !coroutine::is_cancelled() {
            if let Some(start) = shared.start.get() {
                seam::sleep(Deadline::At(*start));
                return Some(*start);
            }
            coroutine::sleep(START_EACH);
        }
        None
    }

    fn live(&mut self, mut socket: io::Result<Socket>) {
        let mut pause = PAUSES[0];
        while !coroutine::is_cancelled() && !self.over {
            let ended = match &socket {
                Ok(socket) => self.talk(socket),
                Err(error) => Ended::Broken(format!("connect: {}", plain(error))),
            };
            match ended {
                Ended::Done => return,
                Ended::Reopen => {
                    if !self.under_way.is_empty() {
                        self.lose_all("closed by the peer");
                    }
                }
                Ended::Broken(why) => {
                    if coroutine::is_cancelled() {
                        return;
                    }
                    // Where only questions are counted, a server that is gone would never end it.
                    if self.end.is_none() && pause == PAUSES[1] && !self.answered {
                        self.lose_all(&why);
                        return;
                    }
                    if std::mem::take(&mut self.answered) {
                        pause = PAUSES[0];
                    }
                    self.lose_all(&why);
                    drop(std::mem::replace(&mut socket, Err(ErrorKind::NotConnected.into())));
                    self.look_at_the_clock(Instant::now());
                    if !self.over {
                        coroutine::sleep(pause);
                        pause = (pause * 2).min(PAUSES[1]);
                    }
                }
            }
            if !self.over {
                socket = Load::connect(self.shared);
            }
        }
    }

    fn talk(&mut self, socket: &Socket) -> Ended {
        let Shared { pattern, question, .. } = self.shared;
        let mut asker = Asker::new(pattern.clone(), question.clone(), self.place as u64);
        let mut room = vec![0; self.room()];
        loop {
            let now = Instant::now();
            self.look_at_the_clock(now);
            self.plan(&mut asker, now);
            if let Err(error) = send(socket, &mut asker) {
                return broken(&error);
            }
            if self.under_way.is_empty() && self.over {
                return Ended::Done;
            }
            if self.has_expired(now) {
                if !self.is_datagram() {
                    return Ended::Broken("no answer".into());
                }
                self.under_way.pop_front();
                self.lock().error("no answer", 1);
                continue;
            }
            match receive(socket, &asker, &mut room, self.wake(now)) {
                Ok(Some(count)) => match self.take(&mut asker, &room[..count]) {
                    Ok(false) => {}
                    Ok(true) => return Ended::Reopen,
                    Err(why) => return Ended::Broken(why.to_owned()),
                },
                Ok(None) if self.is_datagram() => {}
                Ok(None) => match asker.closed() {
                    Some(answer) => {
                        self.note(answer);
                        return Ended::Reopen;
                    }
                    None if self.over && self.under_way.is_empty() => return Ended::Done,
                    None => return Ended::Broken("closed by the peer".into()),
                },
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(error) => return broken(&error),
            }
        }
    }

    fn is_datagram(&self) -> bool {
        matches!(*self.shared.question, Question::Datagram(_))
    }

    fn room(&self) -> usize {
        match *self.shared.question {
            Question::Echo(bytes) => {
                (bytes * self.shared.plan.pipeline).next_power_of_two().clamp(2048, ROOM_BYTES)
            }
            Question::Datagram(_) => ROOM_BYTES,
            Question::Http(_) => ROOM_BYTES / 4,
        }
    }

    /// Plans the questions that are due now.
    fn plan(&mut self, asker: &mut Asker, now: Instant) {
        if !asker.all_sent() {
            return;
        }
        let most = UNSENT_BYTES / self.shared.question_bytes().max(1);
        for _ in 0..most.max(1) {
            let due = match self.shared.plan.pace {
                Pace::Closed if self.under_way.len() < self.shared.plan.pipeline => None,
                Pace::Closed => return,
                Pace::Open(_) => Some(self.due(self.asked)),
            };
            let late = due.is_none_or(|due| due <= now && self.end.is_none_or(|end| due < end));
            if self.over || !late || !self.shared.may_ask() {
                return;
            }
            self.asked += 1;
            let number = asker.plan();
            self.under_way.push_back(UnderWay { number, due, sent: now });
        }
    }

    /// When the question of this number is due on this connection.
    fn due(&self, number: u64) -> Instant {
        let Pace::Open(rate) = self.shared.plan.pace else { return self.start };
        let connections = self.shared.plan.connections as f64;
        let index = number as f64 * connections + self.place as f64;
        self.start + Duration::from_secs_f64(index / rate as f64)
    }

    /// Whether the time for asking is over.
    fn look_at_the_clock(&mut self, now: Instant) {
        let next = match self.shared.plan.pace {
            Pace::Open(_) => self.due(self.asked),
            Pace::Closed => now,
        };
        self.over |= self.end.is_some_and(|end| next >= end) || self.shared.all_asked();
    }

    /// Whether the oldest question has waited for too long. A datagram that does not come back in
    /// time is lost; where the load has no end in time, neither can a wait have none.
    fn has_expired(&self, now: Instant) -> bool {
        self.expires().is_some_and(|end| end <= now)
    }

    fn expires(&self) -> Option<Instant> {
        let wait = self.shared.plan.answer_wait;
        let oldest = self.under_way.front().map(|first| first.sent + wait);
        match self.end {
            Some(_) if self.is_datagram() => oldest,
            // Whoever must wait for others to end has until then, and a moment more.
            Some(end) => Some(end.max(self.under_way.back()?.sent) + wait),
            None => oldest,
        }
    }

    /// When there is something to do even if nothing comes.
    fn wake(&self, now: Instant) -> Deadline {
        let due = match self.shared.plan.pace {
            Pace::Open(_) if !self.over => Some(self.due(self.asked).max(now)),
            _ => None,
        };
        let end = self.end.filter(|_| !self.over);
        let wake = [end, due, self.expires()].into_iter().flatten().min();
        // Without a limit in time, somebody else may have asked the last question.
        Deadline::At(wake.unwrap_or(now + self.shared.plan.answer_wait))
    }

    /// Takes what has come; true if the connection is to be opened anew.
    fn take(&mut self, asker: &mut Asker, bytes: &[u8]) -> Result<bool, &'static str> {
        let mut reopen = false;
        let taken = asker.take(bytes, &mut |answer| reopen |= self.note(answer));
        taken.map(|()| reopen)
    }

    fn note(&mut self, answer: Answer) -> bool {
        let (number, wrong) = match answer {
            Answer::Reopen => return true,
            Answer::Right(number) => (number, None),
            Answer::Wrong(number, why) => (number, Some(why)),
        };
        let Some(at) = self.under_way.iter().position(|one| one.number == number) else {
            return false;
        };
        let one = self.under_way.remove(at).expect("it was just found");
        self.answered = true;
        let now = Instant::now();
        match wrong {
            None => {
                self.shared.answers.fetch_add(1, Relaxed);
                self.lock().answer(one.due, one.sent, now);
            }
            Some(why) => self.lock().error(&why, 1),
        }
        false
    }

    /// What is under way will not be answered, for this reason.
    fn lose_all(&mut self, why: &str) {
        let count = self.under_way.drain(..).count() as u64;
        self.lock().error(why, count.max(1));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tally> {
        // Nothing panics while it is held, and only this thread's connections hold it.
        self.tally.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn broken(error: &io::Error) -> Ended {
    Ended::Broken(plain(error))
}

/// Sends as much as the system takes.
fn send(socket: &Socket, asker: &mut Asker) -> io::Result<()> {
    while !asker.all_sent() {
        match socket.send(asker.unsent()) {
            Ok(count) => asker.gone(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives once, or finds that there is room to send again: zero bytes. `None`: the peer closed,
/// or the datagram was empty.
fn receive(
    socket: &Socket,
    asker: &Asker,
    room: &mut [u8],
    wake: Deadline,
) -> io::Result<Option<usize>> {
    let by = match asker.all_sent() {
        true => wake,
        false => {
            seam::wait_any(&mut [socket.watch(Interest::BOTH)], wake)?;
            Deadline::Immediate
        }
    };
    match socket.recv_by(room, by) {
        Ok(0) => Ok(None),
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(0)),
        Err(error) => Err(error),
    }
}
