//! Python's own `socket` is at the other end, as a child process: as the client and as the server,
//! over TCP, UDP and the Unix sockets. Bytes, addresses, ends and error numbers agree.

mod support;

use std::io::{BufRead, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use socket::{
    Family, SockAddr, Socket, TcpListener, TcpStream, Type, UdpSocket, UnixAddr, UnixDatagram,
    UnixListener, UnixSeqpacket, UnixSeqpacketListener, UnixStream,
};
use support::{PATIENCE, Python, directory, python, refusing, silent, watchdog};

const MESSAGE: &[u8] = "hello, 世界\n".as_bytes();

/// What Python prints of `MESSAGE`.
const PRINTED: &str = r"b'hello, \xe4\xb8\x96\xe7\x95\x8c\n'";

/// The address as Python writes it, taken from how a socket prints itself.
fn tuple(socket: &Socket, label: &str) -> String {
    let text = socket.to_string();
    let start = text.find(&format!("{label}=")).unwrap() + label.len() + 1;
    text[start..].split_inclusive(')').next().unwrap().to_owned()
}

/// A Python client that connects, sends, half-closes, and says what it has and hears.
const STREAM_CLIENT: &str = "
family, address = eval(sys.argv[1])
s = socket.socket(family, socket.SOCK_STREAM)
s.settimeout(60)
s.connect(address)
say(repr(s.getsockname()))
s.sendall('hello, 世界\\n'.encode())
s.shutdown(socket.SHUT_WR)
say(b''.join(iter(lambda: s.recv(4), b'')))
";

/// A Python server that answers one stream with its upper case, after the stream has ended.
const STREAM_SERVER: &str = "
family, address = eval(sys.argv[1])
server = socket.socket(family, socket.SOCK_STREAM)
server.settimeout(60)
server.bind(address)
server.listen()
name = server.getsockname()
say(name if isinstance(name, str) else name[1] if isinstance(name, tuple) else name.hex())
s, peer = server.accept()
s.settimeout(60)
say(repr(peer))
data = b''.join(iter(lambda: s.recv(3), b''))
say(data)
s.sendall(data.upper())
s.close()
";

fn serve(mut stream: impl Read + Write) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all, MESSAGE);
    stream.write_all(&all.to_ascii_uppercase()).unwrap();
}

fn ask(stream: impl Read + Write, shutdown: impl FnOnce(Shutdown)) {
    let mut stream = stream;
    stream.write_all(MESSAGE).unwrap();
    shutdown(Shutdown::Write);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all, MESSAGE.to_ascii_uppercase());
}

const UPPER: &str = r"b'HELLO, \xe4\xb8\x96\xe7\x95\x8c\n'";

#[test]
fn python_connects_to_our_tcp_server() {
    let _watchdog = watchdog(PATIENCE);
    for (host, family) in [("127.0.0.1", "AF_INET"), ("[::1]", "AF_INET6")] {
        let server = TcpListener::bind(format!("{host}:0")).unwrap();
        let (host, port) = (host.trim_matches(['[', ']']), server.local_addr().unwrap().port());
        let place = format!("(socket.{family}, ('{host}', {port}))");
        let Some(mut python) = python(STREAM_CLIENT, &[&place]) else { return };
        let (stream, _) = server.accept().unwrap();
        assert_eq!(python.hear(), tuple(stream.socket(), "raddr"));
        serve(stream);
        assert_eq!(python.hear(), UPPER);
        python.finish();
    }
}

#[test]
fn we_connect_to_pythons_tcp_server() {
    let _watchdog = watchdog(PATIENCE);
    for (host, family) in [("127.0.0.1", "AF_INET"), ("::1", "AF_INET6")] {
        let place = format!("(socket.{family}, ('{host}', 0))");
        let Some(mut python) = python(STREAM_SERVER, &[&place]) else { return };
        let port: u16 = python.hear().parse().unwrap();
        let stream = TcpStream::connect((host, port)).unwrap();
        assert_eq!(python.hear(), tuple(stream.socket(), "laddr"));
        ask(&stream, |how| stream.shutdown(how).unwrap());
        assert_eq!(python.hear(), PRINTED);
        python.finish();
    }
}

#[test]
fn python_connects_to_our_unix_server() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("socket");
    let name = format!("switchboard-python-{}", std::process::id());
    for (bind, place) in [
        (UnixAddr::Path(path.clone()), format!("'{}'", path.display())),
        (UnixAddr::Abstract(name.clone().into_bytes()), format!("'\\0{name}'")),
    ] {
        let server = UnixListener::bind_addr(&bind).unwrap();
        let place = format!("(socket.AF_UNIX, {place})");
        let Some(mut python) = python(STREAM_CLIENT, &[&place]) else { return };
        let (stream, peer) = server.accept().unwrap();
        assert_eq!((python.hear().as_str(), peer), ("''", UnixAddr::Unnamed));
        serve(stream);
        assert_eq!(python.hear(), UPPER);
        python.finish();
    }
}

