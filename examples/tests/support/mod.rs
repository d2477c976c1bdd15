//! The programs of the tutorial as child processes: ours, and their originals in Python.
//!
//! Nothing is waited for by sleeping: an output, a listening port or an end is waited for with a
//! limit, and whatever still runs when its test is over is killed, by its own number. Servers get
//! port 0, and the kernel is asked which port that became, since the programs print none.

#![allow(dead_code)] // each test file uses its own part

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on the slowest machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Longer than all tests of one file take together.
const WATCHDOG: Duration = Duration::from_secs(300);

/// Servers on the framework take one address where those on sockets take host and port.
const ON_FRAMEWORK: [&str; 4] =
    ["first_server", "upload_server", "chat_server", "threaded_echo_server"];

/// Whose program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Ours,
    Python,
}

pub(crate) use Version::{Ours, Python};

impl Version {
    /// Those that can be run here.
    pub(crate) fn all() -> Vec<Version> {
        if has("python3") { vec![Ours, Python] } else { vec![Ours] }
    }

    /// Each server with each client, all at the same time.
    pub(crate) fn each_pair(test: impl Fn(Version, Version) + Sync) {
        let versions = Version::all();
        thread::scope(|scope| {
            for &server in &versions {
                for &client in &versions {
                    let test = &test;
                    scope.spawn(move || test(server, client));
                }
            }
        });
    }

    /// Each of them, all at the same time.
    pub(crate) fn each(test: impl Fn(Version) + Sync) {
        thread::scope(|scope| {
            for version in Version::all() {
                let test = &test;
                scope.spawn(move || test(version));
            }
        });
    }

    /// The program of that name.
    pub(crate) fn command(self, name: &str) -> Command {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| drop(thread::spawn(watch)));
        match self {
            Ours => Command::new(programs().join(name)),
            Python => {
                let mut command = Command::new(python());
                command.arg("-u").arg(root().join(format!("examples/originals/{name}.py")));
                command.env("PYTHONIOENCODING", "utf-8");
                command
            }
        }
    }
}

/// The interpreter behind the name `python3`, which may be a script that takes a while to find it.
fn python() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let mut command = Command::new("python3");
        let output = command.args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    })
}

/// Ends the tests if they hang where no limit of their own applies.
fn watch() {
    thread::sleep(WATCHDOG);
    // Past what a test captures, and past locks that may be what hangs.
    let stderr = std::io::stderr().as_fd().try_clone_to_owned();
    let _ = stderr.and_then(|stderr| writeln!(File::from(stderr), "watchdog: a test hangs"));
    std::process::abort();
}

/// Where cargo has put the programs.
pub(crate) fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_first_server")).parent().unwrap()
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
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

