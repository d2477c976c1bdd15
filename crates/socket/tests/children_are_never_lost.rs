//! A forked child is made whole or not at all, shares what it should and nothing else, and can be
//! neither missed nor mistaken, whatever the environment or its own end.

mod support;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use socket::process::{Exit, Fork, SharedWords};
use socket::seam::wait_any;
use socket::{Deadline, Family, Socket, Type};
use support::{PATIENCE, watchdog};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

fn pair() -> (Socket, Socket) {
    let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default()).unwrap();
    left.set_timeout(Some(PATIENCE)).unwrap();
    (left, right)
}

/// The children of this test's thread that have not been waited for, as the kernel lists them.
fn children() -> HashSet<u32> {
    let path = "/proc/thread-self/children";
    std::fs::read_to_string(path).unwrap().split(' ').filter_map(|pid| pid.parse().ok()).collect()
}

#[test]
fn its_end_is_told_as_it_was() {
    let _watchdog = watchdog(PATIENCE);
    for code in [0, 1, 42, 255] {
        assert_eq!(Fork::new().run(|| code).unwrap().wait().unwrap(), Exit::Code(code));
    }
    let panics = Fork::new().run(|| panic!("as it should")).unwrap().wait().unwrap();
    assert_eq!(panics, Exit::Code(101));
    let aborts = Fork::new().run(|| std::process::abort()).unwrap().wait().unwrap();
    assert_eq!(aborts.to_string(), "killed by SIGABRT");
    assert!(children().is_empty());
}

#[test]
fn it_is_killed_when_told_and_when_forgotten() {
    let _watchdog = watchdog(PATIENCE);
    let sleep = || -> i32 {
        loop {
            std::thread::park();
        }
    };
    let mut killed = Fork::new().run(sleep).unwrap();
    assert_eq!(killed.try_wait().unwrap(), None);
    killed.kill(SIGKILL).unwrap();
    wait_any(&mut [killed.watch()], Deadline::Never).unwrap();
    assert_eq!(killed.try_wait().unwrap(), Some(Exit::Signal(SIGKILL)));
    killed.kill(SIGKILL).unwrap();

    let forgotten = Fork::new().run(sleep).unwrap();
    assert!(children().contains(&forgotten.id()));
    drop(forgotten);
    assert!(children().is_empty(), "neither running nor a zombie");
}

#[test]
fn sigterm_is_its_parents_unless_it_is_its_own() {
    let _watchdog = watchdog(PATIENCE);
    let (told, tell) = pair();
    let body = || {
        tell.send_all(b"r").unwrap();
        let answer = tell.recv_exact(&mut [0]);
        i32::from(answer.is_err())
    };
    let mut child = Fork::new().with_socket(&tell).run(body).unwrap();
    told.recv_exact(&mut [0]).unwrap();
    child.kill(SIGTERM).unwrap();
    told.send_all(b"x").unwrap();
    assert_eq!(child.wait().unwrap(), Exit::Code(0));

    let stops = || {
        let signals = socket::signal::stop_signals().unwrap();
        tell.send_all(b"r").unwrap();
        let memory = socket::seam::Memory::default();
        let target = memory.target(signals.asked());
        let interest = socket::Interest::READ;
        wait_any(&mut [socket::seam::Watch { target, interest, ready: false }], Deadline::Never)
            .unwrap();
        signals.signal().unwrap_or_default()
    };
    let fork = Fork::new().with_socket(&tell).with_stop_signals();
    let mut child = fork.run(stops).unwrap();
    told.recv_exact(&mut [0]).unwrap();
    child.kill(SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap(), Exit::Code(SIGTERM));
}

#[test]
fn words_are_shared_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    let words = SharedWords::new(1000).unwrap();
    let body = || {
        words[999].store(words[0].load(SeqCst) + 1, SeqCst);
        0
    };
    words[0].store(7, SeqCst);
    assert!(Fork::new().run(body).unwrap().wait().unwrap().success());
    assert_eq!(words[999].load(SeqCst), 8);
    assert_eq!(SharedWords::new(0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(SharedWords::new(usize::MAX).is_err());
}

#[test]
fn no_destructor_of_the_parent_runs_in_it() {
    let _watchdog = watchdog(PATIENCE);
    struct Tells<'a>(&'a SharedWords);
    impl Drop for Tells<'_> {
        fn drop(&mut self) {
            self.0[0].fetch_add(1, SeqCst);
        }
    }
    let words = SharedWords::new(1).unwrap();
    let tells = Tells(&words);
    for body in [|| 0, || panic!("as it should")] {
        Fork::new().run(body).unwrap().wait().unwrap();
    }
    assert_eq!(words[0].load(SeqCst), 0);
    drop(tells);
}

