//! Upload: files come in, over HTTP/1.1, from a browser or from a shell.
//!
//! ```text
//!   PUT /name ─────────────────────────► Incoming ─► Whole ─► place ─► settle ─► 201
//!   POST /, a form ─► Multipart ─► part ─┘   incoming.rs               folder.rs  page.rs
//! ```
//! `PUT` names the file, so a name that is taken is refused; a form only suggests one, so there the
//! next free name is taken, and told. With `--overwrite` both replace. The files of one form are
//! given their names together, at its end: a form that is cut short leaves nothing.
//!
//! A page of another site may make a browser send a form to this one, with files the reader never
//! chose. A request that says it comes from elsewhere (`Origin`) is therefore refused.
//!
//! What it deliberately does not do: give files out again (that is `web`), make folders, or go on
//! with an upload that was cut short: what HTTP has for that, a `Content-Range` in a `PUT`, says
//! nothing about whether it is still the same file, so a part is refused as RFC 9110, section 14.5,
//! asks.

mod folder;
mod incoming;
pub(crate) mod multipart;
mod name;
mod page;
mod store;

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use switchboard::socket::{Place, Scheme};
use switchboard::{Address, Connection, Handler, Service};

use crate::http::{
    self, BODY_TIME, Exchange, HEAD_TIME, Head, Limits, Refusal, Response, Site, Status, percent,
    refuse,
};
use crate::settings::unfit;
use crate::{Form, Row, Setting, Settings, size};
use folder::{Folder, Sweeps};
use incoming::{Incoming, Taken, name_taken};
use multipart::{Multipart, boundary};

/// The row of this service.
pub(crate) const ROW: Row = Row {
    name: "upload",
    summary: "files come into a folder over HTTP",
    details: "A browser gets a form; a shell sends \"curl -T FILE\" (PUT) or \"curl -F \
              file=@FILE\" (a form, of several files too). A file appears under its name only \
              when all of it is on the disk, and the answer says its size and SHA-256. Nothing is \
              overwritten without --overwrite: PUT to a name that is taken is refused with 409, \
              a file of a form gets the next free name.",
    port: 8001,
    schemes: &[Scheme::Http],
    example: "curl -T FILE http://{host}:{port}/",
    settings: &[
        Setting {
            name: "dir",
            form: Form::Argument,
            default: Some("uploads"),
            help: "The folder for the files, made when first needed",
        },
        Setting {
            name: "overwrite",
            form: Form::Switch,
            default: None,
            help: "Replace files of the same name",
        },
        Setting {
            name: "max-size",
            form: Form::Value("SIZE"),
            default: Some("4G"),
            help: "The most that one request may bring: one file, or all files of a form",
        },
        HEAD_TIME,
        BODY_TIME,
    ],
    make,
    transcript: r"
$ upload
> PUT /a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n
< HTTP/1.1 400 Bad Request\r\nDate:\x20
< ANY 29
< \r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n
< Cache-Control: no-store\r\nContent-Length: 81\r\nConnection: close\r\n\r\n
< 400 Bad Request\nThe name of a file has no slash in it: no folders are made here.\n
< EOF
",
};

/// What a form may be longer than its files: its boundaries, its other fields.
const FORM_BYTES: u64 = 64 * 1024;
/// The most files of one form, each of which is open until the end.
const FILES: usize = 100;

fn make(settings: &Settings) -> io::Result<Box<dyn Service>> {
    let limits = Limits::of(settings)?;
    let max_size = settings.text("max-size").unwrap_or_default();
    let max_size = size::parse(max_size).map_err(|why| unfit(format!("--max-size: {why}")))?;
    let dir = PathBuf::from(settings.text("dir").unwrap_or_default());
    let named = settings.is_set("dir");
    let reads = |text: &str| matches!(text.parse(), Ok(Address { place: Place::Inet(..), .. }));
    if let Some(text) = dir.to_str().filter(|text| reads(text) && !dir.exists()) {
        let remedy = format!("write the folder first, then the address; or ./{text}");
        return Err(unfit(format!("there is no folder {text} ({remedy})")));
    }
    match folder::check(&dir) {
        // Whoever named it wants to hear of it now. The usual one may never be needed.
        Err(error) if named || error.kind() == io::ErrorKind::NotADirectory => {
            let remedy = match error.kind() {
                io::ErrorKind::NotADirectory if !named => {
                    "move it away, or start in another folder"
                }
                io::ErrorKind::PermissionDenied => "name a folder that you may write to",
                io::ErrorKind::ReadOnlyFilesystem => "name a folder on another disk",
                io::ErrorKind::NotADirectory => "write the folder first, then the address",
                _ => "name another folder",
            };
            return Err(io::Error::new(error.kind(), format!("{error} ({remedy})")));
        }
        _ => {}
    }
    let overwrite = settings.is_set("overwrite");
    Ok(Box::new(Upload { dir, overwrite, max_size, limits, sweeps: Sweeps::default() }))
}

#[derive(Debug)]
struct Upload {
    dir: PathBuf,
    overwrite: bool,
    max_size: u64,
    limits: Limits,
    sweeps: Sweeps,
}

impl Service for Upload {
    fn name(&self) -> &str {
        ROW.name
    }

    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Visit(self))
    }
}

/// One connection.
struct Visit<'a>(&'a Upload);

impl Handler for Visit<'_> {
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        http::serve(connection, &self.0.limits, self.0)
    }
}

