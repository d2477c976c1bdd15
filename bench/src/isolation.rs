//! Conditions that are the same for every contestant: a network namespace of our own, one
//! congestion control, no TIME_WAIT, one CPU for the load and one for the server.
//!
//! Why: a host may default to BBR, which paces by measured rates and collapses when the sender's
//! CPU is contended; on loopback the numbers would then be BBR's. The sysctl is per network
//! namespace, so in a fresh one it is ours to set. The host's own settings are never touched.

use rustix::process::{Resource, Rlimit};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Under which conditions this run takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isolation {
    /// In a fresh network namespace, so that TCP settings are ours.
    pub(crate) fresh_network: bool,
    /// The CPU of the load generator; `None` when there is only one and nothing is pinned.
    pub(crate) load_cpu: Option<usize>,
    /// The CPU of the servers.
    pub(crate) server_cpu: Option<usize>,
}

impl Isolation {
    /// Sets the conditions up. When a fresh network namespace can be had, this replaces the process
    /// by one inside it, which comes here again.
    pub(crate) fn enter(host_network: bool) -> io::Result<Isolation> {
        let fresh_network = std::env::var_os(INSIDE).is_some();
        if fresh_network {
            congestion_control();
            no_time_wait();
        } else if !host_network {
            restart_in_fresh_network()?;
        }
        let limits = rustix::process::getrlimit(Resource::Nofile);
        // Thousands of connections need it; refusal shows later as "too many open files".
        let raised = Rlimit { current: limits.maximum, ..limits };
        let _refusal = rustix::process::setrlimit(Resource::Nofile, raised);
        let allowed = rustix::thread::sched_getaffinity(None)?;
        let mut cpus = (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let (load_cpu, server_cpu) = match (cpus.next(), cpus.next()) {
            (Some(first), Some(second)) => (Some(first), Some(second)),
            _ => (None, None),
        };
        Ok(Isolation { fresh_network, load_cpu, server_cpu })
    }
}

/// Whether this process may have the descriptors for so many connections; it says why not.
pub(crate) fn descriptors_for(connections: usize) -> Result<(), String> {
    let needed = connections as u64 + SPARE_DESCRIPTORS;
    let allowed = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    match allowed < needed {
        true => Err(format!("{needed} descriptors are needed, {allowed} allowed")),
        false => Ok(()),
    }
}

/// Returns when no fresh network namespace can be had; otherwise only with an error.
fn restart_in_fresh_network() -> io::Result<()> {
    // As root; then as a user who may become root of a namespace.
    for flags in [&["--net"][..], &["--map-root-user", "--net"]] {
        let mut trial = Command::new("unshare");
        trial.args(flags).args(["sh", "-c", LOOPBACK_UP]).stdout(Stdio::null());
        if trial.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            let script = format!("{LOOPBACK_UP} && exec \"$0\" \"$@\"");
            let mut inside = Command::new("unshare");
            inside.args(flags).args(["sh", "-c", &script]).arg(std::env::current_exe()?);
            return Err(inside.args(std::env::args_os().skip(1)).env(INSIDE, "1").exec());
        }
    }
    Ok(())
}

/// Cubic, else Reno; what holds in the end is read back for the report.
fn congestion_control() {
    let set = |name: &&str| fs::write(crate::environment::CONGESTION_CONTROL, name).is_ok();
    let _chosen = ["cubic", "reno"].iter().find(|name| set(name));
}

/// Connections that have ended are forgotten at once. Tens of thousands a second would otherwise
/// fill the kernel's table during the first seconds of a run and weigh on all that follow. Between
/// two ends on loopback nothing can arrive late, which is all that waiting would be for.
fn no_time_wait() {
    // What holds in the end is in the report.
    drop(fs::write(crate::environment::TIME_WAIT_LIMIT, "0"));
}

/// For what is not a connection, in the server and in the load generator.
const SPARE_DESCRIPTORS: u64 = 64;
/// Set for the process inside the fresh network namespace.
const INSIDE: &str = "SWITCHBOARD_BENCH_FRESH_NETWORK";
const LOOPBACK_UP: &str = "ip link set lo up || ifconfig lo up";
