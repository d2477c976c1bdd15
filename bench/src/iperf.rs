//! One run of iperf3 on loopback: a receiver that serves once, a sender, and the sender's report.
//!
//! Nothing here needs iperf3 to be installed; [`missing`] says when it is not.

use crate::isolation::Isolation;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Lines, PipeReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What iperf3 says of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Done {
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) sender_cpu: Duration,
    pub(crate) receiver_cpu: Duration,
}

/// Why it cannot take part.
pub(crate) fn missing() -> Option<&'static str> {
    let mut version = Command::new("iperf3");
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let runs = version.status().is_ok_and(|status| status.success());
    (!runs).then_some("not installed: iperf3")
}

/// Sends 1 GiB from memory, by `sendfile` if `zero_copy`. The sender is on the server's CPU, as in
/// the other ways of the cell.
pub(crate) fn run(zero_copy: bool, isolation: &Isolation) -> io::Result<Done> {
    // Someone may take a port that was free a moment ago.
    let mut receiver = Receiver::start(isolation.load_cpu);
    for _ in 1..STARTS {
        receiver = receiver.or_else(|_| Receiver::start(isolation.load_cpu));
    }
    let receiver = receiver?;
    let arguments = ["--client", "127.0.0.1", "--port", &receiver.port];
    let mut send = launch(isolation.server_cpu, &arguments)?;
    send.args(["--bytes", BYTES, "--json"]).args(zero_copy.then_some("--zerocopy"));
    let output = send.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    parse(&report).ok_or_else(|| {
        let error = report["error"].as_str().unwrap_or("an unknown form");
        io::Error::other(format!("iperf3 reports {error}"))
    })
}

/// iperf3 on one CPU, by way of this program, which takes it along when it dies.
fn launch(cpu: Option<usize>, arguments: &[&str]) -> io::Result<Command> {
    let cpu = cpu.map_or("-".to_owned(), |cpu| cpu.to_string());
    let mut command = Command::new(std::env::current_exe()?);
    command.args([OsString::from("launch"), cpu.into(), "-".into(), "iperf3".into()]);
    command.args(arguments);
    Ok(command)
}

/// The receiver's process, which ends by itself after one run, unless there was none.
struct Receiver {
    child: Child,
    port: String,
    /// Kept open, so that it can say more.
    said: Lines<BufReader<PipeReader>>,
}

impl Receiver {
    /// Returns when it listens.
    fn start(cpu: Option<usize>) -> io::Result<Receiver> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port().to_string();
        drop(listener);
        let (said, says) = io::pipe()?;
        let mut serve = launch(cpu, &["--server", "--one-off", "--forceflush", "--port", &port])?;
        serve.stdin(Stdio::null()).stdout(says.try_clone()?).stderr(says);
        let child = serve.spawn()?;
        // With it the ends of the pipe that are ours.
        drop(serve);
        let mut receiver = Receiver { child, port, said: BufReader::new(said).lines() };
        let mut last = String::new();
        for line in &mut receiver.said {
            last = line?;
            if last.contains("listening") {
                return Ok(receiver);
            }
        }
        Err(io::Error::other(format!("iperf3 does not listen; its last line: {last}")))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// CPU is said in percent of the time the test took.
fn parse(report: &Value) -> Option<Done> {
    let end = &report["end"];
    let seconds = end["sum_received"]["seconds"].as_f64()?;
    let share = |key: &str| Some(end["cpu_utilization_percent"][key].as_f64()? / 100.0);
    Some(Done {
        bytes: end["sum_received"]["bytes"].as_u64()?,
        elapsed: Duration::try_from_secs_f64(seconds).ok()?,
        sender_cpu: Duration::try_from_secs_f64(share("host_total")? * seconds).ok()?,
        receiver_cpu: Duration::try_from_secs_f64(share("remote_total")? * seconds).ok()?,
    })
}

/// Bytes of a run, in iperf3's words.
const BYTES: &str = "1G";
const STARTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn percent_of_the_time_is_time() {
        let report = json!({ "end": {
            "sum_received": { "seconds": 0.5, "bytes": 1_073_741_824_u64 },
            "cpu_utilization_percent": { "host_total": 80.0, "remote_total": 40.0 },
        }});
        let done = parse(&report).unwrap();
        assert_eq!((done.bytes, done.elapsed), (1 << 30, Duration::from_millis(500)));
        assert_eq!(done.sender_cpu, Duration::from_millis(400));
        assert_eq!(done.receiver_cpu, Duration::from_millis(200));
        assert_eq!(parse(&json!({ "error": "unable to connect" })), None);
    }
}
