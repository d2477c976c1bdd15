//! Runs the console blocks of the documents, each by itself, and compares what comes.
//!
//! ```text
//! $ target/debug/echo_server                what stands behind `$ ` is given to bash, with the
//! > …                                       lines behind `> ` that follow at once
//! I am listenning                           what it prints follows
//! Connected By: ('127.0.0.1', …)            … is anything within a line
//! …                                         and alone on its line any lines
//! # in another terminal                     what follows is typed while the above goes on
//! # back in the first terminal              what follows is typed when the above has ended there
//! $ target/debug/upper_client
//! >>: hello                                 after the prompt `>>: ` a person types the rest
//! ^C                                        at the end of the block Ctrl-C ends the program
//! ```
//! * A block has a network of its own (`unshare -rn`), in which every port is free, and an empty
//!   folder in which `target/debug` and `examples` lead to the real ones. Each command has a shell
//!   of its own. `cargo` is a script that starts what cargo has built for the tests.
//! * A command has ended before the next one in its terminal begins. The last one before a change
//!   of terminals is left alone once it has ended, listens, or has printed its lines; those are
//!   compared at the end of the block, when whatever still runs is killed.
//! * Whoever changes terminals or types does it when nothing of the block runs: every process of
//!   it waits for something. So what is typed never overtakes what went before.
//! * The prompt that is the last line of a command is not answered. One with nothing behind it
//!   elsewhere is answered with an empty line.
//! * A command with no lines below it may print what it likes, but must not fail.

mod block;
mod matching;

use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{has, skip};
pub(crate) use block::{Block, blocks};
use block::{Typed, terminals};
use matching::matches;

/// Longer than a block takes on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The programs that blocks use and that may be missing.
const TOOLS: [&str; 4] = ["curl", "nc", "python3", "ss"];

/// What cargo would do, had it not done it already: this is run by its tests.
const CARGO: &str = "#!/bin/sh
case \"$*\" in
'build -p switchboard-examples' | 'test --workspace') exit 0 ;;
'run --release -- '*) shift 3; exec target/debug/switchboard \"$@\" ;;
esac
echo \"the tests do not know: cargo $*\"; exit 2
";

/// Runs blocks with the programs that cargo has put into `programs`, a few at a time.
pub(crate) fn run_all(blocks: &[Block], programs: &Path) {
    let try_out = Command::new("unshare").args(["-rn", "ip", "link", "set", "lo", "up"]).output();
    if !try_out.is_ok_and(|output| output.status.success()) {
        return skip("a network of its own (unshare -rn) cannot be had");
    }
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(block) = blocks.get(next.fetch_add(1, Relaxed) as usize) {
                    let words = || block.text.split_whitespace();
                    if TOOLS.iter().all(|tool| !words().any(|word| word == *tool) || has(tool)) {
                        run(block, programs);
                    }
                }
            });
        }
    });
}

/// Runs one block.
fn run(block: &Block, programs: &Path) {
    let room = Room::new(programs);
    let mut running: Vec<Running> = Vec::new();
    for (terminal, commands) in terminals(block) {
        let last = commands.len() - 1;
        for (at, typed) in commands.into_iter().enumerate() {
            let before = running.iter().rposition(|one| one.terminal == terminal);
            if let Some(before) = before {
                wait(block, &mut running, |running| running[before].has_ended());
            }
            let listeners = room.listeners();
            running.push(room.start(terminal, typed));
            let this = running.len() - 1;
            wait(block, &mut running, |running| {
                let done = room.listeners() > listeners || running[this].matches();
                running[this].has_ended() || (at == last && done && is_still(running))
            });
        }
    }
    for at in 0..running.len() {
        wait(block, &mut running, |running| running[at].matches() || running[at].has_ended());
        if running[at].typed.interrupted {
            running[at].signal("-INT");
            wait(block, &mut running, |running| running[at].has_ended());
        }
        assert!(running[at].matches(), "{}\n{}", block.place, running[at].told());
    }
}