#[test]
fn we_connect_to_pythons_unix_server() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("socket");
    for place in [format!("'{}'", path.display()), "''".to_owned()] {
        let place = format!("(socket.AF_UNIX, {place})");
        let Some(mut python) = python(STREAM_SERVER, &[&place]) else { return };
        let name = match python.hear() {
            text if text.starts_with('/') => UnixAddr::Path(text.into()),
            // Abstract: bytes in hexadecimal, of which the first is the NUL.
            text => UnixAddr::Abstract(bytes(&text)[1..].to_vec()),
        };
        let stream = UnixStream::connect_addr(&name).unwrap();
        assert_eq!(python.hear(), "''");
        ask(&stream, |how| stream.shutdown(how).unwrap());
        assert_eq!(python.hear(), PRINTED);
        python.finish();
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let pairs = hexadecimal.as_bytes().chunks(2);
    pairs.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// A Python socket that takes one datagram, says what it is and answers it twice, once empty.
const DATAGRAM_SERVER: &str = "
family, address = eval(sys.argv[1])
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(60)
s.bind(address)
name = s.getsockname()
say(name if isinstance(name, str) else name[1])
data, peer = s.recvfrom(1024)
say(data)
say(repr(peer))
s.sendto(data.upper(), peer)
s.sendto(b'', peer)
";

/// A Python socket that sends one datagram from a name of its own and says what comes back.
const DATAGRAM_CLIENT: &str = "
family, here, there = eval(sys.argv[1])
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(60)
s.bind(here)
s.sendto('hello, 世界\\n'.encode(), there)
for _ in range(2):
    say(s.recv(1024))
";

#[test]
fn udp_goes_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    let mut buffer = [0; 64];
    let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = "(socket.AF_INET, ('127.0.0.1', 0))";
    let Some(mut server) = python(DATAGRAM_SERVER, &[place]) else { return };
    let port: u16 = server.hear().parse().unwrap();
    ours.send_to(MESSAGE, ("127.0.0.1", port)).unwrap();
    assert_eq!(server.hear(), PRINTED);
    assert_eq!(server.hear(), tuple(ours.socket(), "laddr"));
    let (count, peer) = ours.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..count], peer.port()), (&MESSAGE.to_ascii_uppercase()[..], port));
    assert_eq!(ours.recv(&mut buffer).unwrap(), 0);
    server.finish();

    let there = tuple(ours.socket(), "laddr");
    let place = format!("(socket.AF_INET, ('127.0.0.1', 0), {there})");
    let Some(client) = python(DATAGRAM_CLIENT, &[&place]) else { return };
    let (count, peer) = ours.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], MESSAGE);
    ours.send_to(MESSAGE, peer).unwrap();
    ours.send_to(b"", peer).unwrap();
    heard_twice(client);
}

fn heard_twice(mut client: Python) {
    assert_eq!(client.hear(), PRINTED);
    assert_eq!(client.hear(), "b''");
    client.finish();
}

#[test]
fn unix_datagrams_go_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let (here, there) = (directory.join("here"), directory.join("there"));
    let ours = UnixDatagram::bind(&here).unwrap();
    let place = format!("(socket.AF_UNIX, '{}')", there.display());
    let Some(mut server) = python(DATAGRAM_SERVER, &[&place]) else { return };
    assert_eq!(server.hear(), there.display().to_string());
    ours.send_to(MESSAGE, &there).unwrap();
    assert_eq!(server.hear(), PRINTED);
    assert_eq!(server.hear(), format!("'{}'", here.display()));
    let mut buffer = [0; 64];
    let (count, peer) = ours.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], MESSAGE.to_ascii_uppercase());
    assert_eq!(peer, UnixAddr::Path(there.clone()));
    assert_eq!(ours.recv(&mut buffer).unwrap(), 0);
    server.finish();
    std::fs::remove_file(&there).unwrap();

    let place = format!("(socket.AF_UNIX, '{}', '{}')", there.display(), here.display());
    let Some(client) = python(DATAGRAM_CLIENT, &[&place]) else { return };
    let (count, peer) = ours.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..count], &peer), (MESSAGE, &UnixAddr::Path(there)));
    ours.send_to_addr(MESSAGE, &peer).unwrap();
    ours.send_to_addr(b"", &peer).unwrap();
    heard_twice(client);
}

const SEQPACKET_CLIENT: &str = "
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(60)
s.connect(sys.argv[1])
for message in b'one', b'three':
    s.send(message)
say(s.recv(64), s.recv(64), s.recv(64))
";

const SEQPACKET_SERVER: &str = "
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.settimeout(60)
server.bind(sys.argv[1])
server.listen()
say('listening')
s, _ = server.accept()
s.settimeout(60)
say(s.recv(64), s.recv(64), s.recv(64))
";

