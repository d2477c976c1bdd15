//! The load generator of the fan-out cell: one connection that speaks and many that listen, in one
//! thread.
//!
//! A closed loop: the speaker says the next message when the oldest has reached everybody, so that
//! a given number is under way. Every byte that a member receives is compared with what was said;
//! messages differ from each other, so one that is lost, repeated or out of order is seen.

use crate::load::{
    Done, EVENTS, STALL_LIMIT, WINDOWS, connect_from, failure, repeating, thread_cpu, wait,
};
use crate::peers::{FAN_OUT_BYTES, MEMBER, SPEAKER};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A speaker and its audience.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    speaker: TcpStream,
    members: Vec<Member>,
    /// All messages, one after the other, and the first again.
    pattern: Vec<u8>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    /// Messages said so far.
    said: usize,
    /// Of those that somebody has not received yet, oldest first: by how many.
    missing: VecDeque<usize>,
    under_way: usize,
}

struct Member {
    stream: TcpStream,
    received: usize,
}

impl Crowd {
    /// Connects `members` members and a speaker; the server knows all of them when this returns.
    pub(crate) fn gather(port: u16, members: usize, under_way: usize) -> io::Result<Crowd> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut streams = Vec::with_capacity(members);
        for index in 0..members {
            let stream = joined(index, port, MEMBER)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            streams.push(Member { stream, received: 0 });
        }
        Ok(Crowd {
            epoll,
            speaker: joined(members, port, SPEAKER)?,
            members: streams,
            pattern: repeating(PERIOD, BUFFER_BYTES),
            buffer: vec![0; BUFFER_BYTES],
            events: Vec::with_capacity(EVENTS),
            said: 0,
            missing: VecDeque::new(),
            under_way,
        })
    }

    /// Speaks for `duration`, and waits for what is then under way; a message of the answer is one
    /// that reached one member.
    ///
    /// # Errors
    ///
    /// `InvalidData` when a member receives what was not said, `UnexpectedEof` when the server
    /// closes a connection, `TimedOut` when nothing at all arrives for five seconds.
    pub(crate) fn run(&mut self, duration: Duration) -> io::Result<Done> {
        let (start, cpu) = (Instant::now(), thread_cpu());
        let mut messages = 0;
        self.speak()?;
        while !self.missing.is_empty() {
            wait(&self.epoll, &mut self.events)?;
            for at in 0..self.events.len() {
                messages += self.listen(self.events[at].data.u64() as usize)?;
            }
            if self.missing.front() == Some(&0) {
                self.missing.retain(|members| *members > 0);
                if start.elapsed() < duration {
                    self.speak()?;
                }
            }
        }
        Ok(Done { messages, cpu: thread_cpu() - cpu, elapsed: start.elapsed() })
    }

    /// Says what is missing to have enough under way, in one piece.
    fn speak(&mut self) -> io::Result<()> {
        let mut words = Vec::new();
        while self.missing.len() < self.under_way {
            let from = self.said * FAN_OUT_BYTES % PERIOD;
            words.extend_from_slice(&self.pattern[from..from + FAN_OUT_BYTES]);
            self.said += 1;
            self.missing.push_back(self.members.len());
        }
        self.speaker.write_all(&words)
    }

    /// Receives once; answers how many messages that makes whole.
    fn listen(&mut self, index: usize) -> io::Result<u64> {
        let member = &mut self.members[index];
        let count = match member.stream.read(&mut self.buffer) {
            Ok(0) => {
                return Err(failure(ErrorKind::UnexpectedEof, "the server closed a connection"));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            other => other?,
        };
        let (from, whole) = (member.received % PERIOD, member.received / FAN_OUT_BYTES);
        member.received += count;
        if member.received > self.said * FAN_OUT_BYTES
            || self.buffer[..count] != self.pattern[from..from + count]
        {
            return Err(failure(ErrorKind::InvalidData, "a member received what was not said"));
        }
        let now_whole = self.members[index].received / FAN_OUT_BYTES;
        let oldest = self.said - self.missing.len();
        for message in whole..now_whole {
            self.missing[message - oldest] -= 1;
        }
        Ok((now_whole - whole) as u64)
    }
}

/// A connection that has said what it is and knows that it was heard.
fn joined(index: usize, port: u16, role: u8) -> io::Result<TcpStream> {
    let mut stream = connect_from(index, port, SocketFlags::CLOEXEC)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALL_LIMIT))?;
    stream.write_all(&[role])?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    match answer == [role] {
        true => Ok(stream),
        false => Err(failure(ErrorKind::InvalidData, "the server did not repeat the role")),
    }
}

/// Messages repeat after so many bytes.
const PERIOD: usize = WINDOWS * FAN_OUT_BYTES;
const BUFFER_BYTES: usize = 4096;
