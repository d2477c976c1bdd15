//! Web: the files of a folder, over HTTP/1.1.
//!
//! ```text
//!   path of the request ─► LocalPath ─► Root::entry ─► a file, in whole or in part
//!     └► open_files.rs       path.rs      root.rs      └► a folder: its index.html or listing.rs
//!        still open
//! ```
//! Nothing outside the folder is ever served, whatever the path or a link says. Names that begin
//! with a dot are not there, except `/.well-known/`, unless `--hidden`: they are mostly somebody's
//! version control or keys. Without a folder there is one page, which says what else is on the
//! board ([`welcome`]).
//!
//! What it deliberately does not do: run anything, compress anything, keep anything in memory. The
//! kernel keeps the files, and its cache is better than ours would be.

mod listing;
mod open_files;
mod path;
pub(crate) mod root;
mod welcome;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use switchboard::socket::Scheme;
use switchboard::{Connection, Handler, Service};

use crate::http::{
    self, BODY_TIME, Exchange, HEAD_TIME, Head, Limits, Refusal, Response, Site, Status, Verdict,
    range, refuse,
};
use crate::settings::unfit;
use crate::{Form, Row, Setting, Settings};
use listing::Listing;
use open_files::{OpenFile, OpenFiles};
use path::LocalPath;
use root::{Entry, Root};
use welcome::Welcome;

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "web",
    summary: "the files of a folder over HTTP",
    details: "Serves the files below DIR and nothing outside it, whatever a path or a symbolic \
              link says. A folder is shown by its index.html or as a list. Downloads resume \
              (Range), and what a browser has is not sent again (ETag). Names that begin with a \
              dot are hidden, except /.well-known. Without DIR there is one page, with what else \
              is served here.",
    port: 8000,
    schemes: &[Scheme::Http],
    example: "curl http://{host}:{port}/",
    settings: &[
        Setting {
            name: "dir",
            form: Form::Argument,
            default: Some(""),
            help: "The folder to serve; without one, a page about this server",
        },
        Setting {
            name: "hidden",
            form: Form::Switch,
            default: None,
            help: "Serve names that begin with a dot too",
        },
        Setting {
            name: "links",
            form: Form::Value("NAME=ADDRESS,..."),
            default: Some(""),
            help: "Services to name on the page that is shown without DIR",
        },
        HEAD_TIME,
        BODY_TIME,
    ],
    make,
    transcript: r"
$ web
> OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n
< HTTP/1.1 204 No Content\r\nDate:\x20
< ANY 29
< \r\nAllow: GET, HEAD, OPTIONS\r\n\r\n
> HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n
< HTTP/1.1 404 Not Found\r\nDate:\x20
< ANY 29
< \r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n
< Cache-Control: no-store\r\nContent-Length: 43\r\n\r\n
> EOF
< EOF
",
};

/// What can be asked of a file.
const METHODS: &str = "GET, HEAD, OPTIONS";

fn make(settings: &Settings) -> io::Result<Box<dyn Service>> {
    let limits = Limits::of(settings)?;
    let source = match settings.text("dir").unwrap_or_default() {
        "" => {
            let links = settings.text("links").unwrap_or_default();
            Source::Welcome(Welcome::read(links).map_err(unfit)?)
        }
        dir => Source::Folder(Root::open(Path::new(dir)).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::PermissionDenied => "try a folder that you may enter",
                _ => "write the folder first, then the address",
            };
            let why = switchboard::plain(&error);
            io::Error::new(error.kind(), format!("{}: {why} ({remedy})", dir.escape_debug()))
        })?),
    };
    let (hidden, open) = (settings.is_set("hidden"), OpenFiles::new());
    Ok(Box::new(Web { source, hidden, limits, open }))
}

#[derive(Debug)]
struct Web {
    source: Source,
    hidden: bool,
    limits: Limits,
    open: OpenFiles,
}

#[derive(Debug)]
enum Source {
    Welcome(Welcome),
    Folder(Root),
}

impl Service for Web {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Visit(self))
    }
}

/// One connection.
struct Visit<'a>(&'a Web);

impl Handler for Visit<'_> {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        http::serve(connection, &self.0.limits, self.0)
    }
}

impl Site for Web {
    fn answer(&self, head: &Head<'_>, exchange: &mut Exchange<'_>) -> io::Result<()> {
        match head.method {
            "GET" | "HEAD" => {}
            "OPTIONS" => {
                return exchange.send(Response::new(Status::NoContent).with("Allow", METHODS), b"");
            }
            _ => return Err(Refusal::not_allowed(METHODS).into()),
        }
        match &self.source {
            Source::Welcome(welcome) if head.path == "/" => welcome.send(head, exchange),
            Source::Welcome(_) => Err(refuse(Status::NotFound, "There is only one page here.")),
            Source::Folder(root) => self.send_from(root, head, exchange),
        }
    }
}

