//! monoio: a task for each connection over io_uring, buffers handed over for each operation.
//!
//! The echo of its own documentation, on its io_uring driver with default settings. Where the
//! kernel refuses io_uring it is skipped: its fallback would be another peer.

use super::{ACCEPT_PAUSE, BUFFER_BYTES, Body, HOLDS_ANY, Peer, Service, bare_uring};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use monoio::{IoUringDriver, RuntimeBuilder};
use std::io;
use std::net::TcpListener;

pub(super) const PEER: Peer = Peer {
    name: "monoio",
    summary: "monoio, a task per connection, io_uring",
    holds: HOLDS_ANY,
    library: Some("monoio"),
    needs: bare_uring::available,
    bodies: &[(Service::Echo, Body::Inside(serve))],
};

fn serve(listener: TcpListener) -> io::Result<()> {
    let mut runtime = RuntimeBuilder::<IoUringDriver>::new().enable_timer().build()?;
    runtime.block_on(async move {
        let listener = monoio::net::TcpListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                // A failure is this connection's own.
                Ok((stream, _)) => drop(monoio::spawn(echo(stream))),
                Err(_) => monoio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(BUFFER_BYTES);
    loop {
        let (count, filled) = stream.read(buffer).await;
        if count? == 0 {
            return Ok(());
        }
        let (written, emptied) = stream.write_all(filled).await;
        written?;
        buffer = emptied;
        buffer.clear();
    }
}
