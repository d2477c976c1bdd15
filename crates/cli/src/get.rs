//! `get URL`: fetch a page over HTTP/1.1 and save it.
//!
//! ```text
//!   request ─► head ─┬─► redirect: again, from there
//!                    └─► header to the terminal, body to stdout or to a file
//! ```
//! stdout has the body and nothing else; with `-i` the header too, which is then data. A file never
//! has its name before it is whole, and never holds the page of an error.
//!
//! What it deliberately does not do: ask for compression, keep cookies, send a name and a password.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ArgMatches;

use crate::exit::{Exit, Failure, Result};
use crate::http::head::Head;
use crate::http::url::Url;
use crate::http::{AGENT, Stream};
use crate::json::Object;
use crate::options::Global;
use crate::output::{Paint, data, note};
use crate::part_file::PartFile;
use crate::progress::Progress;
use crate::screen::{Screen, visible};

/// How many redirects are followed. Browsers stop at twenty; honest sites need two or three.
const REDIRECTS: usize = 10;

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let text = matches.get_one::<String>("url").expect("the grammar demands a URL");
    let mut url = Url::parse(text).map_err(|why| wrong(text, &why))?;
    let file = file(matches, &url)?;
    if global.json && file.is_none() {
        let why = "get --json: the body needs a file (add -o FILE or -O)";
        return Err(Failure::new(Exit::Usage, why));
    }
    let get = Get { file, include: matches.get_flag("include"), global, begun: Instant::now() };
    let mut seen = vec![url.clone()];
    loop {
        let (mut stream, head) = get.ask(&url)?;
        get.show(&head)?;
        let Some(location) = head.redirect() else { return get.finish(&mut stream, &url, &head) };
        let next = url.join(location).map_err(|why| {
            let to = visible(location);
            Failure::new(Exit::No, format!("get {url}: it redirects to {to}: {why}"))
        })?;
        if seen.contains(&next) {
            seen.push(next);
            let path: Vec<_> = seen.iter().map(Url::to_string).collect();
            let why = format!("get: redirects go in a circle: {}", path.join(" -> "));
            return Err(Failure::new(Exit::No, why));
        }
        if seen.len() > REDIRECTS {
            let why = format!("get {}: more than {REDIRECTS} redirects, last to {next}", seen[0]);
            return Err(Failure::new(Exit::No, why));
        }
        seen.push(next.clone());
        url = next;
    }
}

fn wrong(text: &str, why: &str) -> Failure {
    Failure::new(Exit::Usage, format!("get {}: {why}", text.escape_debug()))
}

/// The file for the body; `None` for stdout.
fn file(matches: &ArgMatches, url: &Url) -> Result<Option<PathBuf>> {
    if matches.get_flag("remote-name") {
        let name = url.file_name().ok_or_else(|| {
            Failure::new(Exit::Usage, format!("get -O {url}: it has no name (try -o FILE)"))
        })?;
        return Ok(Some(name.into()));
    }
    let file = matches.get_one::<PathBuf>("output");
    Ok(file.filter(|file| *file != Path::new("-")).cloned())
}

struct Get<'a> {
    file: Option<PathBuf>,
    include: bool,
    global: &'a Global,
    begun: Instant,
}

