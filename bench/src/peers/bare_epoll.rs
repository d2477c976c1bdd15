//! The ceiling for one thread that serves all connections: a level-triggered epoll loop.
//!
//! Per message it makes one `recv` and one `send`, and one `epoll_wait` for all that came
//! meanwhile; per connection one `accept4`, one `epoll_ctl`, one `close` and the `recv` that sees
//! the end. It registers each connection once, takes TCP_NODELAY from the listener (Linux hands it
//! down), finds a connection by its descriptor's number and allocates nothing per message. No
//! limits, no deadlines, no counting: what an engine costs is the distance to this loop.
//!
//! What it does beyond that is what a loop needs to be right: what a peer does not take at once is
//! kept and sent later, and a listener that fails for want of descriptors rests until one is free.
//! What is answered is a [`Protocol`]; the fan-out service, in which connections send to each
//! other, has a loop of its own.

mod fan_out;
mod lines;

use super::{BUFFER_BYTES, Body, HOLDS_ANY, Peer, Service, nothing};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

pub(super) const PEER: Peer = Peer {
    name: "bare-epoll",
    summary: "level-triggered epoll loop on one thread, one recv and one send per event",
    holds: HOLDS_ANY,
    library: None,
    needs: nothing,
    bodies: &[
        (Service::Echo, Body::Inside(|listener| serve(listener, Echo))),
        (Service::Lines, Body::Inside(|listener| serve(listener, lines::Lines::default()))),
        (Service::FanOut, Body::Inside(fan_out::serve)),
    ],
};

/// What a connection is answered.
trait Protocol {
    /// The answer to what has been received from the connection with this number.
    fn answer<'a>(&'a mut self, number: usize, received: &'a [u8]) -> &'a [u8];

    /// The connection is gone; its number may come again.
    fn closed(&mut self, _number: usize) {}
}

struct Echo;

impl Protocol for Echo {
    fn answer<'a>(&'a mut self, _: usize, received: &'a [u8]) -> &'a [u8] {
        received
    }
}

fn serve(listener: TcpListener, protocol: impl Protocol) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut serving = Serving {
        protocol,
        epoll,
        listener,
        rests: false,
        connections: Vec::new(),
        unsent: HashMap::new(),
    };
    let mut events = Vec::with_capacity(EVENTS);
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        events.clear();
        match epoll::wait(&serving.epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let (data, flags) = (event.data, event.flags);
            match data.u64() {
                LISTENER => serving.accept()?,
                number if flags.contains(EventFlags::OUT) => serving.send_rest(number as usize)?,
                number => serving.answer(number as usize, &mut buffer)?,
            }
        }
    }
}

struct Serving<P> {
    protocol: P,
    epoll: OwnedFd,
    listener: TcpListener,
    /// The listener is not watched: there are no descriptors left.
    rests: bool,
    /// At the index of its descriptor's number.
    connections: Vec<Option<OwnedFd>>,
    /// What a peer has not taken yet; such a connection is watched for room, not for input.
    unsent: HashMap<usize, Vec<u8>>,
}

impl<P: Protocol> Serving<P> {
    /// Accepts one connection. Others that wait are reported in the next turn, which costs less
    /// than to ask until there is none: measured, 3 % of all CPU per visit.
    fn accept(&mut self) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let connection = match rustix::net::accept_with(&self.listener, flags) {
            Ok(connection) => connection,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.rests = true;
                return Ok(epoll::delete(&self.epoll, &self.listener)?);
            }
            // The failure of one connection that ended before it was accepted.
            Err(_) => return Ok(()),
        };
        let number = connection.as_raw_fd() as usize;
        epoll::add(&self.epoll, &connection, EventData::new_u64(number as u64), EventFlags::IN)?;
        if self.connections.len() <= number {
            self.connections.resize_with(number + 1, || None);
        }
        self.connections[number] = Some(connection);
        Ok(())
    }

    fn answer(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(connection) = &self.connections[number] else { return Ok(()) };
        let count = match rustix::net::recv(connection, &mut *buffer, RecvFlags::empty()) {
            Ok((count @ 1.., _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Ok(_) | Err(_) => return self.close(number),
        };
        let answer = self.protocol.answer(number, &buffer[..count]);
        if answer.is_empty() {
            return Ok(());
        }
        match rustix::net::send(connection, answer, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == answer.len() => Ok(()),
            Ok(sent) => {
                let rest = answer[sent..].to_vec();
                self.keep(number, rest)
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                let all = answer.to_vec();
                self.keep(number, all)
            }
            Err(_) => self.close(number),
        }
    }

    fn keep(&mut self, number: usize, rest: Vec<u8>) -> io::Result<()> {
        self.unsent.insert(number, rest);
        self.watch(number, EventFlags::OUT)
    }

    fn send_rest(&mut self, number: usize) -> io::Result<()> {
        let (Some(connection), Some(rest)) =
            (&self.connections[number], self.unsent.get_mut(&number))
        else {
            return Ok(());
        };
        match rustix::net::send(connection, rest, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == rest.len() => {
                self.unsent.remove(&number);
                self.watch(number, EventFlags::IN)
            }
            Ok(sent) => {
                rest.drain(..sent);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(_) => self.close(number),
        }
    }

    fn watch(&self, number: usize, flags: EventFlags) -> io::Result<()> {
        let Some(connection) = &self.connections[number] else { return Ok(()) };
        Ok(epoll::modify(&self.epoll, connection, EventData::new_u64(number as u64), flags)?)
    }

    fn close(&mut self, number: usize) -> io::Result<()> {
        self.connections[number] = None;
        self.protocol.closed(number);
        if !self.unsent.is_empty() {
            self.unsent.remove(&number);
        }
        if std::mem::take(&mut self.rests) {
            let data = EventData::new_u64(LISTENER);
            epoll::add(&self.epoll, &self.listener, data, EventFlags::IN)?;
        }
        Ok(())
    }
}

const LISTENER: u64 = u64::MAX;
const EVENTS: usize = 1024;
