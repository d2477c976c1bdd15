//! may: stackful coroutines with std's blocking interface, the peer most like the product.
//!
//! One worker, as its documentation advises for one core, and its default stacks. The echo is its
//! own example; the row `may-buffered` is the best form of the line protocol: answers are collected
//! while input is at hand. It asks for `unsafe` wherever a coroutine is started, because one that
//! moves between threads must not hold on to thread-local state; these do not.

#![allow(unsafe_code)]

use super::{ACCEPT_PAUSE, BUFFER_BYTES, Body, HOLDS_ANY, Peer, Service, nothing};
use may::net::TcpStream;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpListener;
use std::os::fd::{FromRawFd, IntoRawFd};

pub(super) const PEER: Peer = Peer {
    name: "may",
    summary: "may, a stackful coroutine per connection, one worker",
    holds: HOLDS_ANY,
    library: Some("may"),
    needs: nothing,
    bodies: &[
        (Service::Echo, Body::Inside(|listener| serve(listener, echo))),
        (Service::Lines, Body::Inside(|listener| serve(listener, lines))),
    ],
};

pub(super) const BUFFERED: Peer = Peer {
    name: "may-buffered",
    summary: "the same, answers collected while input is at hand",
    holds: HOLDS_ANY,
    library: Some("may"),
    needs: nothing,
    bodies: &[(Service::Lines, Body::Inside(|listener| serve(listener, lines_buffered)))],
};

fn serve(listener: TcpListener, handle: fn(TcpStream) -> io::Result<()>) -> io::Result<()> {
    may::config().set_workers(1);
    // SAFETY: the descriptor is a listening TCP socket that nobody else owns any more.
    let listener = unsafe { may::net::TcpListener::from_raw_fd(listener.into_raw_fd()) };
    // SAFETY: the loop keeps no thread-local state and uses little of its stack.
    let accepting = unsafe { may::coroutine::spawn(move || accept(&listener, handle)) };
    accepting.join().map_err(|_| io::Error::other("the accept loop panicked"))
}

fn accept(listener: &may::net::TcpListener, handle: fn(TcpStream) -> io::Result<()>) {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            may::coroutine::sleep(ACCEPT_PAUSE);
            continue;
        };
        // SAFETY: the handlers keep no thread-local state and have their buffers on the heap. A
        // failure is this connection's own.
        let _detached = unsafe { may::coroutine::spawn(move || drop(handle(stream))) };
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
    }
}

fn lines(stream: TcpStream) -> io::Result<()> {
    let (mut writing, mut line) = (stream.try_clone()?, Vec::new());
    let mut reading = BufReader::new(stream);
    while reading.read_until(b'\n', &mut line)? > 0 {
        writing.write_all(&line)?;
        line.clear();
    }
    Ok(())
}

fn lines_buffered(stream: TcpStream) -> io::Result<()> {
    let (mut writing, mut line) = (BufWriter::new(stream.try_clone()?), Vec::new());
    let mut reading = BufReader::new(stream);
    while reading.read_until(b'\n', &mut line)? > 0 {
        writing.write_all(&line)?;
        line.clear();
        if reading.buffer().is_empty() {
            writing.flush()?;
        }
    }
    Ok(())
}
