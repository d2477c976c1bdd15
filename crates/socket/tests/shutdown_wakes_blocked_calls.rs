//! A call that waits in one thread ends when another thread shuts the socket down.

mod support;

use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use socket::Socket;
use support::{PATIENCE, tcp_pair, thread_folder, unix_pair, wait_until_asleep, watchdog};

/// Runs `call` in a thread, shuts the socket down once it sleeps there, and answers what it said.
fn woken<T: Send>(socket: &Socket, how: Shutdown, call: impl FnOnce(&Socket) -> T + Send) -> T {
    let (sender, receiver) = mpsc::channel::<PathBuf>();
    std::thread::scope(|scope| {
        let calling = scope.spawn(move || {
            sender.send(thread_folder()).unwrap();
            call(socket)
        });
        wait_until_asleep(&receiver.recv().unwrap());
        socket.shutdown(how).unwrap();
        calling.join().unwrap()
    })
}

/// Without a limit and with one, since the two wait differently.
const LIMITS: [Option<Duration>; 2] = [None, Some(PATIENCE)];

#[test]
fn a_receive_ends_with_the_end() {
    let _watchdog = watchdog(PATIENCE);
    for limit in LIMITS {
        for (left, _right) in [tcp_pair(), unix_pair()] {
            left.set_timeout(limit).unwrap();
            let count = woken(&left, Shutdown::Read, |socket| socket.recv(&mut [0; 8])).unwrap();
            assert_eq!(count, 0);
        }
    }
}

#[test]
fn a_send_ends_with_a_broken_pipe() {
    let _watchdog = watchdog(PATIENCE);
    for limit in LIMITS {
        for ((left, _right), how) in [
            (tcp_pair(), Shutdown::Write),
            (tcp_pair(), Shutdown::Both),
            // Half of it wakes nobody who polls a Unix socket: see `Socket::shutdown`.
            (unix_pair(), if limit.is_some() { Shutdown::Both } else { Shutdown::Write }),
        ] {
            left.set_timeout(limit).unwrap();
            let answer = woken(&left, how, |socket| socket.send_all(&vec![7; 64 << 20]));
            assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        }
    }
}

#[test]
fn an_accept_ends_with_an_error() {
    let _watchdog = watchdog(PATIENCE);
    for limit in LIMITS {
        let (server, _) = support::listener();
        server.set_timeout(limit).unwrap();
        let answer = woken(&server, Shutdown::Both, |socket| socket.accept().map(drop));
        assert_eq!(answer.unwrap_err().raw_os_error(), Some(22)); // EINVAL
    }
}

#[test]
fn a_file_on_its_way_ends_with_a_broken_pipe() {
    let _watchdog = watchdog(PATIENCE);
    let directory = support::directory();
    let file = std::fs::File::create_new(directory.join("large")).unwrap();
    file.set_len(64 << 20).unwrap();
    let file = std::fs::File::open(directory.join("large")).unwrap();
    for limit in LIMITS {
        for (left, _right) in [tcp_pair(), unix_pair()] {
            left.set_timeout(limit).unwrap();
            let answer = woken(&left, Shutdown::Write, |socket| socket.sendfile(&file, 0, None));
            assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        }
    }
}

#[test]
fn a_splice_ends_on_either_side() {
    let _watchdog = watchdog(PATIENCE);
    for limit in LIMITS {
        let ((_client, near), (far, _server)) = (tcp_pair(), unix_pair());
        near.set_timeout(limit).unwrap();
        assert_eq!(woken(&near, Shutdown::Read, |near| near.splice(&far, None)).unwrap(), 0);

        let ((client, near), (far, _server)) = (tcp_pair(), unix_pair());
        far.set_timeout(limit).unwrap();
        std::thread::spawn(move || client.send_all(&vec![7; 64 << 20]));
        let answer = woken(&far, Shutdown::Write, |far| near.splice(far, None));
        assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
}
