//! The load generator of short connections: connect, one message there and back, close.
//!
//! A few visitors are there at once. Each connects, sends one message, waits for all of it to come
//! back, closes its sending side, waits until the server has closed too, and is followed by the
//! next. So a visit counts when the server is rid of it, not when it would be nice.
//!
//! The client closes first, as clients do: the server sees the end of its input, not a reset. What
//! is left of such a connection (TIME_WAIT) is the client's; `isolation.rs` keeps the kernel from
//! holding on to it where it may, and elsewhere visitors come from many source addresses, so that
//! ports last.

use crate::load::{
    CONNECTIONS_PER_SOURCE, Done, EVENTS, WINDOW_STEP, WINDOWS, connect_from, failure, pattern,
    thread_cpu, wait,
};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The visitors of one server.
pub(crate) struct Visits {
    epoll: OwnedFd,
    port: u16,
    /// Each until it is over.
    visits: Vec<Option<Visit>>,
    /// How many have been made.
    made: usize,
    pattern: Vec<u8>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    message_bytes: usize,
}

struct Visit {
    stream: TcpStream,
    window: usize,
    sent: bool,
    received: usize,
}

impl Visit {
    /// Sends the whole message, or nothing while the connection is not there yet.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self.stream.write(message) {
            Ok(count) if count == message.len() => self.sent = true,
            Ok(_) => return Err(failure(ErrorKind::WriteZero, "a fresh socket took only a part")),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Visits {
    /// Sends in `visitors` visitors with messages of `message_bytes` bytes, which must fit into
    /// the buffer of a fresh socket.
    pub(crate) fn begin(port: u16, visitors: usize, message_bytes: usize) -> io::Result<Visits> {
        Ok(Visits {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            port,
            visits: (0..visitors).map(|_| None).collect(),
            made: 0,
            pattern: pattern(message_bytes + WINDOWS),
            // One byte more than the answer, so that an answer too long is seen.
            buffer: vec![0; message_bytes + 1],
            events: Vec::with_capacity(EVENTS),
            message_bytes,
        })
    }

    /// Keeps the visitors coming for `duration`, and waits for those that are then inside; a
    /// message in the answer is a whole visit.
    ///
    /// # Errors
    ///
    /// `InvalidData` when an answer differs from what was sent, `UnexpectedEof` when the server
    /// closes before it has answered, `TimedOut` when nothing at all happens for five seconds, and
    /// whatever a connect fails with.
    pub(crate) fn run(&mut self, duration: Duration) -> io::Result<Done> {
        let (start, cpu) = (Instant::now(), thread_cpu());
        let (mut messages, mut inside) = (0, self.visits.len());
        for index in 0..inside {
            self.visits[index] = Some(self.visit(index)?);
        }
        while inside > 0 {
            wait(&self.epoll, &mut self.events)?;
            let again = start.elapsed() < duration;
            for at in 0..self.events.len() {
                let index = self.events[at].data.u64() as usize;
                if self.go_on(index)? {
                    messages += 1;
                    inside -= usize::from(!again);
                    self.visits[index] = if again { Some(self.visit(index)?) } else { None };
                }
            }
        }
        Ok(Done { messages, cpu: thread_cpu() - cpu, elapsed: start.elapsed() })
    }

    /// Begins the next visit, in place `index` of the list.
    fn visit(&mut self, index: usize) -> io::Result<Visit> {
        let source = self.made % (SOURCES * CONNECTIONS_PER_SOURCE);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let stream = connect_from(source, self.port, flags)?;
        let window = self.made * WINDOW_STEP % WINDOWS;
        self.made += 1;
        let mut visit = Visit { stream, window, sent: false, received: 0 };
        // Over loopback the connection is usually there by now.
        visit.send(&self.pattern[window..window + self.message_bytes])?;
        let wanted = if visit.sent { EventFlags::IN } else { EventFlags::OUT };
        epoll::add(&self.epoll, &visit.stream, EventData::new_u64(index as u64), wanted)?;
        Ok(visit)
    }

    /// Does what can be done for a visit now; true when it is over.
    fn go_on(&mut self, index: usize) -> io::Result<bool> {
        let Some(visit) = &mut self.visits[index] else { return Ok(false) };
        if !visit.sent {
            visit.send(&self.pattern[visit.window..visit.window + self.message_bytes])?;
            if visit.sent {
                let data = EventData::new_u64(index as u64);
                epoll::modify(&self.epoll, &visit.stream, data, EventFlags::IN)?;
            }
            return Ok(false);
        }
        let count = match visit.stream.read(&mut self.buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            other => other?,
        };
        if count == 0 {
            if visit.received < self.message_bytes {
                let early = "the server closed before it had answered";
                return Err(failure(ErrorKind::UnexpectedEof, early));
            }
            return Ok(true);
        }
        let received = visit.received + count;
        let expected = visit.window + visit.received..visit.window + received;
        if received > self.message_bytes || self.buffer[..count] != self.pattern[expected] {
            return Err(failure(ErrorKind::InvalidData, "the answer differs from what was sent"));
        }
        visit.received = received;
        if received == self.message_bytes {
            visit.stream.shutdown(Shutdown::Write)?;
        }
        Ok(false)
    }
}

/// Source addresses in use. Where TIME_WAIT stays, a minute's worth of ports: 7 million.
const SOURCES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    /// A server that answers each connection's first message with `answer` of it and then waits
    /// for the end, unless the answer is empty.
    fn visits(answer: fn(&mut Vec<u8>)) -> io::Result<Visits> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut buffer = [0; 256];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    let mut reply = buffer[..count].to_vec();
                    answer(&mut reply);
                    if reply.is_empty() || stream.write_all(&reply).is_err() {
                        break;
                    }
                }
            }
        });
        Visits::begin(port, 3, 64)
    }

    fn run(answer: fn(&mut Vec<u8>)) -> io::Result<Done> {
        visits(answer)?.run(Duration::from_millis(50))
    }

    #[test]
    fn whole_visits_are_counted() {
        let mut visits = visits(|_| {}).unwrap();
        // The first three may take all of the time.
        while visits.run(Duration::from_millis(50)).unwrap().messages <= 3 {}
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        assert_eq!(run(|reply| reply[5] ^= 1).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(run(|reply| reply.push(0)).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_server_that_closes_first_is_an_error() {
        assert_eq!(run(Vec::clear).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
