//! One request and its answer, as a service sees them: the body is read from it, the answer is
//! given to it.
//!
//! It decides whether the connection goes on afterwards, which the answer must say: only if the
//! client wants it, the server is not stopping, and nothing unread is in the way. A body that
//! nobody wanted is read over if it is short; otherwise the connection ends, slowly
//! ([`Exchange::linger`]), because closing it with input unread would destroy the answer on its
//! way.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard::Connection;
use switchboard::socket::{Deadline, Flags, Socket};

use super::Limits;
use super::body::{Body, Clock};
use super::chunked::ChunkWriter;
use super::file::Piece;
use super::head::Head;
use super::html::{self, Escaped};
use super::response::{Ending, Keep, Response};
use super::status::{Refusal, Status};

/// An unwanted body of at most so many bytes is read over to keep the connection.
const SKIP_BYTES: u64 = 64 * 1024;
/// How long a client may go on sending what nobody reads, after its answer was sent.
const LINGER: Duration = Duration::from_secs(2);
/// From this size on a file goes from the disk to the socket by itself; below it, copying costs
/// less than the second call.
const SENDFILE_BYTES: u64 = 4 * 1024;
/// So much of a file must be taken within one write deadline, as of any large answer: with 30 s
/// that is 9 kB a second.
const PART_BYTES: u64 = 256 * 1024;
/// From here on a head goes with the file's first bytes whatever arrives meanwhile.
const LARGE_BYTES: u64 = 256 * 1024;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Exchange<'c> {
    connection: &'c mut Connection,
    limits: &'c Limits,
    clock: Clock,
    body: Body,
    head: Option<&'c Head<'c>>,
    is_head: bool,
    is_1_0: bool,
    /// Whether the client wishes to go on; once there is an answer, whether the connection does.
    keep: bool,
    answered: bool,
}

