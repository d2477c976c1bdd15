//! The load generator of the datagrams cell: many UDP sockets on one thread.
//!
//! A closed loop with few datagrams under way on each socket, so that the receive buffer of a
//! server with the kernel's default holds all of them. Each datagram carries its number and bytes
//! that follow from it; an answer that differs from every datagram under way on its socket is an
//! error. One that does not come is lost: after a while its socket begins anew, and an answer that
//! comes later than that is passed over.

use crate::load::{
    Done, EVENTS, STALL_LIMIT, WINDOW_STEP, WINDOWS, failure, pattern, source, stalled, thread_cpu,
};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::Timespec;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Open sockets and what is under way on each.
pub(crate) struct Senders {
    epoll: OwnedFd,
    senders: Vec<Sender>,
    pattern: Vec<u8>,
    events: Vec<epoll::Event>,
}

struct Sender {
    socket: UdpSocket,
    /// Numbers of the datagrams that have no answer yet.
    under_way: Vec<u64>,
    next: u64,
    /// What is numbered lower has been given up.
    oldest: u64,
    answered: bool,
}

impl Senders {
    pub(crate) fn begin(port: u16, count: usize) -> io::Result<Senders> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut senders = Vec::with_capacity(count);
        for index in 0..count {
            let socket = UdpSocket::bind((source(index), 0))?;
            socket.connect((Ipv4Addr::LOCALHOST, port))?;
            socket.set_nonblocking(true)?;
            epoll::add(&epoll, &socket, EventData::new_u64(index as u64), EventFlags::IN)?;
            let under_way = Vec::with_capacity(UNDER_WAY);
            senders.push(Sender { socket, under_way, next: 0, oldest: 0, answered: false });
        }
        let pattern = pattern(DATAGRAM_BYTES + WINDOWS);
        Ok(Senders { epoll, senders, pattern, events: Vec::with_capacity(EVENTS) })
    }

    /// Keeps every socket busy for `duration`, and waits a little for what is then under way; a
    /// message of the answer is a datagram that came back.
    ///
    /// # Errors
    ///
    /// `InvalidData` when an answer differs from what was sent, `TimedOut` when nothing at all
    /// comes back for five seconds.
    pub(crate) fn run(&mut self, duration: Duration) -> io::Result<Done> {
        let (start, cpu) = (Instant::now(), thread_cpu());
        let (mut messages, mut last, mut looked) = (0, start, start);
        self.senders.iter_mut().try_for_each(|sender| sender.send(&self.pattern))?;
        while start.elapsed() < duration {
            self.wait()?;
            for event in &self.events {
                let sender = &mut self.senders[event.data.u64() as usize];
                messages += sender.receive(&self.pattern)?;
                sender.send(&self.pattern)?;
            }
            if !self.events.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > STALL_LIMIT {
                return Err(stalled());
            }
            if looked.elapsed() > LOST_AFTER_LIMIT {
                looked = Instant::now();
                for sender in &mut self.senders {
                    sender.give_up(&self.pattern)?;
                }
            }
        }
        while self.senders.iter().any(|sender| !sender.under_way.is_empty()) {
            self.wait()?;
            for event in &self.events {
                messages += self.senders[event.data.u64() as usize].receive(&self.pattern)?;
            }
            if self.events.is_empty() {
                self.senders.iter_mut().for_each(Sender::forget);
            }
        }
        Ok(Done { messages, cpu: thread_cpu() - cpu, elapsed: start.elapsed() })
    }

    /// Waits for events, but not for what is lost; there may be none.
    fn wait(&mut self) -> io::Result<()> {
        self.events.clear();
        let events = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, events, Some(&LOST_AFTER)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Sender {
    fn send(&mut self, pattern: &[u8]) -> io::Result<()> {
        while self.under_way.len() < UNDER_WAY {
            match self.socket.send(&datagram(self.next, pattern)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            self.under_way.push(self.next);
            self.next += 1;
        }
        Ok(())
    }

    /// Receives what is there, as much as can be under way; answers how many.
    fn receive(&mut self, pattern: &[u8]) -> io::Result<u64> {
        let mut buffer = [0; DATAGRAM_BYTES + 1];
        let mut received = 0;
        while received < UNDER_WAY as u64 {
            let count = match self.socket.recv(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let wrong = || failure(ErrorKind::InvalidData, "the answer differs from what was sent");
            let number = buffer.first_chunk().map(|number| u64::from_le_bytes(*number));
            let number = number.filter(|_| count == DATAGRAM_BYTES).ok_or_else(wrong)?;
            if buffer[..count] != datagram(number, pattern) || number >= self.next {
                return Err(wrong());
            }
            if number < self.oldest {
                continue;
            }
            let at = self.under_way.iter().position(|other| *other == number);
            self.under_way.swap_remove(at.ok_or_else(wrong)?);
            received += 1;
        }
        self.answered |= received > 0;
        Ok(received)
    }

    /// Begins anew if nothing has come since this was asked last.
    fn give_up(&mut self, pattern: &[u8]) -> io::Result<()> {
        if !std::mem::take(&mut self.answered) {
            self.forget();
            self.send(pattern)?;
        }
        Ok(())
    }

    /// What is under way is taken for lost.
    fn forget(&mut self) {
        self.under_way.clear();
        self.oldest = self.next;
    }
}

fn datagram(number: u64, pattern: &[u8]) -> [u8; DATAGRAM_BYTES] {
    let window = number as usize % WINDOWS * WINDOW_STEP % WINDOWS;
    let mut datagram = [0; DATAGRAM_BYTES];
    datagram.copy_from_slice(&pattern[window..window + DATAGRAM_BYTES]);
    datagram[..8].copy_from_slice(&number.to_le_bytes());
    datagram
}

pub(crate) const DATAGRAM_BYTES: usize = 64;
pub(crate) const UNDER_WAY: usize = 2;
const LOST_AFTER: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
const LOST_AFTER_LIMIT: Duration = Duration::from_millis(50);
