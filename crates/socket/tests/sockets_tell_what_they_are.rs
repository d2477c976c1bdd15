//! A socket says what it is, and takes over only what is a socket. CPython: `GeneralModuleTests`
//! from `test_repr` to `test_socket_fileno`, as far as they are about sockets.

mod support;

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};

use socket::{Family, Protocol, SockAddr, Socket, Type, UnixAddr};
use support::{PATIENCE, listener, loopback, tcp_pair, watchdog};

const ENOTSOCK: i32 = 88;

/// `test_socket_fileno`: family, type and protocol are the kernel's answer.
#[test]
fn a_descriptor_of_any_kind_is_recognised() {
    let cases = [
        (Family::INET, Type::STREAM, Protocol::TCP),
        (Family::INET, Type::DGRAM, Protocol::UDP),
        (Family::INET6, Type::STREAM, Protocol::TCP),
        (Family::UNIX, Type::STREAM, Protocol::DEFAULT),
        (Family::UNIX, Type::SEQPACKET, Protocol::DEFAULT),
    ];
    for (family, kind, protocol) in cases {
        let socket = Socket::new(family, kind, Protocol::DEFAULT).unwrap();
        let number = socket.as_raw_fd();
        let again = Socket::from_fd(socket.detach()).unwrap();
        assert_eq!(again.as_raw_fd(), number);
        let found = (again.family().unwrap(), again.kind().unwrap(), again.protocol().unwrap());
        assert_eq!(found, (family, kind, protocol));
    }
}

/// `test_socket_fileno_requires_socket_fd`, `test_socket_fileno_rejects_invalid_socket`
#[test]
fn what_is_no_socket_is_refused() {
    let file = File::open("/dev/null").unwrap();
    assert_eq!(Socket::fromfd(&file).unwrap_err().raw_os_error(), Some(ENOTSOCK));
    file.metadata().expect("a borrowed descriptor stays open");
    assert_eq!(Socket::from_fd(file.into()).unwrap_err().raw_os_error(), Some(ENOTSOCK));
}

/// `test_repr`, in the form of Python up to 3.10, which says names and not numbers.
#[test]
fn it_prints_itself_as_python_does() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    let port = |address: SockAddr| address.port().unwrap();
    let expected = format!(
        "<socket.socket fd={}, family=AddressFamily.AF_INET, type=SocketKind.SOCK_STREAM, proto=6, \
         laddr=('127.0.0.1', {}), raddr=('127.0.0.1', {})>",
        left.as_raw_fd(),
        port(left.getsockname().unwrap()),
        port(right.getsockname().unwrap()),
    );
    assert_eq!(left.to_string(), expected);
    let debug = format!("{left:?}");
    assert!(debug.contains("AF_INET") && debug.contains("127.0.0.1"), "{debug}");
    let strange = Socket::new(Family(16), Type::RAW, Protocol::DEFAULT).unwrap(); // AF_NETLINK
    assert!(strange.to_string().starts_with("<socket.socket fd="));
}

/// `testSockName`, `testGetSockOpt`, `testSetSockOpt`
#[test]
fn names_and_options_are_the_kernels() {
    let socket = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT).unwrap();
    assert_eq!(socket.getsockname().unwrap().to_string(), "0.0.0.0:0");
    socket.bind(&loopback()).unwrap();
    assert_eq!(socket.getsockname().unwrap().as_inet().unwrap().ip().to_string(), "127.0.0.1");
    assert_eq!(socket.getpeername().unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(!socket.so_reuseaddr().unwrap());
    socket.set_so_reuseaddr(true).unwrap();
    assert!(socket.so_reuseaddr().unwrap());
    let mut room = [0; 64];
    let answer = socket.getsockopt(1, 2, &mut room).unwrap(); // SOL_SOCKET, SO_REUSEADDR
    assert_eq!(answer, 1_i32.to_ne_bytes());
    assert_eq!(socket.setsockopt(1, 2, &[]).unwrap_err().raw_os_error(), Some(22));
    assert_eq!(socket.getsockopt(1, 9999, &mut room).unwrap_err().raw_os_error(), Some(92));
}

/// `test_getsockaddrarg`: a port that is taken stays taken.
#[test]
fn an_address_is_bound_once() {
    let (_server, address) = listener();
    let socket = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT).unwrap();
    assert_eq!(socket.bind(&address).unwrap_err().kind(), ErrorKind::AddrInUse);
    socket.bind(&loopback()).unwrap();
    assert_eq!(socket.bind(&loopback()).unwrap_err().raw_os_error(), Some(22));
    let wrong = SockAddr::Unix(UnixAddr::Abstract(b"switchboard-wrong-family".to_vec()));
    let socket = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT).unwrap();
    assert!(socket.bind(&wrong).unwrap_err().raw_os_error().is_some());
}

/// `test_socket_close`, `testCloseException`, `testSendAfterClose`: closed is closed, and closing
/// says what went wrong. `ContextManagersTest`: who goes out of scope is closed.
#[test]
fn closing_frees_the_descriptor() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    left.close().unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 0);
    let (left, right) = tcp_pair();
    drop(left);
    assert_eq!(right.recv(&mut [0; 8]).unwrap(), 0);
    // One that the peer has reset closes without an error.
    let (left, right) = tcp_pair();
    right.set_so_linger(Some(std::time::Duration::ZERO)).unwrap();
    right.close().unwrap();
    left.close().unwrap();
    let (left, right) = tcp_pair();
    let number = left.into_raw_fd();
    assert!(number >= 0);
    right.set_blocking(false).unwrap();
    let error = right.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "a number given away stays open");
}

/// `testSocketError`, `test_unknown_socket_family_repr`: numbers without a name are passed on.
#[test]
fn what_the_kernel_lacks_is_its_own_error() {
    let error = Socket::new(Family(9999), Type::STREAM, Protocol::DEFAULT).unwrap_err();
    assert!(error.raw_os_error().is_some());
    assert_eq!(Family(9999).to_string(), "9999");
    let error = Socket::new(Family::INET, Type::RDM, Protocol::DEFAULT).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(94)); // ESOCKTNOSUPPORT
    let socket = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT).unwrap();
    assert!(socket.as_fd().as_raw_fd() > 2);
}