impl Site for Upload {
    fn answer(&self, head: &Head<'_>, exchange: &mut Exchange<'_>) -> io::Result<()> {
        let methods = if head.path == "/" { "GET, HEAD, POST, OPTIONS" } else { "PUT, OPTIONS" };
        match (head.method, head.path) {
            ("GET" | "HEAD", "/") => {
                page::send_form(exchange, &folder::list(&self.dir)?, self.max_size)
            }
            ("PUT", "/") => Err(refuse(Status::BadRequest, "The file needs a name: PUT /NAME.")),
            ("PUT", _) => self.put(head, exchange),
            ("POST", "/") => self.post(head, exchange),
            ("OPTIONS", _) => {
                exchange.send(Response::new(Status::NoContent).with("Allow", methods), b"")
            }
            _ => Err(Refusal::not_allowed(methods).into()),
        }
    }
}

impl Upload {
    /// One file, whose name is the path.
    fn put(&self, head: &Head<'_>, exchange: &mut Exchange<'_>) -> io::Result<()> {
        check_origin(head)?;
        if head.has("Content-Range") && !brings_all(head, exchange.body_length()) {
            let why = "Only whole files are taken: this upload cannot be continued.";
            return Err(refuse(Status::BadRequest, why));
        }
        if !head.has("Content-Length") && !head.has("Transfer-Encoding") {
            // A body that ends with the connection could be cut anywhere, and look whole.
            return Err(refuse(Status::LengthRequired, "The file needs a length, or chunks."));
        }
        let path = percent::decode(&head.path.as_bytes()[1..]);
        let path =
            path.ok_or_else(|| refuse(Status::BadRequest, "The name is not encoded properly."))?;
        let name = name::check(&path)?;
        let folder = self.folder(exchange, self.max_size)?;
        let only_new = head.lists("If-None-Match", "*");
        if folder.has(name) && only_new {
            return Err(refuse(Status::PreconditionFailed, "Something has this name already."));
        }
        if folder.has(name) && !self.overwrite {
            return Err(name_taken());
        }
        let taken = if self.overwrite && !only_new { Taken::Replace } else { Taken::Refuse };
        let mut incoming = Incoming::begin(&folder, exchange.body_length().unwrap_or(0))?;
        incoming.take_all(exchange)?;
        let saved = incoming.seal()?.place(name, taken)?;
        folder.settle()?;
        page::send_saved(exchange, &[saved])
    }

    /// The files of a form.
    fn post(&self, head: &Head<'_>, exchange: &mut Exchange<'_>) -> io::Result<()> {
        check_origin(head)?;
        let boundary = head.text("Content-Type").and_then(boundary).ok_or_else(|| {
            let why = "Only forms with files are taken (try curl -F file=@FILE, or curl -T FILE).";
            refuse(Status::UnsupportedMediaType, why)
        })?;
        let folder = self.folder(exchange, self.max_size.saturating_add(FORM_BYTES))?;
        let announced = exchange.body_length().unwrap_or(0);
        let mut form = Multipart::new(&mut *exchange, &boundary);
        let files = self.receive_form(&folder, &mut form, announced)?;
        exchange.skip_body()?;
        if files.is_empty() {
            return Err(refuse(Status::BadRequest, "There is no file in the form."));
        }
        let taken = if self.overwrite { Taken::Replace } else { Taken::Number };
        let saved = files.into_iter().map(|(name, incoming)| incoming.place(&name, taken));
        let saved = saved.collect::<io::Result<Vec<_>>>()?;
        folder.settle()?;
        page::send_saved(exchange, &saved)
    }

    /// All files of a form, whole, with the names they want.
    fn receive_form(
        &self,
        folder: &Folder,
        form: &mut Multipart<impl io::Read>,
        announced: u64,
    ) -> io::Result<Vec<(String, incoming::Whole)>> {
        let (mut files, mut left) = (Vec::new(), self.max_size);
        while let Some(part) = form.next_part()? {
            let Some(file_name) = part.file_name else { continue };
            let file_name = name::last_part(&file_name);
            if file_name.is_empty() {
                // What a browser sends if nothing was chosen.
                continue;
            }
            let name = name::check(file_name)?.to_owned();
            if files.len() == FILES {
                return Err(refuse(Status::ContentTooLarge, "A form has at most 100 files."));
            }
            let mut incoming = Incoming::begin(folder, announced)?;
            while let Some(bytes) = form.chunk()? {
                incoming.take(bytes)?;
                if incoming.size() > left {
                    let why = "This is more than the server takes.";
                    return Err(refuse(Status::ContentTooLarge, why));
                }
            }
            left -= incoming.size();
            files.push((name, incoming.seal()?));
        }
        Ok(files)
    }

    /// The folder, if what the client is about to send may be taken there.
    fn folder(&self, exchange: &mut Exchange<'_>, most: u64) -> io::Result<Folder> {
        exchange.limit_body(most)?;
        let folder = Folder::open(&self.dir, self.sweeps.are_due(Instant::now()))?;
        folder.check_room(exchange.body_length().unwrap_or(0))?;
        Ok(folder)
    }
}

/// Whether the part of a file that a body of this length is said to be is all of it: `curl -C -`
/// asks for that when it knows of nothing to go on with.
fn brings_all(head: &Head<'_>, length: Option<u64>) -> bool {
    let all =
        length.and_then(|length| Some(format!("bytes 0-{}/{length}", length.checked_sub(1)?)));
    all.is_some() && head.text("Content-Range") == all.as_deref()
}

/// Refuses what a page of another site has made a browser send.
fn check_origin(head: &Head<'_>) -> io::Result<()> {
    let Some(origin) = head.all("Origin").next() else { return Ok(()) };
    let own = head.all("Host").next().unwrap_or_default();
    let place =
        [&b"http://"[..], b"https://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
    match place {
        Some(place) if place.eq_ignore_ascii_case(own) => Ok(()),
        _ => Err(refuse(Status::Forbidden, "A page of another site may not upload here.")),
    }
}