impl Web {
    fn send_from(
        &self,
        root: &Root,
        head: &Head<'_>,
        exchange: &mut Exchange<'_>,
    ) -> io::Result<()> {
        if let Some(file) = self.open.find(head.path) {
            return send_file(head, exchange, &file);
        }
        let path = LocalPath::read(head.path, self.hidden)?;
        if !path.is_folder {
            return match self.entry(root, &path.below)? {
                Entry::File(file, stat) => {
                    let file = OpenFile::new(file, &stat, &media_type(&path.below));
                    self.send_new(head, exchange, file)
                }
                Entry::Folder(_) => redirect(head, exchange, &path),
            };
        }
        let index = if path.below.is_empty() { &b"index.html"[..] } else { b"/index.html" };
        let index = [&path.below, index].concat();
        match self.entry(root, &index) {
            Ok(Entry::File(file, stat)) => {
                let file = OpenFile::new(file, &stat, &media_type(&index));
                return self.send_new(head, exchange, file);
            }
            Err(refusal) if refusal.status != Status::NotFound => return Err(refusal.into()),
            _ => {}
        }
        let Entry::Folder(folder) = self.entry(root, &path.below)? else {
            return Err(refuse(Status::NotFound, "There is nothing here."));
        };
        let listing = Listing::read(root, &path, folder, self.hidden);
        let listing = listing.map_err(|error| Refusal::of_file(&error))?;
        exchange.send_stream(Response::html(Status::Ok), |out| listing.write(&path, out))
    }

    /// Answers with a file that was opened for this, and keeps it open if that may be.
    fn send_new(
        &self,
        head: &Head<'_>,
        exchange: &mut Exchange<'_>,
        file: OpenFile,
    ) -> io::Result<()> {
        let file = Arc::new(file);
        self.open.keep(head.path, &file);
        send_file(head, exchange, &file)
    }

    /// What lies there; if there is no descriptor to open it with, those of the files that are kept
    /// open are given up for it.
    fn entry(&self, root: &Root, below: &[u8]) -> Result<Entry, Refusal> {
        let found = match root.entry(below) {
            Err(error) if is_shortage(&error) => {
                self.open.close();
                root.entry(below)
            }
            found => found,
        };
        found.map_err(|error| Refusal::of_file(&error))
    }
}

/// Whether there was no descriptor left: `EMFILE`, `ENFILE`.
fn is_shortage(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// To the same folder with a slash behind it, so that links in its page lead below it.
fn redirect(head: &Head<'_>, exchange: &mut Exchange<'_>, path: &LocalPath) -> io::Result<()> {
    let query = head.query.map_or(String::new(), |query| format!("?{query}"));
    let place = path.folder_address() + &query;
    exchange.send(Response::text(Status::MovedPermanently).with("Location", place), b"")
}

/// Answers with a file: all, a part, or that the client has it already.
fn send_file(head: &Head<'_>, exchange: &mut Exchange<'_>, file: &OpenFile) -> io::Result<()> {
    if head.is_unconditional() {
        let response = Response::of_lines(Status::Ok, file.content_fields());
        return exchange.send_file(response, &file.file, 0..file.size);
    }
    match file.validator.verdict(head) {
        Verdict::NotModified => {
            let response = Response::of_lines(Status::NotModified, file.state_fields());
            return exchange.send(response, b"");
        }
        Verdict::Failed => {
            return Err(refuse(Status::PreconditionFailed, "The file is another one by now."));
        }
        Verdict::Proceed => {}
    }
    let asked = head.text("Range").filter(|_| head.method == "GET");
    let asked = asked.filter(|_| file.validator.range_applies(head));
    let wanted = asked.map_or(range::Wanted::Whole, |value| range::read(value, file.size));
    let (status, part) = match wanted {
        range::Wanted::Whole => (Status::Ok, 0..file.size),
        range::Wanted::Part(part) => (Status::PartialContent, part),
        range::Wanted::Nothing => {
            let size = format!("bytes */{}", file.size);
            let status = Status::RangeNotSatisfiable;
            return exchange.send(Response::text(status).with("Content-Range", size), b"");
        }
    };
    let mut response = Response::of_lines(status, file.content_fields());
    if status == Status::PartialContent {
        let (first, last) = (part.start, part.end - 1);
        response = response.with("Content-Range", format!("bytes {first}-{last}/{}", file.size));
    }
    exchange.send_file(response, &file.file, part)
}

/// The type that goes with the extension of a name. Text is taken for UTF-8.
fn media_type(path: &[u8]) -> String {
    let name = String::from_utf8_lossy(path);
    let guess = mime_guess::from_path(&*name).first_raw().unwrap_or("application/octet-stream");
    let is_text = guess.starts_with("text/") || guess.ends_with("/javascript");
    if is_text { format!("{guess}; charset=utf-8") } else { guess.into() }
}
