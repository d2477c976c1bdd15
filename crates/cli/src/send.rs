//! `send FILE URL`: upload a file with a PUT.
//!
//! ```text
//!   head ─► (large: wait for "100 Continue") ─► file, by sendfile ─► answer, printed
//!                                                  └── an answer that comes early ends it
//! ```
//! A server may refuse what it is being sent (no room, a name that is taken, too large). It is
//! listened to between two pieces, so that a gigabyte is not sent to somebody who said no at its
//! beginning. stdin has no length and goes out in chunks.
//!
//! What it deliberately does not do: go on with an upload that was cut short, and forms, which are
//! for browsers.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use switchboard::socket::{Interest, Poll, poll};
use switchboard::{Deadline, plain};

use crate::exit::{Exit, Failure, Result};
use crate::http::head::Head;
use crate::http::url::Url;
use crate::http::{AGENT, Stream};
use crate::json::Object;
use crate::options::Global;
use crate::output::{data, note};
use crate::progress::Progress;
use crate::screen::visible;

/// From here on the server is asked first, as curl does: below, asking takes longer than sending.
const ASK_FIRST_BYTES: u64 = 1 << 20;

/// How long a server that may not know the question has to answer it. curl's, and RFC 9110,
/// section 10.1.1 asks for some such time.
const ASK_WAIT: Duration = Duration::from_secs(1);

/// What is sent between two looks at the clock and at the server.
const PIECE_BYTES: u64 = 256 * 1024;

/// How long one piece may wait before the clock is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The most of an answer that is shown. Servers answer an upload with a line or a page.
const ANSWER_BYTES: usize = 1 << 20;

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let path = matches.get_one::<std::path::PathBuf>("file").expect("the grammar demands a file");
    let text = matches.get_one::<String>("url").expect("the grammar demands a URL");
    let wrong =
        |why: &str| Failure::new(Exit::Usage, format!("send {}: {why}", text.escape_debug()));
    let url = Url::parse(text).map_err(|why| wrong(&why))?;
    let source = Source::open(path)?;
    let name = path.file_name().filter(|_| path != Path::new("-"));
    let url = match name {
        Some(name) => url.with_name(&name.to_string_lossy()),
        None if url.ends_in_slash() => return Err(wrong("stdin has no name (add one to the URL)")),
        None => url,
    };
    let stream = Stream::open("send", &url, global)?;
    let progress = Progress::new("sent", source.length, global);
    let mut sending = Sending { stream, progress, early: None };
    sending.head(&url, source.length)?;
    if sending.early.is_none() {
        sending.content(source)?;
    }
    sending.answer(&url, global)
}

/// What is sent.
struct Source {
    file: File,
    /// For messages.
    name: String,
    /// `None` where the end is known only when it comes.
    length: Option<u64>,
}

impl Source {
    fn open(path: &Path) -> Result<Source> {
        let name = path.display().to_string();
        let fail = |error: &io::Error| Failure::read(&name, error);
        let file = match path == Path::new("-") {
            true => File::from(io::stdin().as_fd().try_clone_to_owned().map_err(|e| fail(&e))?),
            false => File::open(path).map_err(|error| fail(&error))?,
        };
        let found = file.metadata().map_err(|error| fail(&error))?;
        if found.is_dir() {
            return Err(fail(&ErrorKind::IsADirectory.into()));
        }
        // A file given as stdin may have been read from already: what is left is unknown.
        let length = (found.is_file() && path != Path::new("-")).then_some(found.len());
        Ok(Source { file, name, length })
    }
}

struct Sending {
    stream: Stream,
    progress: Progress,
    /// The answer, if it came before everything was sent.
    early: Option<Head>,
}

impl Sending {
    fn head(&mut self, url: &Url, length: Option<u64>) -> Result {
        let asks = length.is_none_or(|length| length >= ASK_FIRST_BYTES);
        let expect = if asks { "Expect: 100-continue\r\n" } else { "" };
        let length = match length {
            Some(length) => format!("Content-Length: {length}"),
            None => "Transfer-Encoding: chunked".to_owned(),
        };
        let request = format!(
            "PUT {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n\
             Connection: close\r\n{expect}{length}\r\n\r\n",
            url.target(),
            url.authority()
        );
        self.stream.send(request.as_bytes())?;
        let begun = Instant::now();
        while asks && begun.elapsed() < ASK_WAIT && self.early.is_none() {
            let left = ASK_WAIT.saturating_sub(begun.elapsed());
            match self.listen(Deadline::After(left))? {
                Heard::Nothing => break,
                Heard::GoOn => return Ok(()),
                Heard::Answer => {}
            }
        }
        Ok(())
    }

