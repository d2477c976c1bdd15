//! A peer's process: started under the conditions of the cell, found by its port file, killed when
//! dropped, with whatever processes it has started.
//!
//! A peer is started through this same program (`launch`), which sets CPU, descriptor limit and
//! death signal for itself and then becomes the peer. So no condition applies late, and no server
//! outlives a harness that was killed. Only the start cell starts peers directly.

use crate::accounting::family;
use crate::peers::{PORT_FILE, Program};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::CpuSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// A running echo server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    log: PathBuf,
}

/// What holds for a server's process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Conditions {
    /// Nothing; started directly.
    Plain,
    /// On this CPU (any, if `None`) and with at most this many descriptors (inherited, if `None`).
    Bound { cpu: Option<usize>, descriptors: Option<u64> },
}

impl Server {
    /// Starts `program` and waits until it accepts connections. Its files go to `folder`.
    pub(crate) fn start(
        program: &Program,
        conditions: Conditions,
        folder: &Path,
    ) -> io::Result<Server> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let log = format!("log-{}", NUMBER.fetch_add(1, Relaxed));
        let (port_file, log) = (folder.join("port"), folder.join(log));
        drop(fs::remove_file(&port_file));
        let mut command = command(program, conditions, &port_file)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut server = Server { child: command.spawn()?, port: 0, log };
        let deadline = Instant::now() + START_LIMIT;
        while server.port == 0 {
            // Another form than a number means the writer is not done.
            match fs::read_to_string(&port_file).map(|text| text.trim().parse()) {
                Ok(Ok(port)) => server.port = port,
                _ if Instant::now() > deadline => return Err(server.failure("gave no port")),
                _ => thread::sleep(START_POLL),
            }
            if server.port == 0 && server.child.try_wait()?.is_some() {
                return Err(server.failure("ended before it listened"));
            }
        }
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lines the server has written to stderr so far.
    pub(crate) fn log_lines(&self) -> usize {
        fs::read(&self.log).map_or(0, |log| log.iter().filter(|byte| **byte == b'\n').count())
    }

    /// An error that carries the last thing the server said.
    pub(crate) fn failure(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().last().unwrap_or("(it said nothing)");
        io::Error::other(format!("the server {what}; its last line: {last}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Stopped, it starts no more children while the list is made; a stopped process can be
        // killed. Each step fails only when it has ended by itself.
        signal(self.pid(), Signal::STOP);
        for process in family(self.pid()).unwrap_or_default() {
            signal(process, Signal::KILL);
        }
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_file(&self.log));
    }
}

/// `launch CPU DESCRIPTORS PROGRAM ARGUMENT…`, run in the child; `-` stands for "as inherited".
/// Returns only on failure.
pub(crate) fn launch(arguments: &[OsString]) -> io::Error {
    let [cpu, descriptors, program, rest @ ..] = arguments else {
        return io::Error::other("launch CPU DESCRIPTORS PROGRAM ARGUMENT...");
    };
    let number = |argument: &OsString| argument.to_str().and_then(|text| text.parse::<u64>().ok());
    let prepare = || -> io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if let Some(cpu) = number(cpu) {
            pin(cpu as usize)?;
        }
        if let limit @ Some(_) = number(descriptors) {
            let limits = Rlimit { current: limit, maximum: limit };
            rustix::process::setrlimit(Resource::Nofile, limits)?;
        }
        Ok(())
    };
    match prepare() {
        Ok(()) => Command::new(program).args(rest).exec(),
        Err(error) => error,
    }
}

fn signal(process: u32, signal: Signal) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let _ended = pid.map(|pid| rustix::process::kill_process(pid, signal));
}

/// Confines the calling thread, and what it starts later, to one CPU.
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

fn command(program: &Program, conditions: Conditions, port_file: &Path) -> io::Result<Command> {
    let mut command = match conditions {
        Conditions::Plain => Command::new(&program.path),
        Conditions::Bound { cpu, descriptors } => {
            let word = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["launch".to_owned(), word(cpu.map(|n| n as u64)), word(descriptors)]);
            command.arg(&program.path);
            command
        }
    };
    command.args(program.arguments.iter().map(|argument| match argument.to_str() {
        Some(PORT_FILE) => port_file.as_os_str(),
        _ => argument.as_os_str(),
    }));
    command.envs(program.environment.iter().copied());
    Ok(command)
}

const START_LIMIT: Duration = Duration::from_secs(60);
/// Short beside what is measured in the start cell, long enough to leave the CPU to the server.
const START_POLL: Duration = Duration::from_micros(50);
