//! tokio: a task for each connection, on the current thread's runtime and on the one with threads.
//!
//! The handlers are those of its own documentation: `read` and `write_all` for bytes; `BufReader`
//! and `read_until` for lines. The row `tokio-buffered` is the best form of the latter: answers are
//! collected in a `BufWriter` while input is at hand. Connections have TCP_NODELAY from the
//! listener.

use super::{ACCEPT_PAUSE, BUFFER_BYTES, Body, HOLDS_ANY, Peer, Service, nothing};
use std::future::Future;
use std::io;
use std::net::{TcpListener, UdpSocket};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

pub(super) const PEER: Peer = Peer {
    name: "tokio",
    summary: "tokio, a task per connection, current-thread runtime",
    holds: HOLDS_ANY,
    library: Some("tokio"),
    needs: nothing,
    bodies: &[
        (Service::Echo, Body::Inside(|listener| serve(current()?, listener, echo))),
        (Service::Lines, Body::Inside(|listener| serve(current()?, listener, lines))),
        (Service::Datagrams, Body::Datagrams(datagrams)),
    ],
};

pub(super) const BUFFERED: Peer = Peer {
    name: "tokio-buffered",
    summary: "the same, answers collected while input is at hand",
    holds: HOLDS_ANY,
    library: Some("tokio"),
    needs: nothing,
    bodies: &[(
        Service::Lines,
        Body::Inside(|listener| serve(current()?, listener, lines_buffered)),
    )],
};

pub(super) const THREADS: Peer = Peer {
    name: "tokio-threads",
    summary: "tokio, multi-thread runtime, a worker for each CPU it may use",
    holds: HOLDS_ANY,
    library: Some("tokio"),
    needs: nothing,
    bodies: &[
        (Service::Echo, Body::Inside(|listener| serve(threads()?, listener, echo))),
        (Service::Lines, Body::Inside(|listener| serve(threads()?, listener, lines_buffered))),
    ],
};

fn current() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn threads() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

fn serve<F: Future<Output = io::Result<()>> + Send + 'static>(
    runtime: Runtime,
    listener: TcpListener,
    handle: fn(TcpStream) -> F,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                // A failure is this connection's own.
                Ok((stream, _)) => drop(tokio::spawn(handle(stream))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn lines(mut stream: TcpStream) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let (mut reading, mut line) = (BufReader::new(reading), Vec::new());
    while reading.read_until(b'\n', &mut line).await? > 0 {
        writing.write_all(&line).await?;
        line.clear();
    }
    Ok(())
}

async fn lines_buffered(mut stream: TcpStream) -> io::Result<()> {
    let (reading, writing) = stream.split();
    let (mut reading, mut writing) = (BufReader::new(reading), BufWriter::new(writing));
    let mut line = Vec::new();
    while reading.read_until(b'\n', &mut line).await? > 0 {
        writing.write_all(&line).await?;
        line.clear();
        if reading.buffer().is_empty() {
            writing.flush().await?;
        }
    }
    Ok(())
}

fn datagrams(socket: UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    current()?.block_on(async move {
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let (count, sender) = socket.recv_from(&mut buffer).await?;
            drop(socket.send_to(&buffer[..count], sender).await);
        }
    })
}