impl<'c> Exchange<'c> {
    pub(super) fn new(
        connection: &'c mut Connection,
        limits: &'c Limits,
        clock: Clock,
        head: Option<&'c Head<'c>>,
    ) -> Exchange<'c> {
        Exchange {
            connection,
            limits,
            clock,
            body: head.map_or_else(Body::none, Body::of),
            head,
            is_head: head.is_some_and(|head| head.method == "HEAD"),
            is_1_0: head.is_some_and(|head| head.is_1_0),
            keep: head.is_some_and(|head| head.keep_alive),
            answered: false,
        }
    }

    /// The length of the body, where the client said it.
    pub(crate) fn body_length(&self) -> Option<u64> {
        self.body.length()
    }

    /// Limits the body to so many bytes. Without this there is no limit.
    ///
    /// # Errors
    /// A refusal if the client said that there will be more.
    pub(crate) fn limit_body(&mut self, bytes: u64) -> io::Result<()> {
        self.body.set_limit(bytes)
    }

    /// Reads over the rest of the body.
    ///
    /// # Errors
    /// As reading it.
    pub(crate) fn skip_body(&mut self) -> io::Result<()> {
        if self.body.is_done() {
            return Ok(());
        }
        let mut nowhere = [0; 4096];
        while self.read(&mut nowhere)? > 0 {}
        Ok(())
    }

    /// Whether an answer for people had better be HTML.
    pub(crate) fn wants_html(&self) -> bool {
        self.head.is_some_and(Head::wants_html)
    }

    /// Answers with these bytes.
    ///
    /// # Errors
    /// Of the connection, as all answers.
    pub(crate) fn send(&mut self, response: Response<'_>, body: &[u8]) -> io::Result<()> {
        let ending = match response.status.is_bodiless() {
            true => Ending::Bodiless,
            false => Ending::Length(body.len() as u64),
        };
        let mut bytes = self.begin(response, ending);
        if !self.is_head {
            bytes.extend_from_slice(body);
        }
        self.connection.write_all(&bytes)
    }

    /// Answers with a page of this title and content.
    pub(crate) fn send_page(
        &mut self,
        response: Response<'_>,
        title: &str,
        body: &str,
    ) -> io::Result<()> {
        let page = html::head(title) + body + html::FOOT;
        self.send(response, page.as_bytes())
    }

    /// Answers with these bytes of a file.
    ///
    /// # Errors
    /// Of the connection, and if the file ends before: what was promised cannot be kept.
    pub(crate) fn send_file(
        &mut self,
        response: Response<'_>,
        file: &Arc<File>,
        part: Range<u64>,
    ) -> io::Result<()> {
        let length = part.end - part.start;
        if length < SENDFILE_BYTES && !self.is_head {
            let piece = Piece::read(file, part).map_err(|error| Refusal::of_file(&error));
            let mut piece = piece?;
            let head = self.begin(response, Ending::Length(length));
            return self.connection.write_all(piece.behind(&head));
        }
        let head = self.begin(response, Ending::Length(length));
        if self.is_head {
            return self.connection.write_all(&head);
        }
        self.connection.flush()?;
        let limit = self.connection.guards().deadline_write;
        let socket = self.connection.socket();
        socket.set_timeout(limit)?;
        if part.end - part.start < LARGE_BYTES {
            // The head waits in the kernel for the first bytes of the file.
            socket.send_all_with(&head, Flags::MORE)?;
            return send_part(socket, file, part, limit);
        }
        // An acknowledgement that arrives between the two would send the head alone, and wake the
        // peer for it. Where both fill many packets that is worth two calls.
        let corked = socket.set_tcp_cork(true).is_ok();
        socket.send_all_with(&head, Flags::MORE)?;
        send_part(socket, file, part, limit)?;
        if corked {
            socket.set_tcp_cork(false)?;
        }
        Ok(())
    }

    /// Answers with what `write` writes, of which nobody knows the length before.
    pub(crate) fn send_stream(
        &mut self,
        response: Response<'_>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_1_0 {
            self.keep = false;
        }
        let ending = if self.is_1_0 { Ending::Close } else { Ending::Chunked };
        let head = self.begin(response, ending);
        self.connection.write_all(&head)?;
        match ending {
            _ if self.is_head => Ok(()),
            Ending::Close => write(self.connection),
            _ => {
                let mut chunks = ChunkWriter::new(&mut *self.connection);
                write(&mut chunks)?;
                chunks.finish()
            }
        }
    }

    /// Answers with a refusal, for people or for programs.
    pub(super) fn send_refusal(&mut self, refusal: &Refusal) -> io::Result<()> {
        let (status, why) = (refusal.status, &*refusal.why);
        let with_fields = |response: Response<'static>| match (refusal.allow, status) {
            (Some(methods), _) => response.with("Allow", methods),
            (None, Status::ServiceUnavailable) => response.with("Retry-After", 1),
            _ => response,
        };
        let title = format!("{} {}", status.code(), status.words());
        if self.wants_html() {
            let body = format!("<p>{}</p>\n", Escaped(why));
            return self.send_page(with_fields(Response::html(status)), &title, &body);
        }
        self.send(with_fields(Response::text(status)), format!("{title}\n{why}\n").as_bytes())
    }

    /// Whether there is an answer, or the beginning of one.
    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    /// The connection is not to go on after the answer.
    pub(super) fn end(&mut self) {
        self.keep = false;
    }

    /// Makes the head of the answer, and the decision that it announces.
    fn begin(&mut self, response: Response<'_>, ending: Ending) -> Vec<u8> {
        self.answered = true;
        let in_the_way = !self.body.is_done() && !self.body.is_short(SKIP_BYTES);
        self.keep = self.keep && !in_the_way && !self.connection.draining();
        response.into_head(
            ending,
            match self.keep {
                false => Keep::No,
                true if self.is_1_0 => Keep::YesToOld,
                true => Keep::Yes,
            },
        )
    }

    /// Comes after the answer: true if the connection goes on.
    ///
    /// # Errors
    /// Of the connection.
    pub(super) fn finish(mut self) -> io::Result<bool> {
        if !self.keep {
            if !self.body.is_done() {
                self.linger()?;
            }
            return Ok(false);
        }
        self.skip_body()?;
        Ok(true)
    }

    /// Sends the answer with the end behind it, and takes what still comes for a moment.
    pub(super) fn linger(&mut self) -> io::Result<()> {
        self.connection.flush()?;
        self.connection.finish_sending();
        self.clock.set(self.connection, Instant::now() + LINGER);
        let mut nowhere = [0; 8 * 1024];
        // The moment ends with an error, and so may the connection. Both are the end of it.
        while self.connection.read(&mut nowhere).is_ok_and(|count| count > 0) {}
        Ok(())
    }
}

/// Sends a part of a file, of which each [`PART_BYTES`] have the limit for themselves.
fn send_part(
    socket: &Socket,
    file: &File,
    part: Range<u64>,
    limit: Option<Duration>,
) -> io::Result<()> {
    let mut offset = part.start;
    let (mut deadline, mut taken) = (Deadline::from(limit).fixed(), 0);
    while offset < part.end {
        let count = part.end - offset;
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let sent = match socket.sendfile_by(file, offset, most, deadline) {
            // Some file systems cannot, and are read.
            Err(error)
                if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) =>
            {
                socket.sendfile(file, offset, Some(count.min(PART_BYTES)))?
            }
            sent => sent? as u64,
        };
        if sent == 0 {
            return Err(io::Error::other("a file became shorter while it was sent"));
        }
        offset += sent;
        taken += sent;
        if taken >= PART_BYTES {
            (deadline, taken) = (Deadline::from(limit).fixed(), 0);
        }
    }
    Ok(())
}

/// Reads the body.
impl Read for Exchange<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let pace = (self.clock, self.limits.body_time);
        self.body.read(self.connection, pace, buffer)
    }
}
