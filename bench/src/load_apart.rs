//! The load generator as a process of its own: one process may not have the connections of several
//! servers that stand at once. It is told a time in a line, runs as long and answers in a line;
//! between two it sleeps.

use crate::load::{Done, Load};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A load generator that runs apart; ended when this is dropped.
pub(crate) struct LoadApart {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl LoadApart {
    /// As [`Load::connect`], with a message from each connection there and back.
    pub(crate) fn connect(
        port: u16,
        connections: usize,
        message_bytes: usize,
    ) -> io::Result<LoadApart> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("load").args([port.to_string()]);
        command.args([connections, message_bytes].map(|number| number.to_string()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let (orders, answers) = (orders.expect("is a pipe"), answers.expect("is a pipe"));
        let mut load = LoadApart { child, orders, answers: BufReader::new(answers) };
        // Connected, and all were heard.
        load.answer()?;
        Ok(load)
    }

    /// As [`Load::run`].
    pub(crate) fn run(&mut self, duration: Duration) -> io::Result<Done> {
        writeln!(self.orders, "{}", duration.as_nanos())?;
        let [messages, cpu, elapsed] = self.answer()?;
        let [cpu, elapsed] = [cpu, elapsed].map(Duration::from_nanos);
        Ok(Done { messages, cpu, elapsed })
    }

    /// Three numbers, or what went wrong.
    fn answer(&mut self) -> io::Result<[u64; 3]> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers = line.split_whitespace().map_while(|word| word.parse().ok());
        match numbers.collect::<Vec<_>>()[..] {
            [messages, cpu, elapsed] => Ok([messages, cpu, elapsed]),
            _ => Err(io::Error::other(format!("the load generator: {}", line.trim()))),
        }
    }
}

impl Drop for LoadApart {
    fn drop(&mut self) {
        // Fails only when it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `load PORT CONNECTIONS BYTES`, run in the child, until nothing more is asked for.
pub(crate) fn run_inside(words: &[OsString]) -> io::Result<bool> {
    match obey(words) {
        Ok(()) => Ok(true),
        Err(error) => {
            println!("{error}");
            Ok(false)
        }
    }
}

fn obey(words: &[OsString]) -> io::Result<()> {
    let usage = || io::Error::other("load PORT CONNECTIONS BYTES");
    let number = |word: &OsString| word.to_str()?.parse::<usize>().ok();
    let numbers: Option<Vec<usize>> = words.iter().map(number).collect();
    let Some([port, connections, bytes]) = numbers.as_deref() else { return Err(usage()) };
    let port = u16::try_from(*port).map_err(|_| usage())?;
    let mut load = Load::connect(port, *connections, *bytes)?;
    load.round()?;
    println!("0 0 0");
    for line in io::stdin().lines() {
        let nanoseconds = line?.parse().map_err(io::Error::other)?;
        let Done { messages, cpu, elapsed } = load.run(Duration::from_nanos(nanoseconds))?;
        println!("{messages} {} {}", cpu.as_nanos(), elapsed.as_nanos());
    }
    Ok(())
}