/// A folder of its own for each call, removed when dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("switchboard-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that runs, and what it has printed.
pub(crate) struct Program {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) out: Output,
    pub(crate) err: Output,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Program {
        let what = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        let stdin = child.stdin.take();
        let out = Output::of(child.stdout.take().unwrap());
        let err = Output::of(child.stderr.take().unwrap());
        Program { what, child, stdin, out, err }
    }

    /// Starts a server at a free port of `host`, with these arguments after its address, and waits
    /// until it listens. Answers the port too.
    pub(crate) fn serve(
        version: Version,
        name: &str,
        host: &str,
        more: &[&str],
    ) -> (Program, String) {
        let mut command = version.command(name);
        match version == Ours && ON_FRAMEWORK.contains(&name) {
            true => command.arg(format!("tcp4://{host}:0")),
            false => command.args([host, "0"]),
        };
        command.args(more);
        let mut program = Program::start(command);
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(port) = listening_port(program.child.id()) {
                return (program, port.to_string());
            }
            assert!(program.child.try_wait().unwrap().is_none(), "{} has ended", program.told());
            assert!(Instant::now() < end, "{} does not listen", program.told());
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Gives it a line of input.
    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits for what it prints, client ports and the like left out, to be just this.
    pub(crate) fn prints(&self, expected: &str) {
        if !self.out.wait_until(|text| without_ports(text) == expected) {
            assert_eq!(without_ports(&self.out.text()), expected, "{}", self.told());
        }
    }

    /// Waits for this to be in what it prints.
    pub(crate) fn prints_part(&self, part: &str) {
        assert!(self.out.wait_until(|text| text.contains(part)), "no {part:?} of {}", self.told());
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        drop(self.stdin.take());
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "{} does not end", self.told());
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it is and what it has said, for a message.
    pub(crate) fn told(&self) -> String {
        format!("{}: out {:?} err {:?}", self.what, self.out.text(), self.err.text())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program has printed so far.
#[derive(Clone)]
pub(crate) struct Output(Arc<(Mutex<Printed>, Condvar)>);

#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    /// Whether there can be no more.
    ended: bool,
}

impl Output {
    fn of(mut from: impl Read + Send + 'static) -> Output {
        let output = Output(Arc::default());
        let shared = output.clone();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                shared.0.0.lock().unwrap().bytes.extend_from_slice(&piece[..count]);
                shared.0.1.notify_all();
            }
            shared.0.0.lock().unwrap().ended = true;
            shared.0.1.notify_all();
        });
        output
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().bytes).into_owned()
    }

    /// All of it, once its program has ended.
    pub(crate) fn whole(&self) -> String {
        let (printed, came) = &*self.0;
        let guard = printed.lock().unwrap();
        let (guard, over) =
            came.wait_timeout_while(guard, LIMIT, |printed| !printed.ended).unwrap();
        assert!(!over.timed_out(), "somebody holds the output open");
        String::from_utf8_lossy(&guard.bytes).into_owned()
    }

    /// Waits until what has been printed is as wanted; false if that takes too long.
    pub(crate) fn wait_until(&self, mut wanted: impl FnMut(&str) -> bool) -> bool {
        let (printed, came) = &*self.0;
        let mut holds = |printed: &Printed| wanted(&String::from_utf8_lossy(&printed.bytes));
        let go_on = |printed: &mut Printed| !printed.ended && !holds(printed);
        let (guard, _) = came.wait_timeout_while(printed.lock().unwrap(), LIMIT, go_on).unwrap();
        holds(&guard)
    }
}

/// The text with what differs from run to run left out: ports, what stands before the addresses in
/// the text of a socket (Python's own has changed), carriage returns.
fn without_ports(text: &str) -> String {
    let mut text = text.replace('\r', "");
    for before in ["127.0.0.1', ", "127.0.0.9', ", "127.0.0.1:"] {
        let mut pieces = text.split(before);
        let mut left_out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
            left_out.extend([before, if rest == piece { "" } else { "PORT" }, rest]);
        }
        text = left_out;
    }
    let mut pieces = text.split("<socket.socket fd=");
    let mut left_out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let at = piece.find("laddr=").unwrap_or(0);
        left_out.extend(["<socket.socket … ", &piece[at..]]);
    }
    left_out
}

/// A connection of the test's own.
pub(crate) fn connect(host: &str, port: &str) -> TcpStream {
    let stream = TcpStream::connect(format!("{host}:{port}")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// The port on which a process listens, as the kernel has it: the inodes of the process's sockets,
/// and the table of IPv4 sockets, in which 0A is "listening".
fn listening_port(process: u32) -> Option<u16> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let sockets: Vec<String> = files
        .filter_map(|file| Some(std::fs::read_link(file.ok()?.path()).ok()?.display().to_string()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ours = columns.get(3) == Some(&"0A") && sockets.iter().any(|one| one == columns[9]);
        let (_, port) = columns.get(1)?.split_once(':')?;
        if ours { u16::from_str_radix(port, 16).ok() } else { None }
    })
}

/// The pages of the tutorial, in both languages: paths from the root, and texts.
pub(crate) fn tutorial() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for folder in ["docs/tutorial", "docs/tutorial/zh"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                let path = format!("{folder}/{name}");
                let text = std::fs::read_to_string(root().join(&path)).unwrap();
                pages.push((path, text));
            }
        }
    }
    pages.sort();
    pages
}
