//! Hello: the greeting server of Python's socket tutorials. It says `welcome!`, answers each name
//! with `hello, NAME!`, and closes on `exit`.
//!
//! The original takes whatever one `recv` brings for a message, which TCP does not promise:
//! `exit` counts only when it arrives alone. Here a message is a line, and every answer is one, so
//! that a person at `nc` and a program both get on with it. With `--raw` it is the original
//! again, bytes and traps included; `--delay 1s` brings back its second of thinking.
//!
//! What it deliberately does not do: look into the name. It goes back as the bytes it came as.

use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

use switchboard::socket::{Scheme, seam};
use switchboard::{Connection, Deadline, Handler, Service};

use crate::{Form, Row, Setting, Settings};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "hello",
    summary: "greets everybody by name until they say exit",
    details: "Says \"welcome!\", answers each line NAME with \"hello, NAME!\" and closes on \
              \"exit\". An empty line is no name and is not answered. A line has at most 4096 \
              bytes.",
    port: 9999,
    schemes: &[Scheme::Tcp],
    example: "nc {host} {port}",
    settings: &[
        Setting {
            name: "raw",
            form: Form::Switch,
            default: None,
            help: "Take each chunk that arrives for a name, and add no newlines",
        },
        Setting {
            name: "delay",
            form: Form::Value("DURATION"),
            default: Some("0s"),
            help: "Think for so long before each answer",
        },
    ],
    make,
    transcript: r"
$ hello
< welcome!\n
> michael\n
< hello, michael!\n
> tracy\r\nsarah\n\n
< hello, tracy!\nhello, sarah!\n
> exit\n
< EOF
$ hello --raw
< welcome!
> michael
< hello, michael!
> not a line\n
< hello, not a line\n!
> \xff
< hello, \xff!
> exit
< EOF
",
};

/// The longest line. It is also NATS' limit, and far more than any name needs.
const LINE_MAX: usize = 4096;

/// The most that one `recv` of the original takes.
const CHUNK_MAX: usize = 1024;

fn make(settings: &Settings) -> io::Result<Box<dyn Service>> {
    let (raw, delay) = (settings.is_set("raw"), settings.duration("delay")?);
    Ok(Box::new(Hello { raw, delay }))
}

#[derive(Clone, Copy)]
struct Hello {
    raw: bool,
    delay: Duration,
}

impl Service for Hello {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(*self)
    }
}

impl Handler for Hello {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        if self.raw { self.chunks(connection) } else { self.lines(connection) }
    }
}

impl Hello {
    fn lines(&self, connection: &mut Connection) -> io::Result<()> {
        connection.write_all(b"welcome!\n")?;
        let mut line = Vec::new();
        while connection.next_request()? {
            line.clear();
            Read::take(&mut *connection, LINE_MAX as u64 + 1).read_until(b'\n', &mut line)?;
            if line.len() > LINE_MAX && line.last() != Some(&b'\n') {
                writeln!(connection, "error: a line has at most {LINE_MAX} bytes")?;
                break;
            }
            let name = line.strip_suffix(b"\n").unwrap_or(&line);
            match name.strip_suffix(b"\r").unwrap_or(name) {
                b"" => {}
                name if self.answer(connection, name, b"!\n")? => {}
                _ => break,
            }
        }
        Ok(())
    }

    fn chunks(&self, connection: &mut Connection) -> io::Result<()> {
        connection.write_all(b"welcome!")?;
        let mut chunk = [0; CHUNK_MAX];
        while connection.next_request()? {
            let count = connection.read(&mut chunk)?;
            if !self.answer(connection, &chunk[..count], b"!")? {
                break;
            }
        }
        Ok(())
    }

    /// Thinks, then greets; false when the name was the last word. What was answered before is sent
    /// before the thinking, not after it.
    fn answer(&self, connection: &mut Connection, name: &[u8], end: &[u8]) -> io::Result<bool> {
        if !self.delay.is_zero() {
            connection.flush()?;
            seam::sleep(Deadline::After(self.delay));
        }
        if name == b"exit" {
            return Ok(false);
        }
        connection.write_all(b"hello, ")?;
        connection.write_all(name)?;
        connection.write_all(end)?;
        Ok(true)
    }
}
