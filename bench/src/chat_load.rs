//! The load generator of the chat cell: a room full of members, of whom one talks.
//!
//! The speaker says a line, waits until every other member has received it, and says the next. Each
//! line has a number, and each member must receive exactly the next one: a line that is lost,
//! repeated or changed fails the slice. One thread, epoll.

use crate::load::{Done, EVENTS, connect_from, failure, thread_cpu, wait};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How a chat is talked to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Manner {
    /// As the product's chat: a name, then lines.
    Lines,
    /// As IRC.
    Irc,
}

impl Manner {
    /// What a member says to be in the room.
    fn entry(self, name: &str) -> String {
        match self {
            Manner::Lines => format!("{name}\n"),
            Manner::Irc => format!("NICK {name}\r\nUSER {name} 0 * :{name}\r\nJOIN #bench\r\n"),
        }
    }

    /// What tells a member that it is in the room.
    fn welcome(self, name: &str) -> String {
        match self {
            Manner::Lines => format!("* You are {name}, in lobby"),
            Manner::Irc => format!(" 366 {name} #bench "),
        }
    }

    fn say(self, text: &str) -> String {
        match self {
            Manner::Lines => format!("{text}\n"),
            Manner::Irc => format!("PRIVMSG #bench :{text}\r\n"),
        }
    }

    /// How a line that brings `text` ends, its line end aside.
    fn heard(self, text: &str) -> String {
        match self {
            Manner::Lines => format!(": {text}"),
            Manner::Irc => format!(" PRIVMSG #bench :{text}"),
        }
    }
}

/// A room, everybody in it.
pub(crate) struct Room {
    epoll: OwnedFd,
    manner: Manner,
    /// The first is the speaker.
    members: Vec<Member>,
    said: u64,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
}

struct Member {
    stream: TcpStream,
    /// Of a line whose end has not come.
    rest: Vec<u8>,
    /// The number of the last line that came.
    heard: u64,
}

impl Room {
    /// Lets so many members in, one after the other.
    pub(crate) fn enter(port: u16, members: usize, manner: Manner) -> io::Result<Room> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut inside: Vec<Member> = Vec::with_capacity(members);
        for index in 0..members {
            let mut stream = connect_from(index, port, SocketFlags::CLOEXEC)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ENTRY_LIMIT))?;
            let name = format!("m{index}");
            stream.write_all(manner.entry(&name).as_bytes())?;
            let (welcome, mut heard) = (manner.welcome(&name), Vec::new());
            while !contains(&heard, welcome.as_bytes()) {
                let count = stream.read(&mut buffer)?;
                if count == 0 {
                    let heard = String::from_utf8_lossy(&heard).into_owned();
                    let text = format!("{name} was not let in: {heard}");
                    return Err(failure(ErrorKind::UnexpectedEof, &text));
                }
                heard.extend_from_slice(&buffer[..count]);
            }
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            inside.push(Member { stream, rest: Vec::new(), heard: 0 });
            // What the others are told of it must not fill their queues.
            if index % DRAIN_EVERY == 0 {
                inside.iter_mut().try_for_each(|member| member.drain(&mut buffer))?;
            }
        }
        let events = Vec::with_capacity(EVENTS);
        Ok(Room { epoll, manner, members: inside, said: 0, buffer, events })
    }

    /// Talks for `duration`; a message is a line that one member received.
    ///
    /// # Errors
    ///
    /// `InvalidData` for a line that is not the next, `UnexpectedEof` when the server closes a
    /// connection, `TimedOut` when nothing comes for five seconds.
    pub(crate) fn run(&mut self, duration: Duration) -> io::Result<Done> {
        let (start, cpu) = (Instant::now(), thread_cpu());
        let mut messages = 0;
        loop {
            messages += self.one()?;
            let elapsed = start.elapsed();
            if elapsed >= duration {
                return Ok(Done { messages, cpu: thread_cpu() - cpu, elapsed });
            }
        }
    }

    /// Says one line and waits until all have it; answers how many those are.
    fn one(&mut self) -> io::Result<u64> {
        self.said += 1;
        let text = format!("line {:>10} of a text that nobody has to read", self.said);
        let heard = self.manner.heard(&text);
        self.members[0].stream.write_all(self.manner.say(&text).as_bytes())?;
        let mut due = self.members.len() as u64 - 1;
        while due > 0 {
            wait(&self.epoll, &mut self.events)?;
            for event in &self.events {
                let member = &mut self.members[event.data.u64() as usize];
                if member.hear(&mut self.buffer, heard.as_bytes(), self.said)? {
                    due -= 1;
                }
            }
        }
        Ok(self.members.len() as u64 - 1)
    }
}

