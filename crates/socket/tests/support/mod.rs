//! What the tests of this crate share: their rules, a place for files, peers, and the descriptors.
//!
//! Each test file mounts it and uses a part of it.

#![allow(dead_code)]

mod rules;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

pub(crate) use rules::*;
use socket::{Family, SockAddr, Socket, Type};

/// How many descriptors the process has open.
pub(crate) fn descriptor_count() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A directory of its own, removed with all that is in it.
pub(crate) struct Directory(PathBuf);

pub(crate) fn directory() -> Directory {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("switchboard-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir(&path).unwrap();
    Directory(path)
}

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A loopback address with a port that the system picks.
pub(crate) fn loopback() -> SockAddr {
    "127.0.0.1:0".parse::<SocketAddr>().unwrap().into()
}

/// Two ends of a TCP connection.
pub(crate) fn tcp_pair() -> (Socket, Socket) {
    Socket::pair(Family::INET, Type::STREAM, Default::default()).unwrap()
}

/// Two ends of a Unix connection.
pub(crate) fn unix_pair() -> (Socket, Socket) {
    Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap()
}

/// A TCP listener and its address.
pub(crate) fn listener() -> (Socket, SockAddr) {
    listener_at("127.0.0.1:0")
}

pub(crate) fn listener_at(address: &str) -> (Socket, SockAddr) {
    let listener = socket::create_server(address, &Default::default()).unwrap();
    let address = listener.getsockname().unwrap();
    (listener, address)
}

/// An address that refuses connections for as long as the socket is kept.
pub(crate) fn refusing(address: &str) -> (Socket, SockAddr) {
    let address: SockAddr = address.parse::<SocketAddr>().unwrap().into();
    let socket = Socket::new(address.family(), Type::STREAM, Default::default()).unwrap();
    socket.bind(&address).unwrap();
    let address = socket.getsockname().unwrap();
    (socket, address)
}

/// A listener on the host `ours`, on a port on which the host `other` refuses for as long as the
/// last one is kept.
pub(crate) fn listener_of_one_family(ours: &str, other: &str) -> (Socket, SockAddr, Socket) {
    loop {
        let (server, address) = listener_at(&format!("{ours}:0"));
        let place = format!("{other}:{}", address.port().unwrap());
        let place = SockAddr::from(place.parse::<SocketAddr>().unwrap());
        let refusing = Socket::new(place.family(), Type::STREAM, Default::default()).unwrap();
        if refusing.bind(&place).is_ok() {
            return (server, address, refusing);
        }
    }
}

/// A listener whose queue is full, so that connecting to it gets no answer at all.
pub(crate) struct Silent {
    pub(crate) listener: Socket,
    pub(crate) address: SockAddr,
    /// The connection that fills the queue.
    pub(crate) guest: Socket,
}

pub(crate) fn silent(address: &str) -> Silent {
    let (listener, address) = refusing(address);
    listener.listen(0).unwrap();
    let guest = Socket::new(address.family(), Type::STREAM, Default::default()).unwrap();
    guest.connect(&address).unwrap();
    Silent { listener, address, guest }
}

/// The name of the calling thread's folder in `/proc`, for [`wait_until_asleep`].
pub(crate) fn thread_folder() -> PathBuf {
    Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap())
}

/// Waits until a thread sleeps in the kernel.
pub(crate) fn wait_until_asleep(thread: &Path) {
    loop {
        let stat = std::fs::read_to_string(thread.join("stat")).unwrap();
        let state = stat.rsplit_once(") ").unwrap().1.chars().next();
        if state == Some('S') {
            return;
        }
        std::thread::yield_now();
    }
}

/// A Python program as a peer: what it prints can be read line by line, and it can be told lines.
pub(crate) struct Python {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Starts Python on `script`, which finds `socket`, `sys` and `say(…)` there; `None`, with the
/// reason said, where there is no Python.
pub(crate) fn python(script: &str, arguments: &[&str]) -> Option<Python> {
    const HEAD: &str = "import socket, sys\ndef say(*words):\n    print(*words, flush=True)\n";
    let spawned = Command::new("python3")
        .arg("-c")
        .arg(format!("{HEAD}{script}"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            skip(&format!("python3 does not start: {error}"));
            return None;
        }
    };
    let input = child.stdin.take();
    let output = BufReader::new(child.stdout.take().unwrap());
    Some(Python { child, input, output })
}

impl Python {
    /// The next line that it prints, without its end.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "Python ended early, after {line:?}");
        line.trim_end().to_owned()
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until it ends, which must be well.
    pub(crate) fn finish(mut self) {
        drop(self.input.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "Python ended with {status}");
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
