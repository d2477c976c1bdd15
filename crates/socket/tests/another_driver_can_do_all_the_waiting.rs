//! Nothing in this crate waits but through the seam: with another driver installed, each call is
//! performed by it, and nothing above has to change.
//!
//! The driver here does what a coroutine's does: it tries without waiting, and where that does not
//! suffice it waits in one place of its own, where a coroutine would be parked.

mod support;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use socket::names::{
    AddrInfoFlags, Hints, NameInfoFlags, getaddrinfo, gethostbyaddr, gethostbyname,
    gethostbyname_ex, getnameinfo, getprotobyname, getservbyname, getservbyport, inet_address,
};
use socket::seam::{self, Driver, Operation, Target, Waiting, Watch};
use socket::{
    ConnectOptions, Deadline, Family, Interest, Poll, Splice, TcpStream, UnixListener, UnixStream,
    create_connection, create_server, poll,
};
use support::{PATIENCE, directory, silent, watchdog};

/// Counts what it does. Keeps each file it has seen non-blocking, so that no attempt can wait.
#[derive(Default)]
struct Parking {
    performed: Cell<usize>,
    waited: Cell<usize>,
    waited_for_any: Cell<usize>,
    slept: Cell<usize>,
    blocked: Cell<usize>,
    known: RefCell<HashSet<RawFd>>,
}

impl Parking {
    fn park(&self, fd: BorrowedFd<'_>, interest: Interest, deadline: Deadline) -> io::Result<()> {
        self.waited.set(self.waited.get() + 1);
        match poll(&mut [Poll::new(fd, interest)], deadline)? {
            0 => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }

    fn make_non_blocking(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        // The flag belongs to the open file, so setting it through a copy sets it for all.
        let copy = std::os::unix::net::UnixStream::from(fd.try_clone_to_owned()?);
        self.known.borrow_mut().insert(fd.as_raw_fd());
        copy.set_nonblocking(true)
    }
}

impl Driver for Parking {
    fn perform(
        &self,
        target: Target<'_>,
        operation: &mut Operation<'_>,
        deadline: Deadline,
    ) -> io::Result<usize> {
        self.performed.set(self.performed.get() + 1);
        self.make_non_blocking(target.fd)?;
        let deadline = deadline.fixed();
        loop {
            match operation.attempt(target.fd, Waiting::Refused) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if seam::is_pending(&error) && deadline != Deadline::Immediate => {
                    self.park(target.fd, operation.interest(), deadline)?;
                }
                answer => return answer,
            }
        }
    }

    fn wait_any(&self, watches: &mut [Watch<'_>], deadline: Deadline) -> io::Result<()> {
        self.waited_for_any.set(self.waited_for_any.get() + 1);
        let mut polls: Vec<Poll<'_>> =
            watches.iter().map(|watch| Poll::new(watch.target.fd, watch.interest)).collect();
        if poll(&mut polls, deadline)? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        for (watch, poll) in watches.iter_mut().zip(&polls) {
            watch.ready = poll.ready.read || poll.ready.write;
        }
        Ok(())
    }

    fn sleep(&self, deadline: Deadline) {
        self.slept.set(self.slept.get() + 1);
        std::thread::sleep(deadline.remaining().expect("no test sleeps for ever"));
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.blocked.set(self.blocked.get() + 1);
        std::thread::spawn(work).join().expect("work catches its panics");
    }

    fn forget(&self, _memory: u64) {}
}

/// Installs a driver for this test's thread.
fn driven() -> &'static Parking {
    let driver: &'static Parking = Box::leak(Box::default());
    seam::install(Some(driver));
    driver
}

