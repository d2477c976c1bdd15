//! The record of where a run took place, without which its numbers mean nothing.

use crate::isolation::Isolation;
use crate::peers::Contestant;
use rustix::process::{Resource, getrlimit};
use serde_json::{Map, Value, json};
use std::fs;
use std::process::Command;

/// Everything about the machine, the settings and the versions that moves the numbers.
pub(crate) fn record(isolation: &Isolation, contestants: &[Contestant]) -> Value {
    let peers = contestants.iter().map(|Contestant { name, programs, .. }| {
        match programs.iter().find_map(|(_, program)| program.as_ref().ok()) {
            Some(program) => json!({ "name": name, "version": program.version }),
            None => {
                let why = programs.iter().find_map(|(_, program)| program.as_ref().err());
                json!({ "name": name, "skipped": why })
            }
        }
    });
    let network = if isolation.fresh_network { "fresh namespace" } else { "host" };
    json!({
        "v": 1,
        "t": "environment",
        "bench": env!("CARGO_PKG_VERSION"),
        "kernel": line("/proc/sys/kernel/osrelease"),
        "cpu": cpu_model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "mitigations": mitigations(),
        "clock_source": line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "load_cpu": isolation.load_cpu,
        "server_cpu": isolation.server_cpu,
        "network": network,
        "congestion_control": line(CONGESTION_CONTROL),
        "loopback_mtu": line("/sys/class/net/lo/mtu"),
        "somaxconn": line("/proc/sys/net/core/somaxconn"),
        "time_wait_limit": line(TIME_WAIT_LIMIT),
        "ephemeral_ports": line("/proc/sys/net/ipv4/ip_local_port_range"),
        "descriptors": getrlimit(Resource::Nofile).current,
        "rustc": rustc(),
        "contestants": peers.collect::<Vec<_>>(),
    })
}

/// The same for people: a few lines, and a warning for what makes the numbers doubtful.
pub(crate) fn print(record: &Value) {
    let text = |key: &str| record[key].as_str().unwrap_or("unknown").to_owned();
    println!("{}, {} CPUs, Linux {}", text("cpu"), record["cpus"], text("kernel"));
    let (control, mtu) = (text("congestion_control"), text("loopback_mtu"));
    println!("network: {}, {control}, loopback MTU {mtu}", text("network"));
    match (&record["load_cpu"], &record["server_cpu"]) {
        (Value::Null, _) => println!("warning: one CPU only; load and server share it, not pinned"),
        (load, server) => println!("load on CPU {load}, server on CPU {server}"),
    }
    if record["network"] == "host" {
        println!("warning: no fresh network namespace (no rights?); TCP settings are the host's");
    }
    if !["cubic", "reno"].contains(&control.as_str()) {
        println!("warning: congestion control {control} distorts loopback figures");
    }
    for peer in record["contestants"].as_array().into_iter().flatten() {
        let name = peer["name"].as_str().unwrap_or_default();
        match peer["version"].as_str() {
            Some(version) => println!("  {name}: {version}"),
            None => println!("  {name}: skipped, {}", peer["skipped"].as_str().unwrap_or_default()),
        }
    }
}

/// Where the kernel keeps the default congestion control of this network namespace.
pub(crate) const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// How many connections in TIME_WAIT this network namespace keeps.
pub(crate) const TIME_WAIT_LIMIT: &str = "/proc/sys/net/ipv4/tcp_max_tw_buckets";

fn line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(model.split_once(':')?.1.trim().to_owned())
}

/// Those that cost something here; each taxes every system call.
fn mitigations() -> Map<String, Value> {
    let folder = fs::read_dir("/sys/devices/system/cpu/vulnerabilities");
    let mut active = Map::new();
    for entry in folder.into_iter().flatten().flatten() {
        let state = fs::read_to_string(entry.path()).unwrap_or_default();
        if !state.starts_with("Not affected") {
            let name = entry.file_name().to_string_lossy().into_owned();
            active.insert(name, Value::from(state.trim()));
        }
    }
    active
}

fn rustc() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_model_is_the_text_after_the_colon() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some: CPU @ 2 GHz\nstepping\t: 1\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Some: CPU @ 2 GHz"));
        assert_eq!(cpu_model("CPU architecture: 8\n"), None);
    }
}
