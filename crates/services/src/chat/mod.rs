//! Chat: many people at once, each in a room, with nothing but lines of text.
//!
//! ```text
//!   handler: reads lines ──► Hub: rooms, names ──► the queue of each member's connection
//! ```
//! A line goes to everybody in the room but its author, whose own terminal shows it already. What
//! a member is sent waits in the bounded queue of its connection, so one that does not read delays
//! nobody; when its queue is full it is closed.
//!
//! Text is made harmless before it goes to anybody: control characters are shown, not sent, so no
//! member can play with the terminal of another.
//!
//! On engines that give each connection a process, all meet in one more process, see `relay.rs`.
//!
//! What it deliberately does not do: keep anything on disk, know passwords, speak IRC.

mod hub;
mod relay;
pub(crate) mod words;

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Service};

use crate::{Row, Settings};
use hub::{Hub, Member};
use relay::Relay;
use words::{Command, is_name, readable};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "chat",
    summary: "many people talk to each other, in rooms",
    details: "Asks for a name, then sends each line to everybody in the room. /join ROOM changes \
              the room, /nick NAME the name, /who says who is there, /quit leaves. The last 20 \
              lines of a room are shown to whoever comes in. A line has at most 4096 bytes. A \
              member who does not read is closed once 1 MiB waits for it; nobody waits for it.",
    port: 6667,
    schemes: &[Scheme::Tcp],
    example: "nc {host} {port}",
    settings: &[],
    make,
    transcript: r"
$ chat
< Welcome. Your name?\n
> ann\n
< * You are ann, in lobby, alone. /help says what there is.\n
> hello?\n
> /who\n
< * In lobby: ann\n
> /join attic\n
< * You are ann, in attic, alone.\n
> /nick beth\n
< * You are beth.\n
> /fly\n
< * There is no /fly. /help says what there is.\n
> /quit\n
< * Goodbye.\n
< EOF

$ chat
< Welcome. Your name?\n
> \x1b[31m\n
< * A name has 1 to 24 letters, digits, - or _. Your name?\n
> ann
> EOF
< * You are ann, in lobby, alone. /help says what there is.\n
< EOF
",
};

/// The longest line in bytes, without its end: NATS' limit, and more than anybody types.
const LINE_MAX: usize = 4096;
/// A peer that has vanished is found by the kernel's probes: after so long without a sign, that
/// often, that far apart. In all two minutes.
const KEEPALIVE: (Duration, i32, Duration) = (Duration::from_secs(60), 6, Duration::from_secs(10));

fn make(_: &Settings) -> io::Result<Box<dyn Service>> {
    Ok(Box::new(Chat::default()))
}

#[derive(Default)]
struct Chat {
    hub: Arc<Hub>,
    /// Where everybody meets instead, if each connection has its own process.
    relay: OnceLock<Relay>,
}

impl Service for Chat {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        match self.relay.get() {
            Some(relay) => Box::new(relay.carry()),
            None => Box::new(Talk { hub: Arc::clone(&self.hub), member: None }),
        }
    }

    fn serve_apart(&self) -> io::Result<()> {
        if self.relay.get().is_none() {
            let _ = self.relay.set(Relay::start()?);
        }
        Ok(())
    }
}

/// The handler of one member.
struct Talk {
    hub: Arc<Hub>,
    member: Option<Member>,
}

/// What a line asks of the connection.
enum Next {
    Line,
    Leave,
}

impl Handler for Talk {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        prepare(connection)
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.write_all(b"Welcome. Your name?\n")?;
        let Some(member) = self.enter(connection)? else { return Ok(()) };
        connection.set_deadline_idle(None);
        while let Some(line) = next_line(connection)? {
            match take(member, &line) {
                Next::Line => {}
                Next::Leave => break,
            }
        }
        Ok(())
    }

    /// Leaves. What the member has been sent until now still arrives.
    fn finish(&mut self, _: &mut Connection) -> io::Result<()> {
        self.member = None;
        Ok(())
    }
}

impl Talk {
    /// Asks for a name until there is one that can be had. `None` if the peer goes first.
    fn enter(&mut self, connection: &mut Connection) -> io::Result<Option<&mut Member>> {
        let writer = connection.writer()?;
        while let Some(name) = next_line(connection)? {
            let name = name.trim();
            let why = if is_name(name) {
                match self.hub.enter(name, writer.clone()) {
                    Some(member) => return Ok(Some(self.member.insert(member))),
                    None => format!("* {name} is taken. Your name?\n"),
                }
            } else {
                "* A name has 1 to 24 letters, digits, - or _. Your name?\n".to_owned()
            };
            connection.write_all(why.as_bytes())?;
        }
        Ok(None)
    }
}

/// People may listen for hours. Whoever is gone is found by the kernel.
fn prepare(connection: &mut Connection) -> io::Result<()> {
    let socket = connection.socket();
    if socket.so_keepalive().unwrap_or(false) {
        socket.set_tcp_keepidle(KEEPALIVE.0)?;
        socket.set_tcp_keepcnt(KEEPALIVE.1)?;
        socket.set_tcp_keepintvl(KEEPALIVE.2)?;
    }
    Ok(())
}

/// The next line, without its end and made readable; `None` at the end.
fn next_line(connection: &mut Connection) -> io::Result<Option<String>> {
    if !connection.next_request()? {
        return Ok(None);
    }
    let mut line = Vec::new();
    let limited = io::Read::take(&mut *connection, LINE_MAX as u64 + 2);
    io::BufRead::read_until(&mut { limited }, b'\n', &mut line)?;
    let ended = line.ends_with(b"\n");
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.len() > LINE_MAX || (!ended && line.len() > LINE_MAX) {
        writeln!(connection, "* A line has at most {LINE_MAX} bytes.")?;
        return Ok(None);
    }
    Ok(Some(readable(&String::from_utf8_lossy(text))))
}

/// Does what a line says.
fn take(member: &mut Member, line: &str) -> Next {
    match words::read(line) {
        Command::Nothing => {}
        Command::Say(text) => member.say(text),
        Command::Join(room) => member.join(room),
        Command::Nick(name) => member.rename(name),
        Command::Who => member.who(),
        Command::Help => member.tell(words::HELP),
        Command::Unknown(what) => {
            member.tell(&format!("* There is no {what}. /help says what there is.\n"));
        }
        Command::Wrong(why) => member.tell(&format!("* {why}\n")),
        Command::Quit => {
            member.tell("* Goodbye.\n");
            return Next::Leave;
        }
    }
    Next::Line
}