impl Member {
    /// Receives once; true when that brings the line with this number.
    fn hear(&mut self, buffer: &mut [u8], text: &[u8], number: u64) -> io::Result<bool> {
        let count = match self.stream.read(buffer) {
            Ok(0) => {
                return Err(failure(ErrorKind::UnexpectedEof, "the server closed a connection"));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            other => other?,
        };
        self.rest.extend_from_slice(&buffer[..count]);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(false) };
        let mut new = false;
        for line in self.rest[..end].split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.ends_with(text) && self.heard < number {
                (self.heard, new) = (number, true);
            } else if self.heard > 0 || !is_notice(line) {
                let line = String::from_utf8_lossy(line).into_owned();
                let text = format!("another line came than was said: {line:?}");
                return Err(failure(ErrorKind::InvalidData, &text));
            }
        }
        self.rest.drain(..=end);
        Ok(new)
    }

    /// Throws away what has come.
    fn drain(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(failure(ErrorKind::UnexpectedEof, "a member was put out")),
                Ok(count) => {
                    self.rest.extend_from_slice(&buffer[..count]);
                    let end = self.rest.iter().rposition(|byte| *byte == b'\n');
                    self.rest.drain(..end.map_or(0, |end| end + 1));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a line tells of somebody who came, or is of the entry.
fn is_notice(line: &[u8]) -> bool {
    line.starts_with(b"* ") || contains(line, b" JOIN ") || line.starts_with(b":bench.local ")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

const BUFFER_BYTES: usize = 64 * 1024;
const ENTRY_LIMIT: Duration = Duration::from_secs(5);
const DRAIN_EVERY: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::{Arc, Mutex};
    use std::thread;

    /// A chat that passes each line on through `change`.
    fn run(change: fn(String) -> Vec<String>) -> io::Result<Done> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let all: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let (mut stream, all) = (stream.unwrap(), Arc::clone(&all));
                thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    let name = lines.next().unwrap().unwrap();
                    let welcome = format!("* You are {name}, in lobby\n");
                    // In one step: who is welcome gets what is said.
                    let mut inside = all.lock().unwrap();
                    stream.write_all(welcome.as_bytes()).unwrap();
                    inside.push(stream);
                    drop(inside);
                    while let Some(Ok(line)) = lines.next() {
                        for line in change(format!("{name}: {line}\n")) {
                            for stream in &mut all.lock().unwrap()[index + 1..] {
                                drop(stream.write_all(line.as_bytes()));
                            }
                        }
                    }
                });
            }
        });
        Room::enter(port, 4, Manner::Lines)?.run(Duration::from_millis(50))
    }

    #[test]
    fn every_delivery_is_counted() {
        let messages = run(|line| vec![line]).unwrap().messages;
        assert!(messages > 0 && messages.is_multiple_of(3));
    }

    #[test]
    fn a_line_that_is_another_or_comes_twice_is_an_error() {
        for change in
            [(|line| vec![line.replace("text", "test")]) as fn(String) -> Vec<String>, |line| {
                vec![line.clone() + &line]
            }]
        {
            assert_eq!(run(change).unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }
}
