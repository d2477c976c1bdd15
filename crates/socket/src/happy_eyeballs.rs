//! Several connects at once, of which the first to be done wins. RFC 8305, sections 4 and 5.
//!
//! ```text
//!   waiting ── begin ──► running ── ready, no error ──► the winner; the rest are dropped
//!      │      each 250 ms   │
//!      │      or at a       └────── ready, error ─────► failed; the next begins at once
//!      │      failure
//!      └── the deadline: running and waiting ones fail as TimedOut
//! ```
//! The attempts are non-blocking connects, each begun and asked for its outcome through the seam;
//! what waits is [`seam::wait_any`] and nothing else: a coroutine is parked where a thread polls.
//!
//! What it deliberately does not do: resolve names, or remember which family was the faster.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;
use std::time::{Duration, Instant};

use crate::create_connection::{ConnectOptions, prepare};
use crate::deadline::Deadline;
use crate::errors::{ConnectError, FailedAttempt};
use crate::names::Endpoint;
use crate::poll::Interest;
use crate::seam::{self, Operation, Peer, Watch};
use crate::socket::Socket;
use crate::sys::sockaddr::RawSockAddr;

/// How many attempts may run at once. The next one waits for one of them to fail.
const RUNNING_MAX: usize = 32;

/// "Minimum Connection Attempt Delay" of RFC 8305, section 8.
const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(10);

/// Connects to one of `endpoints`, all of which are of the internet families.
pub(crate) fn race(
    endpoints: Vec<Endpoint>,
    options: &ConnectOptions,
    deadline: Deadline,
) -> Result<Socket, ConnectError> {
    let mut race = Race {
        waiting: interleave(endpoints),
        running: Vec::new(),
        failed: Vec::new(),
        next_begins: Instant::now(),
    };
    loop {
        if deadline.remaining() == Some(Duration::ZERO) {
            return Err(race.time_is_over());
        }
        if let Some(winner) = race.begin_due(options) {
            return Ok(winner);
        }
        if race.running.is_empty() {
            return Err(ConnectError::all_failed(race.failed));
        }
        if let Some(winner) = race.wait(deadline).map_err(ConnectError::before)? {
            return Ok(winner);
        }
    }
}

struct Race {
    waiting: VecDeque<Endpoint>,
    running: Vec<Attempt>,
    failed: Vec<FailedAttempt>,
    /// When the next of those that wait begins, unless one of the running fails before.
    next_begins: Instant,
}

/// A connect under way.
struct Attempt {
    endpoint: Endpoint,
    socket: Socket,
    to: Peer,
}

impl Race {
    /// Begins what is due; answers a socket that is connected at once, as over loopback it may be.
    fn begin_due(&mut self, options: &ConnectOptions) -> Option<Socket> {
        while self.has_more() && (self.running.is_empty() || self.next_begins <= Instant::now()) {
            let endpoint = self.waiting.pop_front()?;
            match begin(&endpoint, options) {
                Ok(Begun::Connected(socket)) => return Some(socket),
                Ok(Begun::UnderWay(socket, to)) => {
                    self.running.push(Attempt { endpoint, socket, to });
                    let delay = options.attempt_delay.max(ATTEMPT_DELAY_MIN);
                    self.next_begins = Instant::now() + delay;
                }
                Err(error) => self.fail(endpoint, error),
            }
        }
        None
    }

    /// Waits until an attempt has something to say or the next one is due; answers the winner.
    fn wait(&mut self, deadline: Deadline) -> io::Result<Option<Socket>> {
        let due = match self.has_more() {
            true => deadline.earlier(Deadline::At(self.next_begins)),
            false => deadline,
        };
        let ready = match self.look(due) {
            Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(None),
            answer => answer?,
        };
        // In the order in which they began: of two that are done, the earlier one was preferred.
        for (attempt, ready) in mem::take(&mut self.running).into_iter().zip(ready) {
            if !ready {
                self.running.push(attempt);
                continue;
            }
            match outcome(&attempt) {
                Ok(()) => return Ok(Some(attempt.socket)),
                Err(error) if seam::is_pending(&error) => self.running.push(attempt),
                Err(error) => {
                    self.fail(attempt.endpoint, error);
                    self.next_begins = Instant::now();
                }
            }
        }
        Ok(None)
    }

