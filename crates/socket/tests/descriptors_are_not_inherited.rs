//! No program that is executed gets a socket unless it is meant to. CPython: `InheritanceTest`.

mod support;

use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

use socket::{Family, Socket, Type, create_connection};
use support::{PATIENCE, listener, tcp_pair, unix_pair, watchdog};

/// What a program that is executed says: whether it has the descriptor.
fn child_has(socket: &Socket) -> bool {
    let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let output = Command::new("readlink").arg(link).output().unwrap();
    String::from_utf8(output.stdout).unwrap().starts_with("socket:")
}

fn is_private(socket: &Socket) {
    assert!(!socket.inheritable().unwrap());
    assert!(!child_has(socket));
}

/// `test_SOCK_CLOEXEC`, `test_default_inheritable`, `test_dup`, `test_socketpair`
#[test]
fn no_way_of_making_a_socket_makes_an_inheritable_one() {
    let _watchdog = watchdog(PATIENCE);
    let (server, address) = listener();
    is_private(&server);
    let client = create_connection(&address, &Default::default()).unwrap();
    is_private(&client);
    is_private(&server.accept().unwrap().0);
    is_private(&client.try_clone().unwrap());
    is_private(&Socket::fromfd(client.as_fd()).unwrap());
    is_private(&Socket::new(Family::UNIX, Type::DGRAM, Default::default()).unwrap());
    for (left, right) in [tcp_pair(), unix_pair()] {
        is_private(&left);
        is_private(&right);
    }
    let (reader, writer) = (client.reader().unwrap(), client.writer().unwrap());
    is_private(reader.get_ref().socket());
    is_private(writer.get_ref().socket());
}

/// `test_set_inheritable`, `test_get_inheritable_cloexec`, `test_set_inheritable_cloexec`
#[test]
fn an_inheritable_one_is_there_in_the_child_until_it_is_made_private_again() {
    let _watchdog = watchdog(PATIENCE);
    let (left, _right) = unix_pair();
    left.set_inheritable(true).unwrap();
    assert!(left.inheritable().unwrap());
    assert!(child_has(&left));
    is_private(&left.try_clone().unwrap());
    left.set_inheritable(false).unwrap();
    is_private(&left);
}
