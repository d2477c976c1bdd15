//! A number that somebody names becomes a socket only if it is one that was passed on purpose; and
//! whoever holds it keeps it. Blocks of them are tried where the variables are read that promise
//! them: `crates/server/tests/activated_sockets_are_served.rs`.

mod support;

use std::io::ErrorKind;
use std::os::fd::AsRawFd;

use socket::{Socket, inherited_block};
use support::{PATIENCE, unix_pair, watchdog};

fn number(of: &impl AsRawFd) -> u32 {
    of.as_raw_fd().try_into().unwrap()
}

#[test]
fn a_socket_that_is_passed_on_is_copied() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = unix_pair();
    left.set_inheritable(true).unwrap();
    let copy = Socket::inherited(number(&left)).unwrap();
    assert!(!copy.inheritable().unwrap());
    copy.send_all(b"hi").unwrap();
    drop(copy);
    left.send_all(b"!").unwrap();
    let mut said = [0; 3];
    right.recv_exact(&mut said).unwrap();
    assert_eq!(&said, b"hi!");
}

#[test]
fn what_this_program_opened_itself_is_refused() {
    let (left, _right) = unix_pair();
    let error = Socket::inherited(number(&left)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("opened it itself"), "{error}");
}

#[test]
fn what_is_not_open_is_refused() {
    const EBADF: Option<i32> = Some(9);
    for number in [999_999, i32::MAX as u32, u32::MAX] {
        assert_eq!(Socket::inherited(number).unwrap_err().raw_os_error(), EBADF, "{number}");
    }
}

#[test]
fn a_promise_of_more_than_there_is_takes_nothing() {
    for count in [1_000_000, u32::MAX - 3, u32::MAX] {
        let error = inherited_block(count).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("descriptor") || told.contains("invalid"), "{count}: {error}");
    }
}
