//! What is bound is bound as asked, by us or by somebody before us; and a binding that fails leaves
//! nothing behind. CPython: `test_tcpserver_bind_leak`, `test_context_manager`.

mod support;

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{Client, Watchdog, read_all};
use switchboard::socket::{Family, Type, UnixAddr};
use switchboard::{Address, Connection, Handler, Server, Service, SockAddr, Socket};

fn hello(connection: &mut Connection) -> io::Result<()> {
    connection.write_all(b"hello")
}

fn socket(family: Family, kind: Type) -> Socket {
    Socket::new(family, kind, Default::default()).unwrap()
}

fn loopback() -> SockAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Whether nobody is bound to the address. Those asked about are of no other test, so that a port
/// that has become free is not taken by one meanwhile.
fn is_free(address: &SockAddr) -> bool {
    socket(Family::INET, Type::STREAM).bind(address).is_ok()
}

/// Fails when it is bound, and says where that was.
struct Failing(Arc<Mutex<Vec<String>>>, Arc<Mutex<Option<SockAddr>>>);

impl Service for Failing {
    fn handler(&self) -> Box<dyn Handler + '_> {
        unreachable!("it is never bound")
    }

    fn server_activate(&self, socket: &Socket) -> io::Result<()> {
        *self.1.lock().unwrap() = Some(socket.getsockname()?);
        Err(io::Error::other("not today"))
    }

    fn server_close(&self) {
        let address = self.1.lock().unwrap().clone().unwrap();
        let free = if is_free(&address) { "closed" } else { "open" };
        self.0.lock().unwrap().push(free.into());
    }
}

#[test]
fn a_failed_activation_closes_the_socket_and_says_so() {
    let _watchdog = Watchdog::new();
    let (told, bound) = (Arc::default(), Arc::default());
    let mut server = Server::new();
    let error = server
        .bind("127.0.71.1:0", Failing(Arc::clone(&told), Arc::clone(&bound)))
        .map(drop)
        .unwrap_err();
    assert_eq!(error.to_string(), "bind tcp://127.0.71.1:0: not today");
    assert_eq!(*told.lock().unwrap(), ["closed"]);
    assert!(server.addresses().is_empty());
}

#[test]
fn several_are_bound_or_none() {
    let _watchdog = Watchdog::new();
    let taken = socket(Family::INET, Type::STREAM);
    taken.bind(&loopback()).unwrap();
    taken.listen(1).unwrap();
    let taken = format!("tcp://{}", taken.getsockname().unwrap());

    let mut server = Server::new();
    server.bind("127.0.0.1:0", hello).unwrap();
    let before = server.addresses();
    let path = std::env::temp_dir().join(format!("switchboard-whole-{}", std::process::id()));
    let path = path.to_str().unwrap();
    let error = server.bind_all(&[path, "udp://127.0.0.1:0", &taken], hello).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&taken), "{error}");
    assert_eq!(server.addresses(), before);
    assert!(!std::path::Path::new(path).exists(), "its path is gone too");
    // The server is as it was.
    let client = Client::new(&before[0]);
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client).unwrap(), b"hello");
}

/// How a socket is made, and what its listener is called.
fn bound_sockets() -> Vec<(Socket, String)> {
    let stream = socket(Family::INET, Type::STREAM);
    stream.bind(&loopback()).unwrap();
    let listening = stream.try_clone().unwrap();
    listening.listen(3).unwrap();
    let quiet = socket(Family::INET6, Type::STREAM);
    quiet.bind(&"[::1]:0".parse().unwrap()).unwrap();
    let unix = socket(Family::UNIX, Type::SEQPACKET);
    let name = format!("@switchboard-bound-{}", std::process::id());
    unix.bind(&name.parse().unwrap()).unwrap();
    let at = |scheme: &str, socket: &Socket| format!("{scheme}{}", socket.getsockname().unwrap());
    let (one, two) = (at("tcp://", &listening), at("tcp://", &quiet));
    vec![(listening, one), (quiet, two), (unix, format!("unixseq://{name}"))]
}

#[test]
fn what_somebody_else_has_bound_is_served() {
    let _watchdog = Watchdog::new();
    for (socket, address) in bound_sockets() {
        let mut server = Server::new().with_timeout(Some(Duration::from_secs(10)));
        server.bind_socket(socket, hello).unwrap();
        assert_eq!(server.addresses(), [address.parse::<Address>().unwrap()]);
        let client = Client::new(&server.addresses()[0]);
        assert!(server.handle_request().unwrap());
        let mut answer = [0; 5];
        client.recv_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello", "{address}");
    }
}

#[test]
fn a_bound_datagram_socket_is_served_and_its_path_stays() {
    let _watchdog = Watchdog::new();
    let path = std::env::temp_dir().join(format!("switchboard-gram-{}", std::process::id()));
    let bound = socket(Family::UNIX, Type::DGRAM);
    bound.bind(&SockAddr::from(path.as_path())).unwrap();
    let mut server = Server::new();
    server.bind_socket(bound, hello).unwrap();
    let client = socket(Family::UNIX, Type::DGRAM);
    client.bind(&SockAddr::Unix(UnixAddr::Unnamed)).unwrap();
    client.connect(&SockAddr::from(path.as_path())).unwrap();
    let client = Client::from(client);
    client.send(b"?").unwrap();
    assert!(server.handle_request().unwrap());
    let mut answer = [0; 9];
    assert_eq!(client.recv(&mut answer).unwrap(), 5);
    drop(server);
    assert!(path.exists());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn what_cannot_be_served_is_refused() {
    let _watchdog = Watchdog::new();
    let (connection, _peer) = Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    let (tcp, _other) = Socket::pair(Family::INET, Type::STREAM, Default::default()).unwrap();
    let rows = [
        (socket(Family::INET, Type::STREAM), "not bound to an address"),
        (socket(Family::UNIX, Type::DGRAM), "not bound to an address"),
        (connection, "not bound to an address"),
        (tcp, "it is a connection, not a listener"),
        (socket(Family::NETLINK, Type::RAW), "cannot be served"),
    ];
    for (socket, why) in rows {
        let mut server = Server::new();
        let error = server.bind_socket(socket, hello).map(drop).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(server.addresses().is_empty());
    }
}

#[test]
fn dropping_a_server_closes_its_listeners() {
    let _watchdog = Watchdog::new();
    let mut server = Server::new();
    server.bind("127.0.71.2:0", hello).unwrap();
    let address = server.sockets().next().unwrap().getsockname().unwrap();
    assert!(!is_free(&address));
    drop(server);
    assert!(is_free(&address));
}
