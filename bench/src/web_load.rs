//! The load generator of the web cell: a closed loop of GET requests for one file, one thread,
//! epoll, connections that stay.
//!
//! Of every answer the status is read, the length, and that exactly so many bytes follow; the first
//! answer on each connection is compared with the file, byte for byte. A server that answers
//! anything else fails the slice.

use crate::load::{Done, EVENTS, connect_from, failure, thread_cpu, wait};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Connections to one server, with one request under way on each.
pub(crate) struct WebLoad {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    request: Vec<u8>,
    file: Vec<u8>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
}

struct Connection {
    stream: TcpStream,
    state: State,
    /// Whether an answer was compared with the file already.
    compared: bool,
}

/// Where in an answer a connection is.
enum State {
    /// In its head, of which this has come.
    Head(Vec<u8>),
    /// In its body, of which so many bytes have come.
    Body(usize),
}

impl WebLoad {
    /// Opens the connections; `file` is what the server has at `path`.
    pub(crate) fn connect(
        port: u16,
        connections: usize,
        path: &str,
        file: Vec<u8>,
    ) -> io::Result<WebLoad> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut open = Vec::with_capacity(connections);
        for index in 0..connections {
            let stream = connect_from(index, port, SocketFlags::CLOEXEC)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            open.push(Connection { stream, state: State::Head(Vec::new()), compared: false });
        }
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: switchboard-bench\r\n\
             Accept: */*\r\n\r\n"
        );
        Ok(WebLoad {
            epoll,
            connections: open,
            request: request.into_bytes(),
            file,
            buffer: vec![0; BUFFER_BYTES],
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// Keeps every connection busy for `duration`, and waits for what is then under way; a message
    /// is an answer.
    ///
    /// # Errors
    ///
    /// `InvalidData` for an answer that is not the file, `UnexpectedEof` when the server closes,
    /// `TimedOut` when nothing comes for five seconds.
    pub(crate) fn run(&mut self, duration: Duration) -> io::Result<Done> {
        let (start, cpu) = (Instant::now(), thread_cpu());
        let (mut messages, mut under_way) = (0, self.connections.len());
        (0..under_way).try_for_each(|index| self.ask(index))?;
        while under_way > 0 {
            wait(&self.epoll, &mut self.events)?;
            let again = start.elapsed() < duration;
            for at in 0..self.events.len() {
                let index = self.events[at].data.u64() as usize;
                if self.receive(index)? {
                    messages += 1;
                    match again {
                        true => self.ask(index)?,
                        false => under_way -= 1,
                    }
                }
            }
        }
        Ok(Done { messages, cpu: thread_cpu() - cpu, elapsed: start.elapsed() })
    }

    fn ask(&mut self, index: usize) -> io::Result<()> {
        match self.connections[index].stream.write(&self.request) {
            Ok(count) if count == self.request.len() => Ok(()),
            Ok(_) => Err(failure(ErrorKind::WriteZero, "a quiet socket took a part of a request")),
            Err(error) => Err(error),
        }
    }

    /// Receives once; true when that completes an answer.
    fn receive(&mut self, index: usize) -> io::Result<bool> {
        let connection = &mut self.connections[index];
        let count = match connection.stream.read(&mut self.buffer) {
            Ok(0) => {
                return Err(failure(ErrorKind::UnexpectedEof, "the server closed a connection"));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            other => other?,
        };
        let mut arrived = &self.buffer[..count];
        if let State::Head(head) = &mut connection.state {
            let before = head.len();
            head.extend_from_slice(arrived);
            let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else {
                return Ok(false);
            };
            check(&head[..end + 2], self.file.len())?;
            arrived = &arrived[end + 4 - before..];
            connection.state = State::Body(0);
        }
        let State::Body(place) = &mut connection.state else { return Ok(false) };
        let end = *place + arrived.len();
        if end > self.file.len() {
            return Err(failure(ErrorKind::InvalidData, "more bytes came than were announced"));
        }
        if !connection.compared && *arrived != self.file[*place..end] {
            return Err(failure(ErrorKind::InvalidData, "other bytes came than the file has"));
        }
        *place = end;
        if end < self.file.len() {
            return Ok(false);
        }
        connection.compared = true;
        connection.state = State::Head(Vec::new());
        Ok(true)
    }
}

/// Whether the head is that of an answer with the whole file.
fn check(head: &[u8], length: usize) -> io::Result<()> {
    let wrong = |what: &str| {
        let first = String::from_utf8_lossy(head).lines().next().unwrap_or_default().to_owned();
        Err(failure(ErrorKind::InvalidData, &format!("{what}: {first}")))
    };
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return wrong("not a good answer");
    }
    let lines = head.split(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\r"));
    let told = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        let value = name.eq_ignore_ascii_case(NAME).then_some(value)?;
        str::from_utf8(value.trim_ascii()).ok()?.parse::<usize>().ok()
    });
    match told.collect::<Vec<_>>()[..] {
        [told] if told == length => Ok(()),
        _ => wrong("not the length of the file"),
    }
}

const NAME: &[u8] = b"content-length:";
const BUFFER_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    /// A load on a server that gives this answer to everything.
    fn load(answer: &'static [u8]) -> io::Result<WebLoad> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    while let Ok(1..) = stream.read(&mut buffer) {
                        // In two pieces, cut in the head.
                        for part in [&answer[..answer.len().min(9)], &answer[answer.len().min(9)..]]
                        {
                            drop(stream.write_all(part));
                        }
                    }
                });
            }
        });
        WebLoad::connect(port, 2, "/a", b"hello".to_vec())
    }

    /// What a run says to such a server.
    fn run(answer: &'static [u8]) -> io::Result<Done> {
        load(answer)?.run(Duration::from_millis(50))
    }

    #[test]
    fn whole_answers_are_counted() {
        let answer = b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello";
        let mut load = load(answer).unwrap();
        // The first two may take all of the time.
        while load.run(Duration::from_millis(50)).unwrap().messages <= 2 {}
    }

    #[test]
    fn anything_else_is_an_error() {
        for answer in [
            &b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell",
            b"HTTP/1.1 200 OK\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellO",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
        ] {
            let error = run(answer).map(|done| done.messages).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{answer:?}");
        }
    }
}
