//! A connection that cannot be made says for each address why. CPython:
//! `NetworkConnectionNoServer`, and the errors of `GeneralModuleTests`.

mod support;

use std::io::{self, ErrorKind};
use std::time::Duration;

use socket::{ConnectOptions, Endpoint, SockAddr, Socket, Type, create_connection, errors};
use support::{PATIENCE, refusing, silent, watchdog};

const ECONNREFUSED: i32 = 111;

fn inet(text: &str) -> SockAddr {
    text.parse::<std::net::SocketAddr>().unwrap().into()
}

fn tcp() -> Socket {
    Socket::new(socket::Family::INET, Type::STREAM, Default::default()).unwrap()
}

/// `NetworkConnectionNoServer.test_connect`
#[test]
fn a_port_without_a_server_refuses() {
    let _watchdog = watchdog(PATIENCE);
    let (_held, address) = refusing("127.0.0.1:0");
    let error = tcp().connect(&address).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ECONNREFUSED));
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// `NetworkConnectionNoServer.test_create_connection`
#[test]
fn the_error_names_the_address_and_the_cause() {
    let _watchdog = watchdog(PATIENCE);
    let (_held, address) = refusing("127.0.0.1:0");
    let error = create_connection(&address, &Default::default()).unwrap_err();
    let text = format!("connect {address}: Connection refused (os error 111)");
    assert_eq!(error.to_string(), text);
    let error = io::Error::from(error);
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::ConnectionRefused, text));
    assert_eq!(errors::errno(&error), Some(ECONNREFUSED));
    assert_eq!(errors::gai_code(&error), None);
    assert!(!errors::is_invalid_argument(&error) && !errors::is_timeout(&error));
}

/// `NetworkConnectionNoServer.test_create_connection_all_errors`
#[test]
fn every_address_is_in_the_error_in_order() {
    let _watchdog = watchdog(PATIENCE);
    let ((_held, one), (_held6, two)) = (refusing("127.0.0.1:0"), refusing("[::1]:0"));
    let list = [one.as_inet().unwrap(), two.as_inet().unwrap()];
    let error = create_connection(list, &Default::default()).unwrap_err();
    let failed: Vec<_> = error.attempts().iter().map(|failed| failed.address.clone()).collect();
    assert_eq!(failed, [one.clone(), two.clone()]);
    let text = error.to_string();
    assert!(text.contains(&one.to_string()) && text.contains(&two.to_string()), "{text}");
}

/// `NetworkConnectionNoServer.test_create_connection_timeout`
#[test]
fn a_limit_that_passed_is_told_from_a_refusal() {
    let _watchdog = watchdog(PATIENCE);
    let silent = silent("127.0.0.20:0");
    let options = ConnectOptions { timeout: Some(Duration::from_millis(20)), ..Default::default() };
    let error = io::Error::from(create_connection(&silent.address, &options).unwrap_err());
    assert!(errors::is_timeout(&error));
    assert_eq!(errors::errno(&error), None, "the limit was ours, not the kernel's");
}

#[test]
fn refused_by_one_says_more_than_unreachable_by_the_other() {
    let _watchdog = watchdog(PATIENCE);
    let (_held, refused) = refusing("127.0.0.1:0");
    let unreachable = inet("255.255.255.255:1");
    for list in [[&refused, &unreachable], [&unreachable, &refused]] {
        let list = list.map(|one| one.as_inet().unwrap());
        let error = create_connection(list, &Default::default()).unwrap_err();
        assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::ConnectionRefused, 2));
    }
}

#[test]
fn what_cannot_be_right_is_refused_before_anything_is_tried() {
    let _watchdog = watchdog(PATIENCE);
    let invalid = |error: socket::ConnectError| {
        assert!(error.attempts().is_empty(), "{error}");
        let error = io::Error::from(error);
        assert!(errors::is_invalid_argument(&error), "{error:?}");
        error.to_string()
    };
    let text = invalid(create_connection("::1:80", &Default::default()).unwrap_err());
    assert!(text.contains("[::1]:80"), "{text}");
    let zero = ConnectOptions { timeout: Some(Duration::ZERO), ..Default::default() };
    invalid(create_connection("127.0.0.1:1", &zero).unwrap_err());
    let nothing: Vec<Endpoint> = Vec::new();
    let error = create_connection(nothing, &Default::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_name_that_cannot_exist_carries_the_resolvers_code() {
    let _watchdog = watchdog(PATIENCE);
    // A label of more than 63 letters cannot be asked for, so nobody is.
    let name = "x".repeat(64);
    let error = create_connection((name.as_str(), 80), &Default::default()).unwrap_err();
    assert!(error.attempts().is_empty());
    let error = io::Error::from(error);
    assert!(errors::gai_code(&error).is_some_and(|code| code < 0), "{error:?}");
    assert!(error.to_string().contains(&name), "{error}");
}

/// `connect_ex` as in Python: 0, refused, under way, done, connected already, timed out.
#[test]
fn connect_ex_answers_numbers() {
    let _watchdog = watchdog(PATIENCE);
    let (server, good) = support::listener();
    let (_held, refused) = refusing("127.0.0.1:0");
    assert_eq!(tcp().connect_ex(&good).unwrap(), 0);
    assert_eq!(tcp().connect_ex(&refused).unwrap(), ECONNREFUSED);
    assert_eq!(tcp().connect_ex(&inet("255.255.255.255:1")).unwrap(), 101);

    let client = tcp();
    client.set_blocking(false).unwrap();
    assert_eq!(client.connect_ex(&good).unwrap(), 115); // EINPROGRESS
    client.wait_writable();
    assert_eq!(client.connect_ex(&good).unwrap(), 0);
    assert_eq!(client.connect_ex(&good).unwrap(), 106); // EISCONN
    drop(server);

    let silent = silent("127.0.0.21:0");
    let client = tcp();
    client.set_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(client.connect_ex(&silent.address).unwrap(), 11); // EAGAIN

    let unix = Socket::new(socket::Family::UNIX, Type::STREAM, Default::default()).unwrap();
    let missing = std::env::temp_dir().join("switchboard-no-such-socket");
    assert_eq!(unix.connect_ex(&missing.as_path().into()).unwrap(), 2); // ENOENT
    let long = std::path::PathBuf::from("x".repeat(200));
    assert_eq!(
        unix.connect_ex(&long.as_path().into()).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

trait WaitWritable {
    fn wait_writable(&self);
}

impl WaitWritable for Socket {
    /// Waits for the end of a connect under way, on a socket that does not wait itself.
    fn wait_writable(&self) {
        use std::os::fd::AsFd;
        let mut polls = [socket::Poll::new(self.as_fd(), socket::Interest::WRITE)];
        socket::poll(&mut polls, socket::Deadline::Never).unwrap();
    }
}
