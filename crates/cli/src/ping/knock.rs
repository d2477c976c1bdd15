//! The question by TCP: how long does a connect take?
//!
//! An open port answers with a handshake, a closed one with a refusal; both come from the host, so
//! both are answers. A firewall that drops the packet is silence. The time is that of one way there
//! and one way back, as for an echo.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;

use switchboard::socket::{Family, Interest, Poll, Protocol, Type, errors, poll};
use switchboard::{Deadline, Socket, plain};

use super::Heard;

/// The most connects under way; the oldest gives up for a new one.
const UNDER_WAY: usize = 64;

/// Connects to one port of a host.
pub(super) struct Knock {
    to: SocketAddr,
    under_way: Vec<(u16, Socket)>,
    /// What was known at once.
    heard: Vec<Heard>,
}

impl Knock {
    pub(super) fn new(host: SocketAddr, port: u16) -> Knock {
        let to = SocketAddr::new(host.ip(), port);
        Knock { to, under_way: Vec::new(), heard: Vec::new() }
    }

    pub(super) fn describe(&self) -> String {
        format!("by TCP connect to port {}", self.to.port())
    }

    pub(super) fn watch(&self) -> impl Iterator<Item = Poll<'_>> {
        self.under_way.iter().map(|(_, socket)| Poll::new(socket.as_fd(), Interest::WRITE))
    }

    pub(super) fn ask(&mut self, seq: u16) -> io::Result<()> {
        let family = if self.to.is_ipv4() { Family::INET } else { Family::INET6 };
        let socket = Socket::new(family, Type::STREAM, Protocol::DEFAULT)?;
        socket.set_blocking(false)?;
        match socket.connect(&self.to.into()) {
            Err(error) if errors::is_would_block(&error) => {
                if self.under_way.len() == UNDER_WAY {
                    self.under_way.remove(0);
                }
                self.under_way.push((seq, socket));
            }
            outcome => {
                let heard = self.read(seq, outcome.err());
                self.heard.push(heard);
            }
        }
        Ok(())
    }

    /// The next connect that is over.
    pub(super) fn hear(&mut self) -> Option<Heard> {
        if let Some(heard) = self.heard.pop() {
            return Some(heard);
        }
        let over = |(_, socket): &(u16, Socket)| {
            let mut one = [Poll::new(socket.as_fd(), Interest::WRITE)];
            let count = poll(&mut one, Deadline::Immediate);
            count.is_ok_and(|count| count > 0)
        };
        let at = self.under_way.iter().position(over)?;
        let (seq, socket) = self.under_way.remove(at);
        let error = socket.so_error().unwrap_or_else(Some);
        Some(self.read(seq, error))
    }

    fn read(&self, seq: u16, error: Option<io::Error>) -> Heard {
        let word = match error {
            None => "open".to_owned(),
            Some(error) if error.kind() == ErrorKind::ConnectionRefused => "closed".to_owned(),
            Some(error) => return Heard::Lost { seq: Some(seq), why: plain(&error) },
        };
        Heard::Reply { seq, from: self.to, bytes: None, hops: None, word }
    }
}