#[test]
fn it_holds_no_connection_open_but_its_own() {
    let _watchdog = watchdog(PATIENCE);
    let ((own, kept), (left, right)) = (pair(), pair());
    let file = File::open("/dev/null").unwrap();
    // Not by counting them all: other tests open and close theirs meanwhile.
    let taken = |number: RawFd| std::path::Path::new(&format!("/proc/self/fd/{number}")).exists();
    let body = || {
        // The numbers stay taken, files are inherited, and a foreign connection is over.
        let same = [&own, &kept, &left, &right].iter().all(|one| taken(one.as_fd().as_raw_fd()));
        let file = (&file).read(&mut [0]).is_ok_and(|count| count == 0);
        let over = right.recv(&mut [0]).is_ok_and(|count| count == 0);
        let broken = right.send(b"x").is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        kept.send_all(&[same.into(), file.into(), over.into(), broken.into()]).unwrap();
        kept.recv_exact(&mut [0]).map_or(1, |()| 0)
    };
    let mut child = Fork::new().with_socket(&kept).run(body).unwrap();
    let mut answer = [0; 4];
    own.recv_exact(&mut answer).unwrap();
    assert_eq!(answer, [1, 1, 1, 1], "numbers taken, file, over, broken");
    left.send_all(b"still open").unwrap();
    drop(right);
    let mut rest = Vec::new();
    (&left).read_to_end(&mut rest).map_or_else(|error| assert!(is_reset(&error)), drop);
    own.send_all(b"x").unwrap();
    assert!(child.wait().unwrap().success());
}

/// What the peer of a closed socket with input unread sees.
fn is_reset(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

#[test]
fn it_ends_with_its_parent() {
    let _watchdog = watchdog(PATIENCE);
    let ((told, tell), (_open, input)) = (pair(), pair());
    let life = || {
        let grandchild = || {
            tell.send_all(b"r").unwrap();
            // Its input ends because its parent does; what it does then is told.
            let count = input.recv(&mut [0]).unwrap();
            tell.send_all(&[b'0' + u8::try_from(count).unwrap()]).unwrap();
            loop {
                std::thread::park();
            }
        };
        let fork = Fork::new().with_socket(&tell);
        let fork = fork.ending_with_parent(Some(input.as_fd()), Duration::from_millis(1));
        let _running = fork.run(grandchild).unwrap();
        tell.shutdown(Shutdown::Read).unwrap();
        loop {
            std::thread::park();
        }
    };
    let fork = Fork::new().with_socket(&tell).with_socket(&input);
    let child = fork.run(life).unwrap();
    told.recv_exact(&mut [0]).unwrap();
    drop(child);
    drop(tell);
    let mut last = Vec::new();
    (&told).read_to_end(&mut last).unwrap();
    assert_eq!(last, b"0", "told of the end, and then ended itself");
}

/// Whether the calling test, `test`, is alone in a process whose environment was made by the shell
/// command `environment`. If not, such a process runs it, and has to succeed.
fn alone(test: &str, environment: &str) -> bool {
    const ALONE: &str = "SWITCHBOARD_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let script = format!("{environment} \"$0\" --exact {test} --test-threads 1");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(ALONE, "1");
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[test]
fn it_is_found_where_sigchld_is_ignored() {
    let _watchdog = watchdog(PATIENCE);
    if !alone("it_is_found_where_sigchld_is_ignored", "exec env --ignore-signal=CHLD") {
        return;
    }
    for _ in 0..50 {
        assert_eq!(Fork::new().run(|| 5).unwrap().wait().unwrap(), Exit::Unknown);
    }
    let (told, tell) = pair();
    let body = || tell.recv_exact(&mut [0]).map_or(1, |()| 0);
    let mut running = Fork::new().with_socket(&tell).run(body).unwrap();
    assert_eq!(running.try_wait().unwrap(), None);
    told.send_all(b"x").unwrap();
    assert_eq!(running.wait().unwrap(), Exit::Unknown);
}

#[test]
fn none_is_half_made_in_a_shortage() {
    let _watchdog = watchdog(PATIENCE);
    if !alone("none_is_half_made_in_a_shortage", "ulimit -n 48; exec") {
        return;
    }
    let mut files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let words = SharedWords::new(1).unwrap();
    let mut refused = 0;
    for free in 0..8 {
        let begun = words[0].load(SeqCst);
        let made = Fork::new().run(|| {
            words[0].fetch_add(1, SeqCst);
            0
        });
        match made {
            Ok(mut child) => {
                assert!(child.wait().unwrap().success());
                assert_eq!(words[0].load(SeqCst), begun + 1);
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(24), "EMFILE with {free} free: {error}");
                assert_eq!(words[0].load(SeqCst), begun, "the body has not begun");
                refused += 1;
            }
        }
        drop(files.pop());
    }
    assert!((1..8).contains(&refused), "{refused}");
    drop(files);
    assert!(children().is_empty());
}