#[test]
fn a_connection_over_several_addresses() {
    let _watchdog = watchdog(PATIENCE);
    let (one, two) = (silent("127.0.0.60:0"), silent("[::1]:0"));
    let server = create_server("127.0.0.1:0", &Default::default()).unwrap();
    let good = server.getsockname().unwrap();
    let list = [&one.address, &two.address, &good].map(|one| one.as_inet().unwrap());
    let driver = driven();
    let options = ConnectOptions {
        timeout: Some(PATIENCE),
        attempt_delay: Duration::from_millis(15),
        ..Default::default()
    };
    let socket = create_connection(list, &options).unwrap();
    assert_eq!(socket.getpeername().unwrap(), good);
    assert!(driver.waited_for_any.get() >= 1, "the attempts were not watched by the driver");
    assert_eq!(driver.waited.get(), 0, "an attempt waited alone");

    let dead = [list[0], list[1]];
    let short = ConnectOptions { timeout: Some(Duration::from_millis(40)), ..options };
    assert_eq!(create_connection(dead, &short).unwrap_err().kind(), ErrorKind::TimedOut);
    let before = driver.waited.get();
    assert_eq!(create_connection(dead[0], &short).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(driver.waited.get(), before + 1, "a single attempt waits alone");
}

#[test]
fn streams_readers_files_and_splices() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("file");
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|index| (index >> 6) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let (client, near) = support::tcp_pair();
    let (far, server) = support::unix_pair();
    let receiving = std::thread::spawn(move || {
        let mut all = Vec::new();
        (&server).read_to_end(&mut all).map(|_| all)
    });
    let (begin, begun) = std::sync::mpsc::channel();
    let proxy = std::thread::spawn(move || {
        let driver = driven();
        // Nothing has been sent yet, so this has to wait.
        near.set_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(near.splice(&far, None).unwrap_err().kind(), ErrorKind::TimedOut);
        near.set_timeout(None).unwrap();
        begin.send(()).unwrap();
        let moved = near.splice(&far, None).unwrap();
        (moved, driver.waited.get())
    });
    begun.recv().unwrap();
    let driver = driven();
    let file = std::fs::File::open(&path).unwrap();
    assert_eq!(client.sendfile(&file, 0, None).unwrap(), bytes.len() as u64);
    client.send_all(b"and a line\n").unwrap();
    let mut writer = client.writer().unwrap();
    writer.write_all(b"and another\n").unwrap();
    drop((client, writer));
    let (moved, waited) = proxy.join().unwrap();
    assert_eq!(moved, bytes.len() as u64 + 23);
    assert!(waited > 0 && driver.performed.get() > 0);
    let all = receiving.join().unwrap().unwrap();
    assert!(all[..bytes.len()] == bytes && all.ends_with(b"and a line\nand another\n"));
}