#[test]
fn messages_stay_apart_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("ours");
    let server = UnixSeqpacketListener::bind(&path).unwrap();
    let Some(mut client) = python(SEQPACKET_CLIENT, &[path.to_str().unwrap()]) else { return };
    let (connection, _) = server.accept().unwrap();
    let mut buffer = [0; 64];
    assert_eq!(connection.recv(&mut buffer).unwrap(), 3);
    assert_eq!(connection.recv(&mut buffer).unwrap(), 5);
    connection.send(b"four").unwrap();
    connection.send(b"five!").unwrap();
    drop(connection);
    assert_eq!(client.hear(), "b'four' b'five!' b''");
    client.finish();

    let path = directory.join("theirs");
    let Some(mut server) = python(SEQPACKET_SERVER, &[path.to_str().unwrap()]) else { return };
    assert_eq!(server.hear(), "listening");
    let connection = UnixSeqpacket::connect(&path).unwrap();
    connection.send(b"one").unwrap();
    connection.send(b"three").unwrap();
    drop(connection);
    assert_eq!(server.hear(), "b'one' b'three' b''");
    server.finish();
}

/// `sendfile` and `makefile` on both sides.
#[test]
fn files_and_lines_go_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    let script = "
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60)
lines = s.makefile('rwb')
say(lines.readline().decode().strip())
lines.write(b'and back\\n')
lines.flush()
size = int(lines.readline())
data = lines.read(size)
say(len(data), sum(data))
with open(sys.argv[2], 'rb') as file:
    s.sendfile(file, 1)
";
    let directory = directory();
    let path = directory.join("file");
    let bytes: Vec<u8> = (0..500_001_u32).map(|index| (index >> 4) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let Some(mut python) = python(script, &[&port, path.to_str().unwrap()]) else { return };
    let (stream, _) = server.accept().unwrap();
    let (mut reader, mut writer) =
        (stream.socket().reader().unwrap(), stream.socket().writer().unwrap());
    writeln!(writer, "a line").unwrap();
    writer.flush().unwrap();
    assert_eq!(python.hear(), "a line");
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "and back\n");
    writeln!(writer, "{}", bytes.len()).unwrap();
    writer.flush().unwrap();
    stream.socket().sendfile(&std::fs::File::open(&path).unwrap(), 0, None).unwrap();
    let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
    assert_eq!(python.hear(), format!("{} {sum}", bytes.len()));
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert!(all == bytes[1..]);
    python.finish();
}

/// The number that `connect_ex` answers is the one that Python's does, whatever happens.
#[test]
fn error_numbers_are_pythons() {
    let _watchdog = watchdog(PATIENCE);
    let script = "
for case in sys.argv[1:]:
    family, address, timeout = eval(case)
    s = socket.socket(family)
    s.settimeout(timeout)
    say(s.connect_ex(address))
    s.close()
";
    let directory = directory();
    let ((_held, refused), silent) = (refusing("127.0.0.1:0"), silent("127.0.0.70:0"));
    let (server, good) = support::listener();
    let missing = SockAddr::from(directory.join("missing").as_path());
    let dead = SockAddr::from(directory.join("dead").as_path());
    // Never a listener: one that is gone may live on for a moment in another test's child.
    let never = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    never.bind(&dead).unwrap();
    let unreachable: SockAddr = "255.255.255.255:1".parse::<std::net::SocketAddr>().unwrap().into();
    let short = Some(Duration::from_millis(30));
    let cases = [
        (&good, None),
        (&refused, None),
        (&refused, Some(PATIENCE)),
        (&silent.address, short),
        (&silent.address, Some(Duration::ZERO)),
        (&unreachable, None),
        (&missing, None),
        (&dead, None),
    ];
    let ours: Vec<String> = cases
        .iter()
        .map(|(address, limit)| {
            let socket = Socket::new(address.family(), Type::STREAM, Default::default()).unwrap();
            socket.set_timeout(*limit).unwrap();
            socket.connect_ex(address).unwrap().to_string()
        })
        .collect();
    let written: Vec<String> = cases
        .iter()
        .map(|(address, limit)| {
            let limit = limit.map_or("None".to_owned(), |limit| limit.as_secs_f64().to_string());
            match address.as_inet() {
                Some(inet) => {
                    format!("socket.AF_INET, ('{}', {}), {limit}", inet.ip(), inet.port())
                }
                None => format!("socket.AF_UNIX, '{address}', {limit}"),
            }
        })
        .collect();
    let arguments: Vec<&str> = written.iter().map(String::as_str).collect();
    let Some(mut python) = python(script, &arguments) else { return };
    let theirs: Vec<String> = cases.iter().map(|_| python.hear()).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours, ["0", "111", "111", "11", "115", "101", "2", "111"]);
    python.finish();
    drop(server);
}
