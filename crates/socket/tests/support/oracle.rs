//! What tests of names and addresses share: a watchdog, skips, random input, Python's answers.
//!
//! Each test file mounts it and uses a part of it.

#![allow(dead_code, unreachable_pub)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Longer than any test takes that goes well, on any machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the process with a message if it is not dropped in time: a test that hangs is a failure.
#[must_use = "it watches for as long as it is kept"]
pub struct Watchdog(#[allow(dead_code)] mpsc::Sender<()>);

pub fn watchdog(limit: Duration) -> Watchdog {
    let (sender, receiver) = mpsc::channel::<()>();
    let test = std::thread::current().name().unwrap_or("main").to_owned();
    std::thread::spawn(move || {
        if receiver.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("watchdog: {test} did not end within {limit:?}");
            std::process::abort();
        }
    });
    Watchdog(sender)
}

/// Says why a test does nothing here, or fails if nothing may be left out.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "may not skip: {reason}");
    println!("skipped: {reason}");
}

/// Says why a test does nothing here, whatever may be left out: the kernel has no such thing.
pub fn kernel_lacks(what: &str) {
    println!("skipped: this kernel has no {what}");
}

/// The lines that Python prints when it runs `script` with `lines` on its standard input; `None`,
/// with the reason said, where there is no Python.
pub fn python(script: &str, lines: &[String]) -> Option<Vec<String>> {
    let spawned = Command::new("python3")
        .args(["-X", "utf8", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            skip(&format!("python3 does not start: {error}"));
            return None;
        }
    };
    let mut input = child.stdin.take().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "Python ended with {}", output.status);
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// Numbers that look random and are the same in every run: xorshift64*, Vigna 2016.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Up to `most` of the pieces, one after the other.
    pub fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| *self.pick(pieces)).collect()
    }

    /// `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}