    /// Waits for any of the running, and answers of each whether it is ready.
    fn look(&self, due: Deadline) -> io::Result<Vec<bool>> {
        let running = self.running.iter();
        let mut watches: Vec<Watch<'_>> =
            running.map(|attempt| attempt.socket.watch(Interest::WRITE)).collect();
        seam::wait_any(&mut watches, due)?;
        Ok(watches.iter().map(|watch| watch.ready).collect())
    }

    fn has_more(&self) -> bool {
        !self.waiting.is_empty() && self.running.len() < RUNNING_MAX
    }

    fn fail(&mut self, endpoint: Endpoint, error: io::Error) {
        self.failed.push(FailedAttempt { address: endpoint.address, error });
    }

    fn time_is_over(mut self) -> ConnectError {
        for attempt in mem::take(&mut self.running) {
            self.fail(attempt.endpoint, ErrorKind::TimedOut.into());
        }
        for endpoint in mem::take(&mut self.waiting) {
            let why = "not tried before the time was over";
            self.fail(endpoint, io::Error::new(ErrorKind::TimedOut, why));
        }
        ConnectError::timed_out(self.failed)
    }
}

enum Begun {
    Connected(Socket),
    UnderWay(Socket, Peer),
}

fn begin(endpoint: &Endpoint, options: &ConnectOptions) -> io::Result<Begun> {
    let socket = prepare(endpoint, options)?;
    socket.set_blocking(false)?;
    let to = Peer(RawSockAddr::encode(&endpoint.address)?);
    match connect(&socket, &to, false) {
        Ok(()) => Ok(Begun::Connected(socket)),
        Err(error) if seam::is_pending(&error) => Ok(Begun::UnderWay(socket, to)),
        Err(error) => Err(error),
    }
}

/// How an attempt that is ready went.
fn outcome(attempt: &Attempt) -> io::Result<()> {
    connect(&attempt.socket, &attempt.to, true)
}

fn connect(socket: &Socket, to: &Peer, begun: bool) -> io::Result<()> {
    let mut operation = Operation::Connect { to, begun };
    seam::perform(socket.target(), &mut operation, Deadline::Immediate).map(drop)
}

/// The families in turn, beginning with that of the first, each in its own order.
fn interleave(endpoints: Vec<Endpoint>) -> VecDeque<Endpoint> {
    let first = endpoints.first().map(|endpoint| endpoint.family);
    let (mut ours, mut others): (VecDeque<_>, VecDeque<_>) =
        endpoints.into_iter().partition(|endpoint| Some(endpoint.family) == first);
    let mut order = VecDeque::with_capacity(ours.len() + others.len());
    while !ours.is_empty() || !others.is_empty() {
        order.extend(ours.pop_front());
        order.extend(others.pop_front());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::ToEndpoints;
    use crate::kinds::Type;

    #[test]
    fn families_take_turns_from_the_first_and_keep_their_order() {
        let order = |addresses: &[&str]| -> Vec<String> {
            let addresses: Vec<std::net::SocketAddr> =
                addresses.iter().map(|text| text.parse().unwrap()).collect();
            let endpoints = addresses.to_endpoints(Type::STREAM).unwrap();
            interleave(endpoints).iter().map(|one| one.address.to_string()).collect()
        };
        let mixed = order(&["[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:4", "127.0.0.1:5"]);
        assert_eq!(mixed, ["[::1]:1", "127.0.0.1:4", "[::1]:2", "127.0.0.1:5", "[::1]:3"]);
        let other = order(&["127.0.0.1:1", "[::1]:2", "[::1]:3"]);
        assert_eq!(other, ["127.0.0.1:1", "[::1]:2", "[::1]:3"]);
        assert!(order(&[]).is_empty());
    }
}
