//! compio: a task for each connection over io_uring, buffers handed over for each operation.
//!
//! Its ring has one issuer and runs deferred work only when entered, which its documentation offers
//! and its author's benchmarks use. Where the kernel refuses io_uring it is skipped: its fallback
//! would be another peer.

use super::{ACCEPT_PAUSE, BUFFER_BYTES, Body, HOLDS_ANY, Peer, Service, bare_uring};
use compio::BufResult;
use compio::driver::ProactorBuilder;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::TcpStream;
use compio::runtime::RuntimeBuilder;
use std::io;
use std::net::TcpListener;

pub(super) const PEER: Peer = Peer {
    name: "compio",
    summary: "compio, a task per connection, io_uring",
    holds: HOLDS_ANY,
    library: Some("compio"),
    needs: bare_uring::available,
    bodies: &[(Service::Echo, Body::Inside(serve))],
};

fn serve(listener: TcpListener) -> io::Result<()> {
    let mut ring = ProactorBuilder::new();
    ring.single_issuer(true).defer_taskrun(true);
    let runtime = RuntimeBuilder::new().with_proactor(ring).build()?;
    runtime.block_on(async move {
        let listener = compio::net::TcpListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                // A failure is this connection's own.
                Ok((stream, _)) => compio::runtime::spawn(echo(stream)).detach(),
                Err(_) => compio::runtime::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(BUFFER_BYTES);
    loop {
        let BufResult(count, filled) = stream.read(buffer).await;
        if count? == 0 {
            return Ok(());
        }
        let BufResult(written, emptied) = stream.write_all(filled).await;
        written?;
        buffer = emptied;
        buffer.clear();
    }
}
