//! The accept loop of the engines that have one thread for it: `serial` and `threads`.
//!
//! It sleeps in one poll over everything that can matter: the listeners, the request to stop, and
//! the room that a closing connection makes. A listener is left out of the poll while
//!
//! * the server is **full**: until a connection closes;
//! * the system is **short** of descriptors or memory: for 10 ms, doubling to 100 ms, or until a
//!   connection closes, whichever comes first. Polling it would burn a core, since it stays
//!   readable. When a shortage lasts, one waiting connection per pause is taken with a descriptor
//!   kept for that and closed, so that its peer learns of it instead of waiting for ever.
//!
//! An error of one connection (it was reset while it waited) is passed over. Only an error that
//! says the listener itself is broken ends the loop.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket::signal::StopSignals;
use socket::{Deadline, Interest, Poll, poll};

use crate::error::{Error, Result, is_resource_limit};
use crate::event::Event;
use crate::listener::Listener;
use crate::request::Request;
use crate::running::Running;

/// How many connections one listener may hand over before the others get their turn.
const TURN: usize = 64;
/// The first pause in a shortage, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// How long a shortage lasts before waiting connections are turned away.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time between two reports of the same trouble.
const REPORT: Duration = Duration::from_secs(1);

/// Accepts until the server is asked to stop, giving each request to `process`, which says whether
/// it could be taken; `Err` is a shortage and counts as one of accept's.
pub(crate) struct AcceptLoop {
    running: Arc<Running>,
    listeners: Vec<Arc<Listener>>,
    signals: Option<StopSignals>,
    shortage: Option<Shortage>,
    /// Kept open so that there is one descriptor to close when there is none left.
    spare: Option<File>,
    reported: Option<Instant>,
    packet: Vec<u8>,
}

/// The system is short of something.
struct Shortage {
    since: Instant,
    pause: Duration,
    until: Instant,
}

impl AcceptLoop {
    pub(crate) fn new(
        running: Arc<Running>,
        listeners: Vec<Arc<Listener>>,
        signals: Option<StopSignals>,
        max_packet_size: usize,
    ) -> AcceptLoop {
        AcceptLoop {
            running,
            listeners,
            signals,
            shortage: None,
            spare: File::open("/dev/null").ok(),
            reported: None,
            packet: vec![0; max_packet_size],
        }
    }

    /// Accepts until the server is asked to stop, then takes what already waits, and closes the
    /// listeners.
    pub(crate) fn run(mut self, process: &mut dyn FnMut(Request) -> io::Result<()>) -> Result {
        let served = self.serve(process);
        self.listeners.clear();
        self.running.close_to_new();
        served
    }

    fn serve(&mut self, process: &mut dyn FnMut(Request) -> io::Result<()>) -> Result {
        while !self.stop_asked()? {
            for index in self.wait()? {
                let listener = Arc::clone(&self.listeners[index]);
                self.take(&listener, process)?;
            }
        }
        for listener in self.listeners.clone() {
            self.take(&listener, process)?;
        }
        Ok(())
    }

    fn stop_asked(&self) -> Result<bool> {
        if self.running.switches.stop.is_set() {
            return Ok(true);
        }
        Ok(self.signals.is_some_and(|signals| signals.signal().is_some()))
    }

