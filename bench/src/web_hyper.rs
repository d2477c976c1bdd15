//! hyper as a contestant of the web cell: HTTP/1.1 on tokio's current-thread runtime, a task for
//! each connection, as its own documentation has it.
//!
//! It brings no file server. The files are read once, at the start, and answered from memory: the
//! best that can be built on it, which opens nothing, looks for no change and has no `sendfile`.
//! What it must do for an answer is to read a head, write a head and copy the file.

use crate::peers::{ACCEPT_PAUSE, PORT_FILE, Program, announce, listener, locked};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

/// Its name, on the command line of `beside` too.
pub(crate) const NAME: &str = "hyper";

/// The files, by the path that asks for them.
type Files = HashMap<String, Bytes>;

/// It as a contestant, with the folder of the files.
pub(crate) fn program(site: &Path) -> Result<Program, String> {
    let ourselves = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut arguments = ["beside", NAME, PORT_FILE].map(OsString::from).to_vec();
    arguments.push(site.into());
    let version = format!("hyper {}", locked("hyper").unwrap_or("unknown"));
    Ok(Program::other(ourselves, arguments, version))
}

/// Serves the files of a folder, run in the child. Returns only on failure.
pub(crate) fn serve(port_file: &Path, site: &Path) -> io::Result<()> {
    let files = Arc::new(read(site)?);
    let listener = listener()?;
    listener.set_nonblocking(true)?;
    announce(port_file, listener.local_addr()?.port())?;
    Builder::new_current_thread().enable_all().build()?.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                // A failure is this connection's own.
                Ok((stream, _)) => drop(tokio::spawn(converse(stream, Arc::clone(&files)))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    })
}

fn read(site: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(site)? {
        let entry = entry?;
        let path = format!("/{}", entry.file_name().to_string_lossy());
        files.insert(path, fs::read(entry.path())?.into());
    }
    Ok(files)
}

async fn converse(stream: TcpStream, files: Arc<Files>) {
    let answered = service_fn(move |request| {
        let answer = answer(&files, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // That a client goes away is no news.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answered).await);
}

fn answer(files: &Files, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(file) = files.get(request.uri().path()) else {
        let mut none = Response::new(Full::default());
        *none.status_mut() = StatusCode::NOT_FOUND;
        return none;
    };
    let mut answer = Response::new(Full::new(file.clone()));
    let kind = HeaderValue::from_static("application/octet-stream");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::pattern;
    use crate::web_load::WebLoad;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn every_file_is_answered_whole() {
        let folder = std::env::temp_dir().join(format!("web-hyper-{}", std::process::id()));
        let (site, port_file) = (folder.join("site"), folder.join("port"));
        fs::create_dir_all(&site).unwrap();
        let files = [5, 70_000, 2 << 20].map(|bytes| (format!("/{bytes}"), pattern(bytes)));
        for (path, content) in &files {
            fs::write(site.join(&path[1..]), content).unwrap();
        }
        let file = port_file.clone();
        let serving = thread::spawn(move || serve(&file, &site));
        while !port_file.exists() {
            assert!(!serving.is_finished(), "{:?}", serving.join());
            thread::park_timeout(Duration::from_millis(2));
        }
        let port = fs::read_to_string(&port_file).unwrap().trim().parse().unwrap();
        for (path, content) in files {
            let mut load = WebLoad::connect(port, 3, &path, content).unwrap();
            assert!(load.run(Duration::from_millis(50)).is_ok(), "{path}");
        }
        let mut none = WebLoad::connect(port, 1, "/none", vec![0]).unwrap();
        assert!(none.run(Duration::from_millis(50)).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
