//! The load generator: a closed loop over loopback TCP, one thread, epoll.
//!
//! Each connection sends one message, waits for all of it to come back, and sends the next. Every
//! byte that returns is compared with what was sent. Messages are windows into one pattern rendered
//! beforehand, a different window for each connection and each message, so a server that mixes
//! connections up or repeats an old answer is caught; nothing is allocated per message.
//!
//! A closed loop slows down with the server. It measures cost per message and peak rate; it says
//! nothing about latency at a given rate and must not be read that way. [`Load::watched`] takes the
//! time of each message all the same, to compare a server with itself.

mod wire;

use hdrhistogram::Histogram;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;
use rustix::time::Timespec;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

pub(crate) use wire::{
    CONNECTIONS_PER_SOURCE, EVENTS, STALL_LIMIT, WINDOW_STEP, WINDOWS, connect_from, failure,
    pattern, repeating, source, stalled, thread_cpu, wait,
};

/// Open connections to one server and what is under way on each.
pub(crate) struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    pattern: Vec<u8>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    message_bytes: usize,
    /// Windows begin at multiples of this.
    unit: usize,
    /// Nanoseconds from the first byte sent to the last received, where they are wanted.
    times: Option<Histogram<u64>>,
}

/// What messages are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// So many bytes of any value.
    Bytes(usize),
    /// `count` lines of `bytes` bytes each, with the line's end.
    Lines { bytes: usize, count: usize },
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
        Load::connect_with(port, connections, Content::Bytes(message_bytes))
    }

    /// The same with a choice of what messages are made of.
    pub(crate) fn connect_with(
        port: u16,
        connections: usize,
        content: Content,
    ) -> io::Result<Load> {
        let (message_bytes, unit) = match content {
            Content::Bytes(bytes) => (bytes, 1),
            Content::Lines { bytes, count } => (bytes * count, bytes),
        };
        let mut pattern = pattern(message_bytes + WINDOWS * unit);
        if let Content::Lines { bytes, .. } = content {
            pattern.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
            pattern.iter_mut().skip(bytes - 1).step_by(bytes).for_each(|byte| *byte = b'\n');
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut open = Vec::with_capacity(connections);
        for index in 0..connections {
            let stream = connect_from(index, port, SocketFlags::CLOEXEC)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            let window = index * WINDOW_STEP % WINDOWS * unit;
            let begun = None;
            let connection =
                Connection { stream, window, sent: 0, received: 0, watches_out: false, begun };
            open.push(connection);
        }
        Ok(Load {
            epoll,
            connections: open,
            pattern,
            // One byte more than the answer, so that an answer too long is seen.
            buffer: vec![0; (message_bytes + 1).min(BUFFER_BYTES)],
            events: Vec::with_capacity(EVENTS),
            message_bytes,
            unit,
            times: None,
        })
    }

    /// Keeps every connection busy for `duration`, and waits for what is then under way.
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
            wait(&self.epoll, &mut self.events)?;
            messages += self.turn(true)?;
            elapsed = start.elapsed();
        }
        let mut due = self.connections.iter().filter(|c| c.sent > 0).count() as u64;
        while due > 0 {
            wait(&self.epoll, &mut self.events)?;
            let count = self.turn(false)?;
            (messages, due) = (messages + count, due - count);
        }
        Ok(Done { messages, cpu: thread_cpu() - cpu, elapsed: start.elapsed() })
    }

    /// The same, and takes the time of every message, in nanoseconds; those that are not back at
    /// the end have taken so long at least, or nobody would see who is kept waiting for ever. It
    /// never sleeps, so that how soon this thread wakes up is no part of the times, and calls
    /// `beside` in every turn.
    ///
    /// # Errors
    ///
    /// As [`Load::run`], and those of `beside`.
    pub(crate) fn watched(
        &mut self,
        duration: Duration,
        mut beside: impl FnMut() -> io::Result<()>,
    ) -> io::Result<(Done, Histogram<u64>)> {
        let fresh = Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds in order");
        self.times = Some(fresh);
        let (start, cpu) = (Instant::now(), thread_cpu());
        let (mut messages, mut last) = (0, start);
        for index in 0..self.connections.len() {
            match &mut self.connections[index] {
                Connection { sent: 0, .. } => self.send(index)?,
                under_way => under_way.begun = Some(start),
            }
        }
        while start.elapsed() < duration {
            beside()?;
            self.events.clear();
            let events = rustix::buffer::spare_capacity(&mut self.events);
            epoll::wait(&self.epoll, events, Some(&Timespec::default()))?;
            match self.turn(true)? {
                0 if last.elapsed() > STALL_LIMIT => return Err(stalled()),
                0 => {}
                count => (messages, last) = (messages + count, Instant::now()),
            }
        }
        let done = Done { messages, cpu: thread_cpu() - cpu, elapsed: start.elapsed() };
        let mut times = self.times.take().expect("set above");
        for waits in self.connections.iter().filter(|connection| connection.sent > 0) {
            let begun = waits.begun.unwrap_or(start);
            times.saturating_record(begun.elapsed().as_nanos() as u64);
        }
        Ok((done, times))
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
                wait(&self.epoll, &mut self.events)?;
                due -= self.turn(false)?;
            }
        }
        Ok(())
    }

    /// Does what can be done after a wait; answers how many messages have come back. Each is
    /// followed by the next if `again`.
    fn turn(&mut self, again: bool) -> io::Result<u64> {
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
        connection.window = (connection.window + WINDOW_STEP * self.unit) % (WINDOWS * self.unit);
        (connection.sent, connection.received) = (0, 0);
        if let (Some(times), Some(begun)) = (&mut self.times, connection.begun) {
            times.saturating_record(begun.elapsed().as_nanos() as u64);
        }
        Ok(true)
    }

    /// Sends what the socket takes of the current message; the rest follows when it is writable.
    fn send(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        let end = connection.window + self.message_bytes;
        if self.times.is_some() && connection.sent == 0 {
            connection.begun = Some(Instant::now());
        }
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

struct Connection {
    stream: TcpStream,
    /// Where the current message begins in the pattern.
    window: usize,
    sent: usize,
    received: usize,
    watches_out: bool,
    /// When the current message was, if its time is taken.
    begun: Option<Instant>,
}

const BUFFER_BYTES: usize = 64 * 1024;
/// Times are told apart to a thousandth of themselves, up to a minute.
const LONGEST_NS: u64 = 60_000_000_000;
/// Messages under way at once in [`Load::round`].
const WAVE: usize = 64;

#[cfg(test)]
mod tests;
