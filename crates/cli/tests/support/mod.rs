//! The program as a child process, and the tools it is tried with.
//!
//! Nothing is waited for by sleeping: a line, a file or an end is waited for with a limit, and
//! whatever is still running when its test is over is killed, by its own number.

#![allow(dead_code)] // each test file uses its own part

pub(crate) mod browser;
pub(crate) mod scripted;
pub(crate) mod terminal;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on the slowest machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Longer than all tests of one file take together.
const WATCHDOG: Duration = Duration::from_secs(300);

/// The program, with a clean environment of its own variables.
pub(crate) fn switchboard(args: &[&str]) -> Command {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| drop(thread::spawn(watch)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(args).env("NO_COLOR", "1");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SWITCHBOARD_") {
            command.env_remove(name);
        }
    }
    command
}

/// Ends the tests if they hang where no limit of their own applies.
fn watch() {
    thread::sleep(WATCHDOG);
    // Past what a test captures, and past locks that may be what hangs.
    let stderr = std::io::stderr().as_fd().try_clone_to_owned();
    let _ = stderr.and_then(|stderr| writeln!(File::from(stderr), "watchdog: a test hangs"));
    std::process::abort();
}

/// Runs a command to its end, with this input.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let piped = || Stdio::piped();
    let child = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that does not want its input closes it.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let pid = Pid::from_child(&child);
    let waiter = thread::spawn(move || child.wait_with_output().unwrap());
    let begun = Instant::now();
    while !waiter.is_finished() {
        if begun.elapsed() > LIMIT {
            let _ = kill_process(pid, Signal::KILL);
            panic!("{command:?} does not end");
        }
        thread::park_timeout(Duration::from_millis(2));
    }
    writer.join().unwrap();
    waiter.join().unwrap()
}

/// What a command wrote, and how it ended, in one line for a message.
pub(crate) fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    format!("{}: out \"{}\" err \"{}\"", output.status, text(&output.stdout), text(&output.stderr))
}

/// Runs a Python program with these arguments and answers what it printed. It has to succeed.
pub(crate) fn python(program: &str, args: &[&str]) -> Option<String> {
    if !has("python3") {
        return None;
    }
    let output = run(Command::new("python3").arg("-c").arg(program).args(args), b"");
    assert!(output.status.success(), "{}", told(&output));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Whether a tool is here. If not, the test prints why it does less, or fails where nothing may be
/// left out.
pub(crate) fn has(tool: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(tool).is_file());
    if !found {
        skip(&format!("{tool} is not installed"));
    }
    found
}

/// Says that something is not tested, and why.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "not tested: {why}");
    eprintln!("not tested: {why}");
}

/// A path of its own for each call, in the folder for temporary files.
pub(crate) fn fresh_path(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Relaxed));
    std::env::temp_dir().join(format!("switchboard-{process}-{number}-{name}"))
}

/// A server that runs.
pub(crate) struct Running {
    child: Child,
    port_file: PathBuf,
    pub(crate) err: Lines,
    pub(crate) out: Lines,
}

impl Running {
    /// Starts `serve` with these arguments and a port file, and waits until it is ready.
    pub(crate) fn serve(args: &[&str]) -> Running {
        let port_file = fresh_path("port");
        let mut command = switchboard(&["serve", "--port-file"]);
        command.arg(&port_file).args(args);
        let running = Running::start(command, port_file);
        running.wait_until("the port file", || running.port_file.exists());
        running
    }

    /// Starts any command that serves.
    pub(crate) fn start(mut command: Command, port_file: PathBuf) -> Running {
        let piped = || Stdio::piped();
        let child = command.stdin(Stdio::null()).stdout(piped()).stderr(piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let err = Lines::of(child.stderr.take().unwrap());
        let out = Lines::of(child.stdout.take().unwrap());
        Running { child, port_file, err, out }
    }

    pub(crate) fn port_file(&self) -> &Path {
        &self.port_file
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        std::fs::read_to_string(&self.port_file).unwrap().trim_end().parse().unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Its number, as it prints.
    pub(crate) fn child_id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.pid().as_raw_nonzero());
        std::fs::read_dir(folder).unwrap().count()
    }

    /// Waits for a condition.
    pub(crate) fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < LIMIT, "no {what}; it said {:?}", self.err.all());
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < LIMIT, "it does not end; it said {:?}", self.err.all());
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Asks it to stop, and expects that it finishes everything.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.end();
        assert_eq!(status.code(), Some(0), "{status}; it said {:?}", self.err.all());
        assert!(!self.port_file.exists(), "the port file is left behind");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.port_file);
    }
}

/// The lines of an output, as they come.
#[derive(Clone)]
pub(crate) struct Lines(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Lines {
        let lines = Lines(Arc::default());
        let shared = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                shared.0.0.lock().unwrap().push(line);
                shared.0.1.notify_all();
            }
        });
        lines
    }

    /// What has come so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits for a line in which this stands.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        self.wait_for_several(1, part)
    }

    /// Waits for so many lines in which this stands, and answers the last.
    pub(crate) fn wait_for_several(&self, count: usize, part: &str) -> String {
        let (lines, came) = &*self.0;
        let find = |lines: &Vec<String>| {
            lines.iter().filter(|line| line.contains(part)).nth(count - 1).cloned()
        };
        let (lines, _) = came
            .wait_timeout_while(lines.lock().unwrap(), LIMIT, |lines| find(lines).is_none())
            .unwrap();
        find(&lines).unwrap_or_else(|| panic!("no line with \"{part}\" in {lines:?}"))
    }
}
