//! A signal that is handled never ends a call: it goes on with the time that is left. CPython:
//! `InterruptedRecvTimeoutTest`, `InterruptedSendTimeoutTest`, `TCPTimeoutTest`'s
//! `testInterruptedTimeout`, `GeneralModuleTests`' `test_sendall_interrupted` and
//! `test_sendall_interrupted_with_timeout`.
//!
//! A program without the test harness, so that the calls are made by the main thread, to which the
//! kernel gives the signals. They come from a child, a hundred a second, all the time.

mod support;

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use socket::{
    ConnectOptions, ControlBuffer, Deadline, Family, Flags, Interest, Poll, Socket, Type, UnixAddr,
    create_connection, poll, seam, signal,
};
use support::{PATIENCE, directory, listener, silent, tcp_pair, unix_pair, watchdog};

/// Many signals long.
const LIMIT: Duration = Duration::from_millis(120);

fn main() {
    let _watchdog = watchdog(2 * PATIENCE);
    signal::interrupt_calls_by_sigusr1().unwrap();
    let _signals = Signals::start();
    for (name, test) in TESTS {
        test();
        println!("test {name} ... ok");
    }
}

/// Sends SIGUSR1 to this process until it is dropped.
struct Signals(Child);

impl Signals {
    fn start() -> Signals {
        let script = "while kill -USR1 $PPID 2> /dev/null; do sleep 0.01; done";
        Signals(Command::new("sh").args(["-c", script]).spawn().unwrap())
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const TESTS: &[(&str, fn())] = &[
    ("signals_do_interrupt_this_thread", signals_do_interrupt_this_thread),
    ("receiving_keeps_its_limit", receiving_keeps_its_limit),
    ("accepting_keeps_its_limit", accepting_keeps_its_limit),
    ("connecting_keeps_its_limit", connecting_keeps_its_limit),
    ("sending_keeps_its_limit", sending_keeps_its_limit),
    ("moving_bytes_keeps_its_limit", moving_bytes_keeps_its_limit),
    ("waiting_and_sleeping_keep_their_limit", waiting_and_sleeping_keep_their_limit),
    ("without_a_limit_a_call_waits_on", without_a_limit_a_call_waits_on),
    ("sending_all_sends_all", sending_all_sends_all),
    ("a_connection_is_made_all_the_same", a_connection_is_made_all_the_same),
];

/// The rest means something only if this is so: std does not hide the interruption here.
fn signals_do_interrupt_this_thread() {
    let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
    assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::Interrupted);
}

/// Runs a call that must time out, and no earlier than at the limit.
fn times_out<T>(call: impl FnOnce() -> io::Result<T>) {
    let start = Instant::now();
    match call() {
        Ok(_) => panic!("it did not time out"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
    }
    assert!(start.elapsed() >= LIMIT, "ended after {:?}", start.elapsed());
}

fn receiving_keeps_its_limit() {
    for kind in [Type::STREAM, Type::DGRAM] {
        let (_left, right) = Socket::pair(Family::UNIX, kind, Default::default()).unwrap();
        right.set_timeout(Some(LIMIT)).unwrap();
        times_out(|| right.recv(&mut [0; 8]));
        times_out(|| right.recv_from(&mut [0; 8]));
        times_out(|| right.recv_exact(&mut [0; 8]));
        times_out(|| {
            let mut control = ControlBuffer::default();
            right.recv_msg(&mut [IoSliceMut::new(&mut [0; 8])], &mut control, Flags::NONE)
        });
    }
}

fn accepting_keeps_its_limit() {
    let (server, _) = listener();
    server.set_timeout(Some(LIMIT)).unwrap();
    times_out(|| server.accept());
}

fn connecting_keeps_its_limit() {
    let (one, two) = (silent("127.0.0.50:0"), silent("127.0.0.51:0"));
    let addresses = [one.address.as_inet().unwrap(), two.address.as_inet().unwrap()];
    let options = ConnectOptions { timeout: Some(LIMIT), ..Default::default() };
    times_out(|| Ok(create_connection(addresses, &options)?));
    times_out(|| Ok(create_connection(addresses[0], &options)?));
    let directory = directory();
    let server = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    server.bind_path(directory.join("full")).unwrap();
    server.listen(0).unwrap();
    let connect = || {
        let socket = Socket::new(Family::UNIX, Type::STREAM, Default::default())?;
        socket.set_timeout(Some(LIMIT))?;
        socket.connect(&server.getsockname()?).map(|()| socket)
    };
    let _guest = connect().unwrap();
    times_out(connect);
}

fn sending_keeps_its_limit() {
    for (left, _right) in [tcp_pair(), unix_pair()] {
        left.set_timeout(Some(LIMIT)).unwrap();
        times_out(|| left.send_all(&vec![7; 16 << 20]));
    }
    let receiver = Socket::new(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    receiver.bind(&UnixAddr::Unnamed.into()).unwrap(); // takes a free name
    let (to, bytes) = (receiver.getsockname().unwrap(), b"fills the queue");
    let sender = Socket::new(Family::UNIX, Type::DGRAM, Default::default()).unwrap();
    sender.connect(&to).unwrap();
    sender.set_timeout(Some(LIMIT)).unwrap();
    let sends: [&dyn Fn() -> io::Result<usize>; 3] =
        [&|| sender.send(bytes), &|| sender.send_to(bytes, &to), &|| {
            sender.send_msg(&[IoSlice::new(bytes)], &[], Flags::NONE, None)
        }];
    while sender.send_with(bytes, Flags::DONTWAIT).is_ok() {}
    for send in sends {
        times_out(send);
    }
}

fn moving_bytes_keeps_its_limit() {
    let directory = directory();
    let path = directory.join("large");
    std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    for pair in [tcp_pair, unix_pair] {
        let (left, right) = pair();
        left.set_timeout(Some(LIMIT)).unwrap();
        times_out(|| left.sendfile(&file, 0, None));
        let (to, _kept) = pair();
        to.set_timeout(Some(LIMIT)).unwrap();
        times_out(|| right.splice(&to, None));
        let (_client, silent) = pair();
        times_out(|| silent.splice(&to, None));
    }
}

fn waiting_and_sleeping_keep_their_limit() {
    use std::os::fd::AsFd;
    let (left, _right) = unix_pair();
    left.set_timeout(Some(LIMIT)).unwrap();
    times_out(|| left.wait(Interest::READ));
    let start = Instant::now();
    let mut polls = [Poll::new(left.as_fd(), Interest::READ)];
    assert_eq!(poll(&mut polls, Deadline::After(LIMIT)).unwrap(), 0);
    assert!(start.elapsed() >= LIMIT);
    let start = Instant::now();
    seam::sleep(Deadline::After(LIMIT));
    assert!(start.elapsed() >= LIMIT);
}

/// Also where somebody else has given the kernel a limit.
fn without_a_limit_a_call_waits_on() {
    for foreign in [None, Some(Duration::from_millis(30)), Some(PATIENCE)] {
        let (left, right) = std::os::unix::net::UnixStream::pair().unwrap();
        right.set_read_timeout(foreign).unwrap();
        let (left, right) = (Socket::from(left), Socket::from(right));
        let sending = std::thread::spawn(move || {
            std::thread::sleep(LIMIT); // what is waited for, not what waits
            left.send_all(b"at last").map(|()| left)
        });
        assert_eq!(right.recv(&mut [0; 16]).unwrap(), 7);
        sending.join().unwrap().unwrap();
    }
}

fn sending_all_sends_all() {
    for limit in [None, Some(PATIENCE)] {
        for (left, right) in [tcp_pair(), unix_pair()] {
            left.set_timeout(limit).unwrap();
            let receiving = std::thread::spawn(move || {
                let (mut buffer, mut count) = (vec![0; 100_000], 0);
                loop {
                    std::thread::sleep(Duration::from_millis(2)); // a slow reader
                    match (&right).read(&mut buffer)? {
                        0 => return io::Result::Ok(count),
                        more => count += more,
                    }
                }
            });
            left.send_all(&vec![7; 8 << 20]).unwrap();
            drop(left);
            assert_eq!(receiving.join().unwrap().unwrap(), 8 << 20);
        }
    }
}

fn a_connection_is_made_all_the_same() {
    let (server, address) = listener();
    for _ in 0..200 {
        let client = create_connection(&address, &Default::default()).unwrap();
        server.accept().unwrap();
        drop(client);
    }
    for limit in [None, Some(PATIENCE)] {
        let slow = silent("127.0.0.52:0");
        let listener = slow.listener;
        let accepting = std::thread::spawn(move || {
            std::thread::sleep(LIMIT); // so that the handshake is interrupted before it is answered
            listener.accept()?;
            listener.accept().map(drop)
        });
        let client = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
        client.set_timeout(limit).unwrap();
        client.connect(&slow.address).unwrap();
        assert_eq!(client.getpeername().unwrap(), slow.address);
        accepting.join().unwrap().unwrap();
    }
    for limit in [None, Some(PATIENCE)] {
        // A full queue of a Unix listener: an interrupted connect must be made again.
        let directory = directory();
        let server = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
        server.bind_path(directory.join("full")).unwrap();
        server.listen(0).unwrap();
        let address = server.getsockname().unwrap();
        let _guest = create_connection(&address, &Default::default()).unwrap();
        let accepting = std::thread::spawn(move || {
            std::thread::sleep(LIMIT); // so that the wait for room is interrupted
            server.accept()?;
            server.accept().map(drop)
        });
        let client = Socket::new(Family::UNIX, Type::STREAM, Default::default()).unwrap();
        client.set_timeout(limit).unwrap();
        client.connect(&address).unwrap();
        assert_eq!(client.getpeername().unwrap(), address);
        accepting.join().unwrap().unwrap();
    }
}
