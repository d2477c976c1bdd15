//! Descriptors and credentials cross to Python's own `socket` and back.

mod support;

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use socket::{
    Ancillary, ControlBuffer, Credentials, Family, Flags, SockAddr, Socket, Type, UnixAddr,
};
use support::{Watchdog, watchdog};

/// A Python process at the other end of a connection. Its script finds the connection as `peer`.
struct Python {
    child: Child,
    connection: Socket,
    _watchdog: Watchdog,
}

/// Runs `script`; none where there is no Python, which is said.
fn python(script: &str) -> Option<Python> {
    const HEAD: &str = "import array, os, socket, struct, sys\n\
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)\n\
        peer.settimeout(20)\n\
        peer.connect(b'\\0' + bytes.fromhex(sys.argv[1]))\n";
    let watchdog = watchdog(Duration::from_secs(40));
    let listener = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    listener.bind(&SockAddr::Unix(UnixAddr::Unnamed)).unwrap();
    listener.listen(1).unwrap();
    listener.set_timeout(Some(Duration::from_secs(20))).unwrap();
    let Ok(SockAddr::Unix(UnixAddr::Abstract(name))) = listener.getsockname() else {
        panic!("autobind gives an abstract name");
    };
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new("python3");
    command.args(["-c", &(HEAD.to_owned() + script), &name]).stdin(Stdio::null());
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "python3: {error}");
            println!("skipped: python3: {error}");
            return None;
        }
    };
    let (connection, _) = listener.accept().expect("the script connects");
    Some(Python { child, connection, _watchdog: watchdog })
}

impl Python {
    /// The script has come to its end without an error.
    fn ends_well(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

fn pipe_with(text: &str) -> OwnedFd {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader.into()
}

#[test]
fn python_receives_our_descriptors() {
    let Some(python) = python(
        "data, fds, flags, addr = socket.recv_fds(peer, 64, 8)\n\
         texts = [os.read(fd, 64) for fd in fds]\n\
         assert (data, flags) == (b'two for you', 0), (data, flags)\n\
         peer.sendall(b'|'.join(texts))\n",
    ) else {
        return;
    };
    let fds = [pipe_with("first"), pipe_with("second")];
    let parts = [IoSlice::new(b"two "), IoSlice::new(b"for you")];
    let borrowed = [fds[0].as_fd(), fds[1].as_fd()];
    assert_eq!(python.connection.send_fds(&parts, &borrowed, Flags::NONE, None).unwrap(), 11);
    let mut answer = [0; 12];
    python.connection.recv_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"first|second");
    python.ends_well();
}

#[test]
fn we_receive_pythons_descriptors() {
    let Some(python) = python(
        "pipes = [os.pipe() for _ in range(3)]\n\
         for number, (reader, writer) in enumerate(pipes): os.write(writer, b'pipe %d' % number)\n\
         sent = socket.send_fds(peer, [b'three ', b'pipes'], [reader for reader, _ in pipes])\n\
         assert sent == 11, sent\n",
    ) else {
        return;
    };
    let mut buffer = [0; 64];
    let (count, fds, flags, _) = python.connection.recv_fds(&mut buffer, 8, Flags::NONE).unwrap();
    assert_eq!((&buffer[..count], flags), (&b"three pipes"[..], Flags::NONE));
    python.ends_well();
    let texts = fds.into_iter().map(|fd| {
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["pipe 0", "pipe 1", "pipe 2"]);
}

#[test]
fn python_receives_our_credentials() {
    let Some(python) = python(
        "peer.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)\n\
         peer.sendall(b'ready')\n\
         data, pieces, flags, addr = peer.recvmsg(64, socket.CMSG_SPACE(12))\n\
         (level, kind, cred), = pieces\n\
         assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS), pieces\n\
         peer.sendall(b'%d %d %d' % struct.unpack('iII', cred))\n\
         peer.shutdown(socket.SHUT_WR)\n",
    ) else {
        return;
    };
    python.connection.recv_exact(&mut [0; 5]).unwrap();
    let own = Credentials::current();
    let piece = [Ancillary::Credentials(own)];
    let bytes = [IoSlice::new(b"it is me")];
    python.connection.send_msg(&bytes, &piece, Flags::NONE, None).unwrap();
    let mut answer = String::new();
    (&python.connection).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, format!("{} {} {}", own.pid, own.uid, own.gid));
    python.ends_well();
}

#[test]
fn we_receive_pythons_credentials() {
    let Some(python) = python(
        "peer.recv(1)\n\
         cred = struct.pack('iII', os.getpid(), os.getuid(), os.getgid())\n\
         peer.sendmsg([b'me'], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, cred)])\n\
         peer.recv(1)\n",
    ) else {
        return;
    };
    let on = 1_i32.to_ne_bytes();
    python.connection.setsockopt(libc::SOL_SOCKET, libc::SO_PASSCRED, &on).unwrap();
    python.connection.send_all(b"!").unwrap();
    let mut buffer = [0; 8];
    let mut control = ControlBuffer::with_capacity(ControlBuffer::DEFAULT);
    let buffers = &mut [IoSliceMut::new(&mut buffer)];
    let received = python.connection.recv_msg(buffers, &mut control, Flags::NONE).unwrap();
    assert_eq!((received.count, received.flags), (2, Flags::NONE));
    let own = Credentials::current();
    let expected = Credentials { pid: python.child.id().cast_signed(), ..own };
    let pieces: Vec<_> = control.messages().collect();
    assert!(
        matches!(pieces[..], [Ancillary::Credentials(found)] if found == expected),
        "{pieces:?} are not {expected:?}"
    );
    python.connection.send_all(b"!").unwrap();
    python.ends_well();
}
