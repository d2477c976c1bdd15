//! `create_server` makes the listener that was asked for, or says why not. CPython:
//! `CreateServerTest`, `CreateServerFunctionalTest`, the listen tests of `GeneralModuleTests`.

mod support;

use std::io::{ErrorKind, Read, Write};

use socket::{
    ConnectOptions, DEFAULT_BACKLOG, Family, ServerOptions, Socket, TcpListener, TcpStream, Type,
    create_connection, create_server, errors,
};
use support::{PATIENCE, listener, listener_at, listener_of_one_family, watchdog};

/// `CreateServerTest.test_address`, `test_family_and_type`
#[test]
fn family_type_and_address_follow_from_the_address() {
    for (text, family) in [("127.0.0.1:0", Family::INET), ("[::1]:0", Family::INET6)] {
        let (server, address) = listener_at(text);
        assert_eq!((server.family().unwrap(), server.kind().unwrap()), (family, Type::STREAM));
        assert!(address.port().unwrap() > 0 && server.so_acceptconn().unwrap());
        assert!(server.so_reuseaddr().unwrap() && !server.so_reuseport().unwrap());
    }
    let everywhere = create_server(("", 0), &Default::default()).unwrap();
    assert_eq!(everywhere.getsockname().unwrap().as_inet().unwrap().ip().to_string(), "0.0.0.0");
}

/// `CreateServerTest.test_reuse_port`
#[test]
fn a_port_is_shared_only_by_those_who_all_want_that() {
    let shared = ServerOptions { reuse_port: true, ..Default::default() };
    let first = create_server("127.0.0.1:0", &shared).unwrap();
    let address = first.getsockname().unwrap();
    let _second = create_server(&address, &shared).unwrap();
    let error = create_server(&address, &Default::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

/// `CreateServerTest.test_ipv6_only_default`, `test_dualstack_ipv6_family`
#[test]
fn ipv6_takes_ipv4_only_if_asked_and_ipv4_cannot_take_ipv6() {
    let dual = ServerOptions { dualstack_ipv6: true, ..Default::default() };
    assert!(listener_at("[::]:0").0.ipv6_v6only().unwrap());
    assert!(!create_server("[::]:0", &dual).unwrap().ipv6_v6only().unwrap());
    let error = create_server("127.0.0.1:0", &dual).unwrap_err();
    assert!(errors::is_invalid_argument(&error) && error.to_string().contains("IPv6"), "{error}");
}

/// The text has the address and the number is kept, as by Python's `create_server`.
#[test]
fn an_address_in_use_is_named() {
    let (_server, address) = listener();
    let error = create_server(&address, &Default::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("bind {address}: Address already in use (os error 98)"));
    assert_eq!((error.kind(), errors::errno(&error)), (ErrorKind::AddrInUse, Some(98)));
    let error = TcpListener::bind("192.0.2.77:0").unwrap_err();
    assert_eq!((error.kind(), errors::errno(&error)), (ErrorKind::AddrNotAvailable, Some(99)));
    let error = create_server("udp://127.0.0.1:0", &Default::default()).unwrap_err();
    assert!(errors::is_invalid_argument(&error));
    let error = TcpListener::bind("udp://127.0.0.1:0").unwrap_err();
    assert!(errors::is_invalid_argument(&error));
}

/// `CreateServerFunctionalTest`: `test_tcp4`, `test_tcp6`, `test_dual_stack_client_v4`, `_v6`
#[test]
fn clients_of_each_family_are_served() {
    let _watchdog = watchdog(PATIENCE);
    let dual = ServerOptions { dualstack_ipv6: true, ..Default::default() };
    let cases = [
        ("127.0.0.1:0", ServerOptions::default(), "127.0.0.1", "127.0.0.1"),
        ("[::1]:0", ServerOptions::default(), "::1", "::1"),
        ("[::]:0", dual.clone(), "127.0.0.1", "::ffff:127.0.0.1"),
        ("[::]:0", dual, "::1", "::1"),
    ];
    for (bind, options, host, seen) in cases {
        let server: TcpListener = create_server(bind, &options).unwrap().into();
        let mut client = TcpStream::connect((host, server.local_addr().unwrap().port())).unwrap();
        let (mut connection, peer) = server.accept().unwrap();
        assert_eq!(peer.ip().to_string(), seen);
        client.write_all(b"foo").unwrap();
        let mut buffer = [0; 3];
        connection.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"foo");
    }
}

#[test]
fn ipv6_only_refuses_ipv4() {
    let _watchdog = watchdog(PATIENCE);
    let (_server, _, refusing) = listener_of_one_family("[::]", "127.0.0.1");
    let address = refusing.getsockname().unwrap();
    let error = create_connection(&address, &Default::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// `test_listen_backlog`, `test_listen_backlog_overflow`, and the queue: one more than was asked.
#[test]
fn the_backlog_is_kept_by_the_kernel() {
    let _watchdog = watchdog(PATIENCE);
    assert_eq!(DEFAULT_BACKLOG, 128);
    for backlog in [0, -1, i32::MIN, i32::MAX] {
        let options = ServerOptions { backlog, ..Default::default() };
        let server = create_server("127.0.0.1:0", &options).unwrap();
        let _client = TcpStream::connect(server.getsockname().unwrap()).unwrap();
        server.accept().unwrap();
    }
    let options = ServerOptions { backlog: 1, ..Default::default() };
    let server = create_server("127.0.0.1:0", &options).unwrap();
    let address = server.getsockname().unwrap();
    let connect = |limit| {
        create_connection(&address, &ConnectOptions { timeout: Some(limit), ..Default::default() })
    };
    let _waiting = (connect(PATIENCE).unwrap(), connect(PATIENCE).unwrap());
    let short = std::time::Duration::from_millis(50);
    assert_eq!(connect(short).unwrap_err().kind(), ErrorKind::TimedOut);
}

/// A server that is started again takes the port of the connections of the run before.
#[test]
fn a_restart_does_not_wait_for_old_connections() {
    let _watchdog = watchdog(PATIENCE);
    // Keeps everybody else from the port, and a server without address reuse as well.
    let holder = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    holder.set_so_reuseaddr(true).unwrap();
    holder.bind(&support::loopback()).unwrap();
    let address = holder.getsockname().unwrap();
    let server = create_server(&address, &Default::default()).unwrap();
    let client = create_connection(&address, &Default::default()).unwrap();
    let (connection, _) = server.accept().unwrap();
    drop(connection); // the server ends it first, so TIME_WAIT is on its side
    assert_eq!(client.recv(&mut [0; 1]).unwrap(), 0);
    drop((client, server));
    create_server(&address, &Default::default()).unwrap();
}
