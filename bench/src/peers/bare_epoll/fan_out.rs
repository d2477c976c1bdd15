//! The fan-out service of the bare loop: a `send` for each message and member, one after the other.
//!
//! The yardstick of the fan-out cell: no queues, no references, no batches. A member whose socket
//! takes no more is closed, which is the shortest queue there is.

use crate::peers::{BUFFER_BYTES, FAN_OUT_BYTES, MEMBER, SPEAKER};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut serving = Serving { epoll, listener, connections: Vec::new(), members: Vec::new() };
    let mut events = Vec::with_capacity(EVENTS);
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        events.clear();
        match epoll::wait(&serving.epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => serving.accept()?,
                number => serving.hear(number as usize, &mut buffer),
            }
        }
    }
}

struct Serving {
    epoll: OwnedFd,
    listener: TcpListener,
    /// At the index of its descriptor's number.
    connections: Vec<Option<Connection>>,
    /// Numbers of the connections that listen.
    members: Vec<usize>,
}

struct Connection {
    socket: OwnedFd,
    role: Option<u8>,
    /// What a speaker has said of a message that is not whole yet.
    begun: Vec<u8>,
}

impl Serving {
    fn accept(&mut self) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::accept_with(&self.listener, flags)?;
        let number = socket.as_raw_fd() as usize;
        epoll::add(&self.epoll, &socket, EventData::new_u64(number as u64), EventFlags::IN)?;
        if self.connections.len() <= number {
            self.connections.resize_with(number + 1, || None);
        }
        self.connections[number] = Some(Connection { socket, role: None, begun: Vec::new() });
        Ok(())
    }

    fn hear(&mut self, number: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[number] else { return };
        let count = match rustix::net::recv(&connection.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((count @ 1.., _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Ok(_) | Err(_) => return self.close(number),
        };
        let mut said = &buffer[..count];
        if connection.role.is_none() {
            let role = said[0];
            if ![MEMBER, SPEAKER].contains(&role) {
                return self.close(number);
            }
            connection.role = Some(role);
            said = &said[1..];
            // The answer fits into a fresh socket.
            let _sent = rustix::net::send(&connection.socket, &[role], SendFlags::NOSIGNAL);
            if role == MEMBER {
                self.members.push(number);
            }
        }
        if connection.role == Some(SPEAKER) {
            let mut begun = std::mem::take(&mut connection.begun);
            begun.extend_from_slice(said);
            let whole = begun.len() - begun.len() % FAN_OUT_BYTES;
            for message in begun[..whole].chunks(FAN_OUT_BYTES) {
                self.say(message);
            }
            begun.drain(..whole);
            if let Some(connection) = &mut self.connections[number] {
                connection.begun = begun;
            }
        }
    }

    fn say(&mut self, message: &[u8]) {
        let mut slow = Vec::new();
        for &number in &self.members {
            let Some(Connection { socket, .. }) = &self.connections[number] else { continue };
            if rustix::net::send(socket, message, SendFlags::NOSIGNAL) != Ok(message.len()) {
                slow.push(number);
            }
        }
        slow.into_iter().for_each(|number| self.close(number));
    }

    fn close(&mut self, number: usize) {
        self.connections[number] = None;
        self.members.retain(|member| *member != number);
    }
}

const LISTENER: u64 = u64::MAX;
const EVENTS: usize = 1024;