#[test]
fn limits_are_the_drivers_to_keep() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = support::tcp_pair();
    let driver = driven();
    right.set_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(right.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(driver.waited.get(), 1);
    left.set_timeout(Some(Duration::from_millis(20))).unwrap();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let long = left.sendfile(&file, 0, None);
    if let Err(error) = long {
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    let mut pipe = Splice::new().unwrap();
    let (_client, silent) = support::unix_pair();
    silent.set_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(pipe.transfer(&silent, &left, 9).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn listeners_and_everyday_types() {
    let _watchdog = watchdog(PATIENCE);
    let directory = directory();
    let path = directory.join("socket");
    let driver = driven();
    let server = UnixListener::bind(&path).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    let (mut connection, _) = server.accept().unwrap();
    client.write_all(b"hello").unwrap();
    connection.read_exact(&mut [0; 5]).unwrap();
    assert!(driver.performed.get() >= 4);

    // A directory that somebody has locked is waited for by the driver's sleep.
    let holder = std::fs::File::open(directory.path()).unwrap();
    holder.lock().unwrap();
    let error = UnixListener::bind(directory.join("other")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(driver.slept.get() > 0);
    holder.unlock().unwrap();
    UnixListener::bind(directory.join("other")).unwrap();
    let tcp: TcpStream = support::tcp_pair().0.into();
    assert!(tcp.as_fd().as_raw_fd() > 2);
}

#[test]
fn work_that_blocks_runs_where_the_driver_says() {
    let _watchdog = watchdog(PATIENCE);
    let here = std::thread::current().id();
    assert_eq!(seam::blocking(|| std::thread::current().id()), here);
    driven();
    assert_ne!(seam::blocking(|| std::thread::current().id()), here);
    let caught = std::panic::catch_unwind(|| seam::blocking(|| panic!("in the work")));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"in the work"));
    seam::install(None);
}

#[test]
fn names_are_asked_where_the_driver_says() {
    let _watchdog = watchdog(PATIENCE);
    // No name here reaches a name server: each is in `hosts(5)` or too long to be asked for.
    let long = "x".repeat(64);
    let address = "127.0.0.1:80".parse().unwrap();
    let open = Hints::default();
    let before = getaddrinfo(Some("localhost"), 80, &open).unwrap();
    let driver = driven();
    let asks = |ask: &dyn Fn()| {
        let before = driver.blocked.get();
        ask();
        driver.blocked.get() - before
    };
    assert_eq!(asks(&|| drop(getaddrinfo(Some(&long), 80, &open))), 1);
    assert_eq!(asks(&|| drop(getaddrinfo(Some("127.0.0.1"), "http", &open))), 1);
    assert_eq!(asks(&|| drop(getaddrinfo(None, "http", &open))), 1);
    assert_eq!(asks(&|| drop(gethostbyname("localhost"))), 1);
    assert_eq!(asks(&|| drop(gethostbyname_ex("localhost"))), 2);
    assert_eq!(asks(&|| drop(gethostbyaddr("127.0.0.1"))), 1);
    assert_eq!(asks(&|| drop(getnameinfo(&address, NameInfoFlags::NUMERICHOST))), 1);
    assert_eq!(asks(&|| drop(getnameinfo(&address, NameInfoFlags::NUMERICSERV))), 1);
    assert_eq!(asks(&|| drop(getservbyname("http", None))), 1);
    assert_eq!(asks(&|| drop(getservbyport(80, None))), 1);
    assert_eq!(asks(&|| drop(getprotobyname("tcp"))), 1);
    assert_eq!(asks(&|| drop(create_connection(("localhost", 0), &Default::default()))), 1);
    assert_eq!(getaddrinfo(Some("localhost"), 80, &open).unwrap(), before);
    seam::install(None);
}

#[test]
fn numbers_are_read_where_the_caller_is() {
    let _watchdog = watchdog(PATIENCE);
    let driver = driven();
    let hints = Hints { family: Family::INET, ..Hints::default() };
    for host in ["127.0.0.1", "127.1", "0x7f.1", "2130706433"] {
        let found = getaddrinfo(Some(host), "80", &hints).unwrap();
        assert_eq!(found.endpoints[0].address.to_string(), "127.0.0.1:80");
    }
    for host in ["::1", "::ffff:1.2.3.4", "fe80::1%lo"] {
        getaddrinfo(Some(host), 80, &Hints::default()).unwrap();
        inet_address(Family::INET6, host, 80).unwrap();
    }
    let passive = Hints { flags: AddrInfoFlags::PASSIVE, ..hints };
    getaddrinfo(None, 80, &passive).unwrap();
    let numeric = Hints { flags: AddrInfoFlags::NUMERICHOST, ..hints };
    getaddrinfo(Some("localhost"), 80, &numeric).unwrap_err();
    gethostbyname("127.0.0.1").unwrap();
    gethostbyname_ex("127.0.0.1").unwrap();
    let numbers = NameInfoFlags::NUMERICHOST | NameInfoFlags::NUMERICSERV;
    getnameinfo(&"[::1]:80".parse().unwrap(), numbers).unwrap();
    create_connection(("127.0.0.1", 9), &Default::default()).ok();
    assert_eq!(driver.blocked.get(), 0);
    seam::install(None);
}