    /// Hears what the server has to say while it is being sent to.
    fn listen(&mut self, by: Deadline) -> Result<Heard> {
        loop {
            match self.stream.head_come()? {
                Some(head) if head.status >= 200 => {
                    self.early = Some(head);
                    return Ok(Heard::Answer);
                }
                Some(head) if head.status == 100 => return Ok(Heard::GoOn),
                Some(_) => continue,
                None => {}
            }
            let mut server = [Poll::new(self.stream.socket.as_fd(), Interest::READ)];
            if poll(&mut server, by).map_err(|error| self.stream.broken(&error))? == 0 {
                return Ok(Heard::Nothing);
            }
            match self.stream.receive_by(Deadline::Immediate) {
                Ok(true) => {}
                // Closed: what it said before is all there is, and the end will tell.
                Ok(false) => return Ok(Heard::Nothing),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Heard::Nothing),
                Err(error) => return Err(self.stream.broken(&error)),
            }
        }
    }

    /// Sends the file, or as much of it as the server wants.
    fn content(&mut self, source: Source) -> Result {
        let sent = match source.length {
            Some(length) => self.by_length(&source, length),
            None => self.in_chunks(&source),
        };
        match sent {
            // The server may have said why it closed.
            Err(failure) if failure.exit == Exit::Receive => match self.listen(Deadline::Immediate)
            {
                Ok(Heard::Answer) => Ok(()),
                _ => Err(failure),
            },
            sent => sent,
        }
    }

    fn by_length(&mut self, source: &Source, length: u64) -> Result {
        let mut at = 0;
        while at < length {
            let count = (length - at).min(PIECE_BYTES);
            self.stream.socket.set_timeout(Some(LOOK)).map_err(|e| self.stream.broken(&e))?;
            let sent = self.stream.socket.sendfile(&source.file, at, Some(count));
            let end = (&source.file).stream_position().unwrap_or(at);
            let moved = end.saturating_sub(at);
            at += moved;
            match sent {
                Ok(0) => {
                    let why = format!("read {}: it became shorter while it was sent", source.name);
                    return Err(Failure::new(Exit::No, why));
                }
                Err(error) if error.kind() != ErrorKind::TimedOut => {
                    return Err(self.stream.broken(&error));
                }
                _ => {}
            }
            if self.moved(moved)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn in_chunks(&mut self, source: &Source) -> Result {
        let mut room = vec![0; 64 * 1024];
        loop {
            let count = match { &source.file }.read(&mut room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.map_err(|error| {
                    let why = format!("read {}: {}", source.name, plain(&error));
                    Failure::new(Exit::No, why)
                })?,
            };
            let mut chunk = format!("{count:x}\r\n").into_bytes();
            chunk.extend_from_slice(&room[..count]);
            chunk.extend_from_slice(b"\r\n");
            if self.all(&chunk)? || count == 0 {
                return Ok(());
            }
            if self.moved(count as u64)? {
                return Ok(());
            }
        }
    }

    /// Sends all of it, unless an answer comes first: then true.
    fn all(&mut self, mut bytes: &[u8]) -> Result<bool> {
        self.stream.socket.set_timeout(Some(LOOK)).map_err(|error| self.stream.broken(&error))?;
        while !bytes.is_empty() {
            match self.stream.socket.send(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    if self.moved(0)? {
                        return Ok(true);
                    }
                }
                Err(error) => return Err(self.stream.broken(&error)),
            }
        }
        Ok(false)
    }

    /// So much has moved. Answers whether the server has said enough; fails when it has taken
    /// nothing for too long.
    fn moved(&mut self, bytes: u64) -> Result<bool> {
        self.progress.moved(bytes);
        if self.progress.quiet_for() >= self.stream.silence() {
            let wait = services::duration::show(self.stream.silence());
            let why = format!("not a byte was taken for {wait} (--timeout waits longer)");
            return Err(self.stream.fail(Exit::TimedOut, &why));
        }
        Ok(matches!(self.listen(Deadline::Immediate)?, Heard::Answer))
    }

    /// Waits for the answer, if it has not come, and prints it.
    fn answer(mut self, url: &Url, global: &Global) -> Result {
        self.progress.waits("waiting for the answer");
        let is_early = self.early.is_some();
        let head = match self.early.take() {
            Some(head) => head,
            None => self.stream.head()?,
        };
        let mut framing = head
            .framing()
            .map_err(|why| self.stream.fail(Exit::Receive, &visible(why.as_bytes())))?;
        let (mut body, progress) = (Vec::new(), &mut self.progress);
        let read = self.stream.body(
            &mut framing,
            |bytes| {
                let room = ANSWER_BYTES.saturating_sub(body.len());
                body.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Ok(())
            },
            || progress.moved(0),
        );
        self.progress.end();
        // An early answer may be cut short by what was still being sent; its head says enough.
        if !is_early {
            read?;
        }
        let (bytes, elapsed) = (self.progress.done(), self.progress.elapsed());
        if global.json {
            let object = Object::new("sent")
                .text("url", &url.to_string())
                .number("status", head.status)
                .number("bytes", bytes)
                .number("elapsed_us", elapsed.as_micros())
                .text("answer", String::from_utf8_lossy(&body).trim_end());
            data(&object.line())?;
        } else {
            let text = match io::stdout().is_terminal() {
                true => visible(&body),
                false => String::from_utf8_lossy(&body).into_owned(),
            };
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            data(&format!("{text}{end}"))?;
        }
        if head.status >= 400 {
            let when = if is_early { format!(" after {bytes} B") } else { String::new() };
            let why = format!("{}{when}", head.outcome());
            return Err(self.stream.fail(Exit::HttpStatus, &why));
        }
        if head.status >= 300 {
            let to = head.field("location").map(visible).unwrap_or_default();
            let why = format!("{}: send it to {to}", head.outcome());
            return Err(self.stream.fail(Exit::No, &why));
        }
        if global.verbose && !global.json {
            note(&format!("sent {bytes} B in {}", services::duration::show(elapsed)));
        }
        Ok(())
    }
}

/// What the server said while it was being sent to.
enum Heard {
    Nothing,
    /// "100 Continue".
    GoOn,
    /// A final answer.
    Answer,
}