/// Waits for a condition, and types meanwhile.
fn wait(block: &Block, running: &mut [Running], mut holds: impl FnMut(&mut [Running]) -> bool) {
    let end = Instant::now() + LIMIT;
    loop {
        if running.iter().any(|one| one.next_answer().is_some()) && is_still(running) {
            running.iter_mut().for_each(Running::answer_prompt);
        }
        if holds(running) {
            return;
        }
        if Instant::now() > end {
            let told: Vec<String> = running.iter().map(Running::told).collect();
            panic!("{}\n{}", block.place, told.join("\n"));
        }
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Whether every thread of these commands waits for something.
fn is_still(running: &[Running]) -> bool {
    let groups: Vec<String> = running.iter().map(|one| one.child.id().to_string()).collect();
    // What stands behind the name, which is in parentheses: state, parent, group.
    let state = |path: PathBuf| {
        let stat = std::fs::read_to_string(path.join("stat")).ok()?;
        let mut words = stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned);
        let (state, group) = (words.next()?, words.nth(1)?);
        groups.contains(&group).then_some(state)
    };
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    entries(Path::new("/proc"))
        .filter(|process| state(process.path()).is_some())
        .flat_map(|process| entries(&process.path().join("task")).collect::<Vec<_>>())
        .filter_map(|thread| state(thread.path()))
        .all(|state| state == "S" || state == "Z")
}

/// A network and a folder, for one block.
struct Room {
    /// Keeps the network there.
    holder: Child,
    folder: PathBuf,
}

impl Room {
    fn new(programs: &Path) -> Room {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("console-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let root = root.skip(1).find(|folder| folder.join("examples").is_dir());
        std::fs::create_dir_all(folder.join("target")).unwrap();
        std::fs::create_dir_all(folder.join(".bin")).unwrap();
        symlink(programs, folder.join("target/debug")).unwrap();
        symlink(root.unwrap().join("examples"), folder.join("examples")).unwrap();
        std::fs::write(folder.join(".bin/cargo"), CARGO).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.join(".bin/cargo"), executable).unwrap();

        let script = "ip link set lo up && echo up && exec cat";
        let mut command = Command::new("unshare");
        command.args(["-rn", "sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let up = holder.stdout.as_mut().unwrap().read_exact(&mut [0; 3]);
        let room = Room { holder, folder };
        up.expect("the network is up");
        room
    }

    /// How many sockets listen in it.
    fn listeners(&self) -> usize {
        let net = format!("/proc/{}/net", self.holder.id());
        let tables = ["tcp", "tcp6"].map(|name| std::fs::read_to_string(format!("{net}/{name}")));
        let lines = |table: &str| table.lines().filter(|line| line.contains(" 0A ")).count();
        tables.iter().flatten().map(|table| lines(table)).sum()
    }

    fn start(&self, terminal: usize, typed: Typed) -> Running {
        let mut path = self.folder.join(".bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string()]);
        command.args(["--user", "--net", "--preserve-credentials", "bash", "-c"]);
        command.arg(format!("exec 2>&1; {}", typed.command)).current_dir(&self.folder);
        command.env("PATH", path).env("PYTHONUNBUFFERED", "1").env("PYTHONIOENCODING", "utf-8");
        command.env("NO_COLOR", "1").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        let (mut stdout, shared) = (child.stdout.take().unwrap(), Arc::clone(&output));
        let reader = thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut piece) {
                shared.lock().unwrap().extend_from_slice(&piece[..count]);
            }
        });
        let stdin = child.stdin.take().unwrap();
        Running { terminal, typed, child, stdin, output, reader, answered: 0 }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A command that has been started.
struct Running {
    terminal: usize,
    typed: Typed,
    child: Child,
    stdin: ChildStdin,
    output: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
    answered: usize,
}

impl Running {
    fn printed(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).replace('\r', "")
    }

    /// What is to be typed next, if it prompts for it.
    fn next_answer(&self) -> Option<&str> {
        let prompts = self.printed().matches(">>: ").count();
        self.typed
            .answers
            .get(self.answered)
            .filter(|_| prompts > self.answered)
            .map(String::as_str)
    }

    fn answer_prompt(&mut self) {
        let Some(answer) = self.next_answer() else { return };
        let line = format!("{answer}\n");
        // A program that has ended is told of by what it did not print.
        let _ = self.stdin.write_all(line.as_bytes());
        self.answered += 1;
    }

    /// Whether it has printed what it should; where nothing is said, whether it has not failed.
    fn matches(&mut self) -> bool {
        match self.typed.expected.is_empty() {
            true => self.child.try_wait().unwrap().is_none_or(|status| status.success()),
            false => {
                let printed = self.printed();
                // A terminal shows no difference between a last line with an end and one without.
                matches(&self.typed.expected, &printed)
                    || matches(&self.typed.expected, &(printed + "\n"))
            }
        }
    }

    /// Whether it is over, and all that it has printed is there.
    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some() && self.reader.is_finished()
    }

    /// Sends a signal to it and to whatever it has started.
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
    }

    fn told(&self) -> String {
        let (typed, printed) = (&self.typed, self.printed());
        format!("$ {}\n--- expected\n{}--- printed\n{printed}---", typed.command, typed.expected)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal("-KILL");
        let _ = self.child.wait();
    }
}
