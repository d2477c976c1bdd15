//! The load generator: a closed loop over loopback TCP, one thread, epoll.
//!
//! Each connection sends one message, waits for all of it to come back, and sends the next. Every
//! byte that returns is compared with what was sent. Messages are windows into one pattern rendered
//! beforehand, a different window for each connection and each message, so a server that mixes
//! connections up or repeats an old answer is caught; nothing is allocated per message.
//!
//! A closed loop slows down with the server. It measures cost per message and peak rate; it says
//! nothing about latency at a given rate and must not be read that way.

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Open connections to one server and what is under way on each.
pub(crate) struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    pattern: Vec<u8>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    message_bytes: usize,
}

/// What one call of [`Load::run`] did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// Messages that came back whole and correct.
    pub(crate) messages: u64,
    /// CPU time of the load generator's own thread.
    pub(crate) cpu: Duration,
    pub(crate) elapsed: Duration,
}

impl Load {
    /// Opens `connections` connections; each message will have `message_bytes` bytes (at least 1).
    pub(crate) fn connect(port: u16, connections: usize, message_bytes: usize) -> io::Result<Load> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut open = Vec::with_capacity(connections);
        for index in 0..connections {
            let stream = connect_from(index, port, SocketFlags::CLOEXEC)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            let window = index * WINDOW_STEP % WINDOWS;
            open.push(Connection { stream, window, sent: 0, received: 0, watches_out: false });
        }
        Ok(Load {
            epoll,
            connections: open,
            pattern: pattern(message_bytes + WINDOWS),
            // One byte more than the answer, so that an answer too long is seen.
            buffer: vec![0; (message_bytes + 1).min(BUFFER_BYTES)],
            events: Vec::with_capacity(EVENTS),
            message_bytes,
        })
    }

    /// Keeps every connection busy for `duration`. Messages still under way at the end are left in
    /// place and counted by the next call, so calls can follow each other without a gap.
    ///
    /// # Errors
    ///
    /// `InvalidData` when an answer differs from what was sent, `UnexpectedEof` when the server
    /// closes a connection, `TimedOut` when nothing at all comes back for five seconds.
    pub(crate) fn run(&mut self, duration: Duration) -> io::Result<Done> {
        let (start, cpu) = (Instant::now(), thread_cpu());
        for index in 0..self.connections.len() {
            if self.connections[index].sent == 0 {
                self.send(index)?;
            }
        }
        let mut messages = 0;
        let mut elapsed = start.elapsed();
        while elapsed < duration {
            messages += self.turn(true)?;
            elapsed = start.elapsed();
        }
        Ok(Done { messages, cpu: thread_cpu() - cpu, elapsed })
    }

    /// Sends one message on every connection, a few under way at once, and waits until each has
    /// come back. None may be under way before.
    ///
    /// # Errors
    ///
    /// As [`Load::run`].
    pub(crate) fn round(&mut self) -> io::Result<()> {
        for first in (0..self.connections.len()).step_by(WAVE) {
            let wave = first..self.connections.len().min(first + WAVE);
            let mut due = wave.len() as u64;
            for index in wave {
                self.send(index)?;
            }
            while due > 0 {
                due -= self.turn(false)?;
            }
        }
        Ok(())
    }

    /// Waits once and does what can be done then; answers how many messages have come back. Each
    /// is followed by the next if `again`.
    fn turn(&mut self, again: bool) -> io::Result<u64> {
        wait(&self.epoll, &mut self.events)?;
        let mut messages = 0;
        for at in 0..self.events.len() {
            let epoll::Event { data, flags } = self.events[at];
            let index = data.u64() as usize;
            if flags.contains(EventFlags::OUT) {
                self.send(index)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR)
                && self.receive(index)?
            {
                messages += 1;
                if again {
                    self.send(index)?;
                }
            }
        }
        Ok(messages)
    }

    /// Receives once; true when that completes a message.
    fn receive(&mut self, index: usize) -> io::Result<bool> {
        let connection = &mut self.connections[index];
        let count = match connection.stream.read(&mut self.buffer) {
            Ok(0) => {
                return Err(failure(ErrorKind::UnexpectedEof, "the server closed a connection"));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            other => other?,
        };
        let received = connection.received + count;
        let expected = connection.window + connection.received..connection.window + received;
        if received > connection.sent || self.buffer[..count] != self.pattern[expected] {
            return Err(failure(ErrorKind::InvalidData, "the answer differs from what was sent"));
        }
        connection.received = received;
        if received < self.message_bytes {
            return Ok(false);
        }
        connection.window = (connection.window + WINDOW_STEP) % WINDOWS;
        (connection.sent, connection.received) = (0, 0);
        Ok(true)
    }

    /// Sends what the socket takes of the current message; the rest follows when it is writable.
    fn send(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        let end = connection.window + self.message_bytes;
        match connection.stream.write(&self.pattern[connection.window + connection.sent..end]) {
            Ok(count) => connection.sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let watch_out = connection.sent < self.message_bytes;
        if watch_out != connection.watches_out {
            connection.watches_out = watch_out;
            let flags = if watch_out { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            let data = EventData::new_u64(index as u64);
            epoll::modify(&self.epoll, &connection.stream, data, flags)?;
        }
        Ok(())
    }
}

/// Waits for events, which replace those in the list; after a signal there are none.
///
/// # Errors
///
/// `TimedOut` when nothing at all happens for five seconds.
pub(crate) fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> io::Result<()> {
    events.clear();
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), Some(&STALL)) {
        Ok(0) => Err(failure(ErrorKind::TimedOut, "no answer for five seconds")),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A connection to 127.0.0.1:`port` from a source address that `index` chooses: each address of
/// 127.1.0.0/16 is used for a few connections only, so that neither the range of ephemeral ports
/// nor a server's limit per address decides the result.
pub(crate) fn connect_from(index: usize, port: u16, flags: SocketFlags) -> io::Result<TcpStream> {
    let group = index / CONNECTIONS_PER_SOURCE + 1;
    let source = Ipv4Addr::new(127, 1, (group >> 8) as u8, group as u8);
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        flags,
        Some(ipproto::TCP),
    )?;
    rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
    match rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

struct Connection {
    stream: TcpStream,
    /// Where the current message begins in the pattern.
    window: usize,
    sent: usize,
    received: usize,
    watches_out: bool,
}

/// Bytes without a short period (a 64-bit linear congruential generator, Knuth's MMIX constants).
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(PATTERN_INCREMENT);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("CPU time is not negative")
}

pub(crate) fn failure(kind: ErrorKind, message: &str) -> io::Error {
    io::Error::new(kind, message)
}

const PATTERN_INCREMENT: u64 = 1_442_695_040_888_963_407;
/// Distinct windows; a prime, so that the steps visit all of them.
pub(crate) const WINDOWS: usize = 251;
pub(crate) const WINDOW_STEP: usize = 7;
const BUFFER_BYTES: usize = 64 * 1024;
pub(crate) const EVENTS: usize = 256;
const STALL: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// Connections in the list from one address, next to each other.
pub(crate) const CONNECTIONS_PER_SOURCE: usize = 16;
/// Messages under way at once in [`Load::round`].
const WAVE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A server for one connection that passes what it reads through `answer`.
    fn server(answer: fn(&mut Vec<u8>)) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let mut reply = buffer[..count].to_vec();
                answer(&mut reply);
                if reply.is_empty() || stream.write_all(&reply).is_err() {
                    break;
                }
            }
        });
        port
    }

    fn run(answer: fn(&mut Vec<u8>), message_bytes: usize) -> io::Result<Done> {
        Load::connect(server(answer), 1, message_bytes)?.run(Duration::from_millis(50))
    }

    #[test]
    fn an_honest_echo_is_counted() {
        assert!(run(|_| {}, 64).unwrap().messages > 0);
    }

    #[test]
    fn a_round_is_one_message_each() {
        let mut load = Load::connect(server(|_| {}), 1, 64).unwrap();
        load.round().unwrap();
        assert!(load.connections.iter().all(|c| c.window == WINDOW_STEP && c.sent == 0));
        let error = Load::connect(server(|reply| reply[0] ^= 1), 1, 64).unwrap().round();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_message_larger_than_the_socket_buffers_comes_back() {
        let port = server(|_| {});
        let mut load = Load::connect(port, 1, 8 << 20).unwrap();
        let mut messages = 0;
        while messages == 0 {
            messages = load.run(Duration::from_millis(50)).unwrap().messages;
        }
    }

    #[test]
    fn a_wrong_byte_is_an_error() {
        let error = run(|reply| reply[0] ^= 1, 64).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_byte_too_many_is_an_error() {
        let error = run(|reply| reply.push(0), 64).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        let error = run(Vec::clear, 64).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
