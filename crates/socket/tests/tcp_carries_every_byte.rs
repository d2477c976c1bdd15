//! What goes in at one end of a TCP connection comes out at the other, all of it and in order,
//! however the calls cut it. CPython: `BasicTCPTest`, `BasicTCPTest2`, `TCPCloserTest`, and
//! `GeneralModuleTests` where it speaks of a closed peer.

mod support;

use std::io::{ErrorKind, IoSlice, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};

use socket::{Family, Socket, Type, create_connection};
use support::{PATIENCE, listener, tcp_pair, unix_pair, watchdog};

const MESSAGE: &[u8] = b"all of it, and in order\n";

fn received(socket: &Socket, most: usize) -> Vec<u8> {
    let mut buffer = vec![0; most];
    let count = socket.recv(&mut buffer).unwrap();
    buffer.truncate(count);
    buffer
}

/// `BasicTCPTest.testRecv`, `testOverFlowRecv`: what does not fit stays for the next call.
#[test]
fn a_stream_cut_by_a_small_buffer_loses_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    left.send_all(MESSAGE).unwrap();
    assert_eq!(received(&right, 1024), MESSAGE);
    left.send_all(MESSAGE).unwrap();
    let first = received(&right, MESSAGE.len() - 3);
    assert_eq!([first, received(&right, 1024)].concat(), MESSAGE);
}

/// `BasicTCPTest.testRecvFrom`, `testOverFlowRecvFrom`
#[test]
fn receiving_with_an_address_cuts_a_stream_alike() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    left.send_all(MESSAGE).unwrap();
    let mut buffer = [0; 1024];
    let (first, _) = right.recv_from(&mut buffer[..5]).unwrap();
    let (rest, _) = right.recv_from(&mut buffer[5..]).unwrap();
    assert_eq!((first, &buffer[..first + rest]), (5, MESSAGE));
}

/// `BasicTCPTest.testSendAll`
#[test]
fn sending_all_sends_all() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    let long: Vec<u8> = (0..4 << 20).map(|index: u32| (index >> 8) as u8).collect();
    let sending = std::thread::spawn({
        let long = long.clone();
        move || left.send_all(&long)
    });
    let mut all = Vec::new();
    loop {
        let piece = received(&right, 1000);
        if piece.is_empty() {
            break;
        }
        all.extend(piece);
    }
    sending.join().unwrap().unwrap();
    assert!(all == long, "{} of {} bytes", all.len(), long.len());
}

/// `BasicTCPTest.testFromFd`
#[test]
fn a_socket_made_from_a_copy_of_the_descriptor_is_the_same_connection() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    let copy = Socket::fromfd(right.as_fd()).unwrap();
    assert_ne!(copy.as_raw_fd(), right.as_raw_fd());
    assert_eq!(copy.getpeername().unwrap(), left.getsockname().unwrap());
    left.send_all(MESSAGE).unwrap();
    assert_eq!(received(&copy, 1024), MESSAGE);
}

/// `BasicTCPTest.testDup`
#[test]
fn a_duplicate_keeps_the_connection_after_the_first_is_closed() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    right.set_timeout(Some(PATIENCE)).unwrap();
    let copy = right.try_clone().unwrap();
    assert_eq!(copy.timeout(), Some(PATIENCE), "a duplicate has the time limit too");
    right.close().unwrap();
    left.send_all(MESSAGE).unwrap();
    assert_eq!(received(&copy, 1024), MESSAGE);
    copy.send_all(MESSAGE).unwrap();
    assert_eq!(received(&left, 1024), MESSAGE);
}

/// `BasicTCPTest.testShutdown`
#[test]
fn shutting_down_ends_what_the_peer_receives_and_nothing_else() {
    let _watchdog = watchdog(PATIENCE);
    for (left, right) in [tcp_pair(), unix_pair()] {
        left.send_all(MESSAGE).unwrap();
        left.shutdown(Shutdown::Write).unwrap();
        assert_eq!(received(&right, 1024), MESSAGE);
        for _ in 0..3 {
            assert_eq!(received(&right, 1024), b"", "the end stays the end");
        }
        right.send_all(MESSAGE).unwrap();
        assert_eq!(received(&left, 1024), MESSAGE, "the other half is open");
    }
    let alone = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    assert_eq!(alone.shutdown(Shutdown::Both).unwrap_err().kind(), ErrorKind::NotConnected);
}

/// `BasicTCPTest.testDetach`
#[test]
fn a_detached_descriptor_stays_open_under_its_number() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    let number = right.as_raw_fd();
    let fd = right.detach();
    assert_eq!(fd.as_raw_fd(), number);
    let again = Socket::from_fd(fd).unwrap();
    assert_eq!(again.as_raw_fd(), number);
    left.send_all(MESSAGE).unwrap();
    assert_eq!(received(&again, 1024), MESSAGE);
}

/// `TCPCloserTest.testClose`
#[test]
fn closing_one_end_wakes_the_other_with_the_end() {
    let _watchdog = watchdog(PATIENCE);
    let (server, address) = listener();
    let client = create_connection(&address, &Default::default()).unwrap();
    let (connection, _) = server.accept().unwrap();
    connection.close().unwrap();
    client.wait(socket::Interest::READ).unwrap();
    assert_eq!(received(&client, 1), b"");
}

/// Of a reset Python tells once, and then of an end.
#[test]
fn a_reset_is_an_error_once_and_a_pipe_broken_for_good() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    right.set_so_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(right);
    let error = left.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(received(&left, 8), b"");
    for _ in 0..2 {
        assert_eq!(left.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn nothing_is_sent_for_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    assert_eq!(left.send(b"").unwrap(), 0);
    right.set_blocking(false).unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// A client after its server has gone: the end, one more message, then an error.
#[test]
fn the_first_send_after_the_peers_end_still_goes_out() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = tcp_pair();
    drop(right);
    assert_eq!(received(&left, 8), b"");
    assert_eq!(left.send(b"one").unwrap(), 3);
    // The answer to it is a reset, which over loopback has arrived when `send` returns.
    assert_eq!(left.send(b"two").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

/// One call takes up to 1024 pieces (`IOV_MAX`) and says how much of them went.
#[test]
fn pieces_written_together_arrive_in_order() {
    let _watchdog = watchdog(PATIENCE);
    let bytes: Vec<u8> = (0..3000).map(|index| index as u8).collect();
    let pieces: Vec<IoSlice<'_>> = bytes.chunks(2).map(IoSlice::new).collect();
    for (mut left, right) in [tcp_pair(), unix_pair()] {
        assert_eq!(left.write_vectored(&pieces).unwrap(), 2048);
        assert_eq!((&left).write_vectored(&pieces[1024..]).unwrap(), 952);
        let mut found = vec![0; bytes.len()];
        right.recv_exact(&mut found).unwrap();
        assert_eq!(found, bytes);
    }
}
