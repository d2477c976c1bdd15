//! Every engine serves every transport: TCP, UDP, Unix streams and Unix datagrams; Unix paths are
//! taken over from the dead, never from the living, and removed at the end.

mod support;

use std::io::{self, Read, Write};
use std::path::PathBuf;

use support::{Client, ask, on_every_engine, read_all, serve};
use switchboard::socket::{Family, Type, UnixAddr};
use switchboard::{Connection, Engine, Guards, Server, SockAddr, Socket};

on_every_engine! {
    tcp
    tcp_over_ipv6
    unix_stream
    unix_seqpacket
    udp
    udp_empty_and_full_datagrams
    unix_datagram
    several_listeners
    a_stale_path_is_taken_over
}

fn upper(connection: &mut Connection) -> io::Result<()> {
    let mut buffer = [0; 9000];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            count => connection.write_all(&buffer[..count].to_ascii_uppercase())?,
        }
    }
}

/// A path that no other test uses, gone when dropped.
struct TestPath(PathBuf);

impl TestPath {
    fn new(engine: Engine, name: &str) -> TestPath {
        let file = format!("switchboard-{}-{engine}-{name}", std::process::id());
        TestPath(std::env::temp_dir().join(file))
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TestPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn stream(engine: Engine, address: &str) {
    let server = serve(engine, address, Guards::default(), upper);
    let client = server.client();
    assert_eq!(ask(&client, "hello", 5), "HELLO");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_all(&client).unwrap(), b"");
    server.stop().unwrap();
}

fn tcp(engine: Engine) {
    stream(engine, "tcp://127.0.0.1:0");
}

fn tcp_over_ipv6(engine: Engine) {
    stream(engine, "tcp://[::1]:0");
}

fn unix_stream(engine: Engine) {
    let path = TestPath::new(engine, "stream");
    stream(engine, path.text());
    assert!(!path.0.exists(), "the path is removed at the end");
}

fn unix_seqpacket(engine: Engine) {
    stream(engine, &format!("unixseq://@switchboard-seq-{}-{engine}", std::process::id()));
}

fn udp(engine: Engine) {
    let server = serve(engine, "udp://127.0.0.1:0", Guards::default(), upper);
    let (one, two) = (server.client(), server.client());
    assert_eq!(ask(&one, "one", 3), "ONE");
    assert_eq!(ask(&two, "two", 3), "TWO");
    let counters = server.until(|counters| counters.closed == 2);
    assert_eq!((counters.received, counters.sent), (6, 6));
    server.stop().unwrap();
}

fn udp_empty_and_full_datagrams(engine: Engine) {
    let echo = |connection: &mut Connection| {
        let packet = connection.packet().unwrap_or_default().to_vec();
        connection.reply(&packet)
    };
    let server = serve(engine, "udp://127.0.0.1:0", Guards::default(), echo);
    let client = server.client();
    let mut buffer = vec![7; 9000];
    for (sent, received) in [(0, 0), (1, 1), (8192, 8192), (9000, 8192), (2, 2)] {
        assert_eq!(client.send(&vec![9; sent]).unwrap(), sent);
        assert_eq!(client.recv(&mut buffer).unwrap(), received);
    }
    server.stop().unwrap();
}

fn unix_datagram(engine: Engine) {
    let path = TestPath::new(engine, "datagram");
    let server = serve(engine, &format!("unixgram://{}", path.text()), Guards::default(), upper);
    let client = Socket::new(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    client.bind(&SockAddr::Unix(UnixAddr::Unnamed)).unwrap();
    client.connect(&SockAddr::from(path.0.as_path())).unwrap();
    assert_eq!(ask(&Client::from(client), "hello", 5), "HELLO");
    server.stop().unwrap();
    assert!(!path.0.exists());
}

fn several_listeners(engine: Engine) {
    let mut server = Server::new().with_engine(engine).with_signals(false);
    server.bind("127.0.0.1:0", upper).unwrap();
    server.bind("udp://127.0.0.1:0", upper).unwrap();
    server.bind("127.0.0.1:0", |c: &mut Connection| c.write_all(b"hi")).unwrap();
    let (addresses, control) = (server.addresses(), server.control());
    let serving = std::thread::spawn(move || server.serve_forever());
    let client = |index: usize| Client::new(&addresses[index]);
    let tcp = client(0);
    assert_eq!(ask(&tcp, "tcp", 3), "TCP");
    drop(tcp);
    assert_eq!(ask(&client(1), "udp", 3), "UDP");
    assert_eq!(ask(&client(2), "", 2), "hi");
    control.shutdown();
    serving.join().unwrap().unwrap();
}

fn a_stale_path_is_taken_over(engine: Engine) {
    let path = TestPath::new(engine, "stale");
    let dead = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    dead.bind(&SockAddr::from(path.0.as_path())).unwrap();
    drop(dead);
    assert!(path.0.exists());
    let server = serve(engine, path.text(), Guards::default(), upper);
    let error = Server::new().bind(path.text(), upper).unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
    assert_eq!(ask(&server.client(), "alive", 5), "ALIVE");
    server.stop().unwrap();
    std::fs::write(&path.0, "precious").unwrap();
    assert!(Server::new().bind(path.text(), upper).is_err());
    assert_eq!(std::fs::read(&path.0).unwrap(), b"precious");
}