    /// Sleeps until a listener has something, and says which; or none, if something else happened.
    fn wait(&mut self) -> Result<Vec<usize>> {
        let (armed, deadline) = match &self.shortage {
            Some(shortage) => {
                let over = Instant::now() >= shortage.until;
                (over, if over { Deadline::Never } else { Deadline::At(shortage.until) })
            }
            None => (true, Deadline::Never),
        };
        let armed = self.running.ask_for_room() && armed;
        let fail = |error| Error::io("wait for connections", error);
        let mut polls = vec![
            Poll::new(self.running.switches.stop.fd().map_err(fail)?, Interest::READ),
            Poll::new(self.running.room.fd().map_err(fail)?, Interest::READ),
        ];
        polls.extend(self.signals.map(|signals| Poll::new(signals.asked(), Interest::READ)));
        let first = polls.len();
        if armed {
            polls.extend(self.listeners.iter().map(|one| readable(one.socket.as_fd())));
        }
        poll(&mut polls, deadline).map_err(fail)?;
        if polls[1].ready.read {
            self.running.room.clear();
            if let Some(shortage) = &mut self.shortage {
                shortage.until = Instant::now();
            }
        }
        let ready = polls[first..].iter().enumerate().filter(|(_, poll)| poll.ready.read);
        Ok(ready.map(|(index, _)| index).collect())
    }

    /// Takes what waits at a listener, one turn's worth.
    fn take(
        &mut self,
        listener: &Arc<Listener>,
        process: &mut dyn FnMut(Request) -> io::Result<()>,
    ) -> Result {
        for _ in 0..TURN {
            let full = self.running.open() >= self.running.limit_connections;
            if full || self.running.is_time_called() {
                return Ok(());
            }
            let taken = match listener.datagram {
                true => self.receive(listener),
                false => self.accept(listener),
            };
            let outcome = match taken {
                Ok(Some(request)) => process(request),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => self.shortage = None,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => match self.failed(listener, error)? {
                    true => {}
                    false => return Ok(()),
                },
            }
        }
        Ok(())
    }

    fn accept(&self, listener: &Arc<Listener>) -> io::Result<Option<Request>> {
        let (socket, peer) = listener.socket.accept()?;
        Ok(Request::admit(&self.running, listener, Some(socket), peer, None))
    }

    fn receive(&mut self, listener: &Arc<Listener>) -> io::Result<Option<Request>> {
        let (count, peer) = listener.socket.recv_from(&mut self.packet)?;
        let packet = self.packet[..count].to_vec();
        Ok(Request::admit(&self.running, listener, None, peer, Some(packet)))
    }

    /// After a failed accept: whether to try again at once. An error means that the listener is
    /// broken.
    fn failed(&mut self, listener: &Arc<Listener>, error: io::Error) -> Result<bool> {
        self.running.switches.tally.accept_failed();
        let pause = is_resource_limit(&error).then(|| self.rest(listener));
        if is_broken(&error) {
            return Err(Error::io("accept", error).at(&listener.address));
        }
        let now = Instant::now();
        if self.reported.is_none_or(|last| now.duration_since(last) >= REPORT) {
            self.reported = Some(now);
            let address = &listener.address;
            self.running.tell(&Event::AcceptFailed { address, error: &error, pause });
        }
        Ok(pause.is_none())
    }

    /// Lets the listeners rest, longer each time, and turns one connection away if this has been
    /// going on.
    fn rest(&mut self, listener: &Listener) -> Duration {
        let now = Instant::now();
        let (since, pause) = match &self.shortage {
            Some(shortage) => (shortage.since, (shortage.pause * 2).min(PAUSE.1)),
            None => (now, PAUSE.0),
        };
        self.shortage = Some(Shortage { since, pause, until: now + pause });
        self.running.ask_for_close();
        if now.duration_since(since) >= PATIENCE && !listener.datagram {
            self.turn_away(listener);
        }
        pause
    }

    fn turn_away(&mut self, listener: &Listener) {
        if self.spare.take().is_some() {
            // Dropping what was accepted closes it; a failure here is the shortage itself.
            drop(listener.socket.accept());
        }
        self.spare = File::open("/dev/null").ok();
    }
}

fn readable(fd: BorrowedFd<'_>) -> Poll<'_> {
    Poll::new(fd, Interest::READ)
}

/// Whether the listener itself can never work again.
fn is_broken(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let broken = [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::OPNOTSUPP, Errno::FAULT];
    error.raw_os_error().is_some_and(|code| broken.iter().any(|errno| errno.raw_os_error() == code))
}