impl Get<'_> {
    /// Asks once, and hears the head.
    fn ask(&self, url: &Url) -> Result<(Stream, Head)> {
        let mut stream = Stream::open("get", url, self.global)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n",
            url.target(),
            url.authority()
        );
        if self.global.verbose && !self.global.json {
            if let Ok(peer) = stream.socket.getpeername() {
                note(&format!("* connected to {peer}"));
            }
            request.trim_end().lines().for_each(|line| note(&format!("> {line}")));
        }
        stream.send(request.as_bytes())?;
        let head = stream.head()?;
        Ok((stream, head))
    }

    /// Shows the head where it is wanted.
    fn show(&self, head: &Head) -> Result {
        if self.include && !self.global.json {
            return match io::stdout().is_terminal() {
                true => data(&visible(head.raw())),
                false => write(&mut io::stdout().lock(), head.raw()),
            };
        }
        if self.global.verbose && !self.global.json {
            visible(head.raw()).trim_end().lines().for_each(|line| note(&format!("< {line}")));
        } else if io::stderr().is_terminal() && !self.global.quiet && !self.global.json {
            let text = visible(head.raw());
            let (line, fields) = text.split_once('\n').unwrap_or((&text, ""));
            let paint = Paint::stderr(self.global);
            note(&format!("{}\n{}", paint.bold(line), fields.trim_end_matches('\n')));
            note("");
        }
        Ok(())
    }

    /// The body, and what it came to.
    fn finish(&self, stream: &mut Stream, url: &Url, head: &Head) -> Result {
        let mut framing =
            head.framing().map_err(|why| stream.fail(Exit::Receive, &visible(why.as_bytes())))?;
        let failed = head.status >= 400;
        let mut out = match &self.file {
            Some(_) if failed => Out::Nowhere,
            Some(path) => Out::File(PartFile::create(path)?),
            None => Out::stdout(),
        };
        let mut progress = match self.file {
            Some(_) if !failed => Progress::new("received", framing.total(), self.global),
            _ => Progress::none(),
        };
        if !failed && head.field("content-encoding").is_some() && !self.global.quiet {
            note("switchboard: the body is encoded though nobody asked for it, and stays so");
        }
        let shown = std::cell::RefCell::new(&mut progress);
        stream.body(
            &mut framing,
            |bytes| {
                shown.borrow_mut().moved(bytes.len() as u64);
                out.write(bytes)
            },
            || shown.borrow_mut().moved(0),
        )?;
        progress.end();
        out.finish()?;
        let saved = self.file.as_deref().filter(|_| !failed);
        if self.global.json {
            self.tell(url, head, saved, &progress)?;
        } else if let (Some(path), true) = (saved, io::stderr().is_terminal())
            && !self.global.quiet
        {
            note(&format!("saved {} ({} B)", path.display(), progress.done()));
        }
        match failed {
            true => {
                let outcome = head.outcome();
                let kept = if self.file.is_some() { " (nothing was saved)" } else { "" };
                Err(stream.fail(Exit::HttpStatus, &format!("{outcome}{kept}")))
            }
            false => Ok(()),
        }
    }

    fn tell(&self, url: &Url, head: &Head, saved: Option<&Path>, shown: &Progress) -> Result {
        let field = |(name, value)| format!("{name}: {}", String::from_utf8_lossy(value));
        let header: Vec<String> = head.fields().map(field).collect();
        let object = Object::new("response")
            .text("url", &url.to_string())
            .number("status", head.status)
            .texts("header", &header)
            .number("bytes", shown.done())
            .number("elapsed_us", self.begun.elapsed().as_micros());
        let object = match saved {
            Some(path) => object.text("file", &path.to_string_lossy()),
            None => object.null("file"),
        };
        data(&object.line())
    }
}

/// Where the body goes.
enum Out {
    Stdout(Option<Screen>),
    File(PartFile),
    Nowhere,
}

impl Out {
    /// At a terminal everything is made visible, so that a page cannot control it.
    fn stdout() -> Out {
        Out::Stdout(io::stdout().is_terminal().then(Screen::default))
    }

    fn write(&mut self, bytes: &[u8]) -> Result {
        match self {
            Out::Stdout(None) => write(&mut io::stdout().lock(), bytes),
            Out::Stdout(Some(screen)) => data(&screen.show(bytes)),
            Out::File(file) => file.write(bytes),
            Out::Nowhere => Ok(()),
        }
    }

    fn finish(self) -> Result {
        match self {
            Out::Stdout(Some(mut screen)) => data(&screen.end()),
            Out::File(file) => file.finish(),
            Out::Stdout(None) | Out::Nowhere => Ok(()),
        }
    }
}

/// Writes bytes to stdout, at once: whoever reads them may be waiting.
fn write(stdout: &mut io::StdoutLock<'_>, bytes: &[u8]) -> Result {
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::output(&error))
}
