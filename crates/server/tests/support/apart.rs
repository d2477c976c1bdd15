//! A test in a process of its own, which leaves nothing behind.
//!
//! Limits, fault points, signals and counts belong to a process, so a test that uses them cannot
//! share one with others. The test is therefore run again, alone, by a child of the test program,
//! and there the descriptors, threads and children must be as many after it as before.
//!
//! What it deliberately does not do: give the handler's process and the test's anything in common.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use switchboard::{Engine, Guards};

use crate::support::{ask, serve};

/// Set in the child: what it is.
const ROLE: &str = "SWITCHBOARD_TEST_ROLE";

/// Runs `body` in a process of its own, between two counts of what that process has open.
///
/// A server has served before the first count, since an engine may make things once and keep them.
pub fn apart(engine: Engine, body: impl FnOnce()) {
    alone(|| {
        let first = serve(engine, "127.0.0.1:0", Guards::default(), crate::rude::echo);
        assert_eq!(ask(&first.client(), "first", 5), "first");
        first.stop().unwrap();
        let before = Counts::settled();
        body();
        before.return_to();
    });
}

/// Runs `body` in a process of its own.
pub fn alone(body: impl FnOnce()) {
    if std::env::var_os(ROLE).is_some() {
        return body();
    }
    let output = again("test").stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let ran = out.contains("test result: ok. 1 passed");
    assert!(output.status.success() && ran, "{}\n{out}\n{err}", output.status);
    print!("{out}");
}

/// The command that runs the present test again, as `role`.
fn again(role: &str) -> Command {
    let thread = std::thread::current();
    let name = thread.name().expect("each test has a thread of its name");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// Descriptors, threads and children of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    descriptors: usize,
    threads: usize,
    children: usize,
}

impl Counts {
    /// Those of process `process`, a number or `self`. The descriptor that counts is not counted.
    pub fn of(process: &str) -> Counts {
        let count = |what: &str| fs::read_dir(format!("/proc/{process}/{what}")).unwrap().count();
        let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        // A thread may end while it is being looked at.
        let children =
            tasks.flatten().filter_map(|task| fs::read(task.path().join("children")).ok());
        let children = children.map(|list| list.iter().filter(|byte| **byte == b' ').count()).sum();
        let own = usize::from(process == "self");
        Counts { descriptors: count("fd") - own, threads: count("task"), children }
    }

    /// Those of this process, once they have stopped changing: what has just ended may not be gone.
    pub fn settled() -> Counts {
        let mut counts = Counts::of("self");
        let mut same = 0;
        while same < 20 {
            std::thread::park_timeout(Duration::from_millis(1));
            let now = Counts::of("self");
            same = if now == counts { same + 1 } else { 0 };
            counts = now;
        }
        counts
    }

    /// Whether it has no more than it had then. It may have less: something may still have been
    /// ending.
    pub fn is_within(&self, then: &Counts) -> bool {
        self.descriptors <= then.descriptors
            && self.threads <= then.threads
            && self.children <= then.children
    }

    /// Waits until this process has no more than it had then.
    pub fn return_to(&self) {
        until(
            || Counts::of("self").is_within(self),
            || format!("not back at {self:?}: {:?}", Counts::of("self")),
        );
    }
}

/// Waits until `condition` holds, or fails with what `state` says.
pub fn until(mut condition: impl FnMut() -> bool, state: impl Fn() -> String) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "{}", state());
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Says that something is not tested, and why.
pub fn skip(why: &str) {
    assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "not tested: {why}");
    eprintln!("not tested: {why}");
}

/// Every descriptor that this process may still open, until dropped.
pub struct Hoard {
    held: Vec<File>,
    limit: Rlimit,
}

impl Hoard {
    /// Takes them all. The limit is lowered first, so that they are not many.
    pub fn new() -> Hoard {
        let limit = getrlimit(Resource::Nofile);
        let low = 64 + fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        setrlimit(Resource::Nofile, Rlimit { current: Some(low), ..limit }).unwrap();
        let mut held = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            held.push(file);
        }
        Hoard { held, limit }
    }

    /// Gives some back.
    pub fn give_back(&mut self, count: usize) {
        self.held.truncate(self.held.len() - count);
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.limit).unwrap();
    }
}

/// No new thread's stack fits in this process, until dropped. Small things still do.
pub struct NoRoomForStacks(Rlimit);

impl NoRoomForStacks {
    pub fn new() -> NoRoomForStacks {
        let limit = getrlimit(Resource::As);
        let room = memory("self", "VmSize:") + 1_536 * 1024;
        setrlimit(Resource::As, Rlimit { current: Some(room), ..limit }).unwrap();
        NoRoomForStacks(limit)
    }
}

impl Drop for NoRoomForStacks {
    fn drop(&mut self) {
        setrlimit(Resource::As, self.0).unwrap();
    }
}

/// A line of `/proc/…/status`, in bytes. `proc_pid_status(5)`.
pub fn memory(process: &str, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let value = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The present test as a server in a process of its own.
pub struct Apart {
    child: Child,
    /// While this is open the server serves.
    input: Option<ChildStdin>,
    /// What it printed first.
    pub line: String,
}

impl Apart {
    /// Whether this process is that server.
    pub fn is_here() -> bool {
        std::env::var_os(ROLE) == Some(OsString::from("server"))
    }

    /// In the server: prints what the other side has to know, and returns when it is to end.
    pub fn tell(line: &str) {
        println!("\n{MARK}{line}");
        // The end of the input comes when the other side says so, or is gone.
        let _ = std::io::stdin().lines().count();
    }

    /// Starts it and waits for what it tells.
    pub fn start() -> Apart {
        let piped = Stdio::piped;
        let mut child = again("server").stdin(piped()).stdout(piped()).spawn().unwrap();
        let input = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find_map(|line| line.strip_prefix(MARK).map(str::to_owned)).unwrap();
        // What the test program prints at its end must have somewhere to go.
        std::thread::spawn(move || lines.count());
        Apart { child, input, line }
    }

    /// Its number.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its state, one letter: `proc_pid_stat(5)`.
    pub fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    /// Lets it end, and expects that its side of the test went well.
    pub fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the line begins with that is meant for the other side.
const MARK: &str = "server says ";

/// A path that no other test uses, gone when dropped.
pub struct TestPath(pub PathBuf);

impl TestPath {
    pub fn new(name: &str) -> TestPath {
        let file = format!("switchboard-{}-{name}", std::process::id());
        TestPath(std::env::temp_dir().join(file))
    }

    pub fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TestPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
