//! `doctor`: what this machine offers a server, and what to change.
//!
//! Each finding has a value, a verdict in a word and, where there is something to do, the command
//! that does it. Nothing is changed, and nothing needs a privilege. Thresholds are those at which
//! this program behaves differently; where a setting only matters to some, it is a note.
//!
//! Some of it is tried and not asked: a socket is bound, a ring is made and tested, each as a
//! server would and closed again.
//!
//! What it deliberately does not do: measure.

use std::fs;

use coroutine::Driver;
use rustix::process::{Resource, getgroups, getrlimit};
use rustix::system::uname;
use switchboard::socket::names::{has_dualstack_ipv6, has_ipv6};
use switchboard::socket::{ServerOptions, create_server};
use switchboard::{Engine, plain};

use crate::exit::{Exit, Failure, Result};
use crate::json::Object;
use crate::options::Global;
use crate::output::{Paint, data, table};

/// The first Linux that everything here works on.
const LINUX_MIN: (u32, u32) = (5, 10);

/// The first Linux with `MADV_GUARD_INSTALL`.
const LINUX_GUARDS: (u32, u32) = (6, 13);

/// Below this, the programs of a desktop run out of descriptors, and so does the board.
const FILES_MIN: u64 = 256;

/// Mappings that a process needs beside its stacks, of which each takes two without guards.
const MAPPINGS_SPARED: u64 = 4096;

/// Coroutines below which a server is better off with threads.
const STACKS_MIN: u64 = 1000;

/// The backlog that this program asks for where nobody says another.
const QUEUE: u64 = 128;

/// Ports from which a busy client or `bench` can choose.
const PORTS_MIN: u64 = 10_000;

pub(crate) fn run(global: &Global) -> Result {
    let findings = examine();
    if global.json {
        data(&findings.iter().map(Finding::object).collect::<String>())?;
    } else {
        let paint = Paint::stdout(global);
        let mut rows = vec![["WHAT", "VALUE", "VERDICT", "WHAT TO DO"].map(str::to_owned).to_vec()];
        rows.extend(findings.iter().map(Finding::row));
        data(&table(&rows, paint))?;
    }
    match findings.iter().any(|finding| finding.verdict == Verdict::Change) {
        true => Err(Failure::quiet(Exit::No)),
        false => Ok(()),
    }
}

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Ok,
    /// Good to know; whoever it concerns can change it.
    Note,
    /// Something here will not work, or badly.
    Change,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Change => "change",
        }
    }
}

/// One line.
#[derive(Debug)]
struct Finding {
    what: &'static str,
    value: String,
    verdict: Verdict,
    advice: String,
}

impl Finding {
    fn ok(what: &'static str, value: impl Into<String>) -> Finding {
        Finding { what, value: value.into(), verdict: Verdict::Ok, advice: String::new() }
    }

    /// The same as a note, if this holds.
    fn note_if(self, holds: bool, advice: impl Into<String>) -> Finding {
        self.if_so(holds, Verdict::Note, advice.into())
    }

    /// The same as something to change, if this holds.
    fn change_if(self, holds: bool, advice: impl Into<String>) -> Finding {
        self.if_so(holds, Verdict::Change, advice.into())
    }

    fn if_so(self, holds: bool, verdict: Verdict, advice: String) -> Finding {
        // What was found first is the graver.
        match holds && self.verdict == Verdict::Ok {
            true => Finding { verdict, advice, ..self },
            false => self,
        }
    }

    fn row(&self) -> Vec<String> {
        vec![self.what.into(), self.value.clone(), self.verdict.word().into(), self.advice.clone()]
    }

    fn object(&self) -> String {
        let object = Object::new("finding").text("what", self.what).text("value", &self.value);
        let object = object.text("verdict", self.verdict.word());
        match self.advice.is_empty() {
            true => object.null("advice"),
            false => object.text("advice", &self.advice),
        }
        .line()
    }
}

fn examine() -> Vec<Finding> {
    let linux = linux();
    let marked = linux >= LINUX_GUARDS;
    vec![kernel(linux), cores(), guards(marked), mappings(marked), files(), memory_locked()]
        .into_iter()
        .chain([driver(), loopback_4(), loopback_6(), dual_stack()])
        .chain([queue(), half_open(), ports(), low_ports(), ping_groups(), congestion()])
        .collect()
}

/// The first two numbers of the kernel's version.
fn linux() -> (u32, u32) {
    let release = uname();
    let release = release.release().to_string_lossy();
    let mut numbers = release.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn kernel(linux: (u32, u32)) -> Finding {
    let (major, minor) = LINUX_MIN;
    Finding::ok("kernel", uname().release().to_string_lossy())
        .change_if(linux < LINUX_MIN, format!("upgrade to Linux {major}.{minor} or later"))
}

fn cores() -> Finding {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    Finding::ok("cores", cores.to_string())
        .note_if(cores == 1, "a server and its bench share it: figures are of both")
}

fn guards(marked: bool) -> Finding {
    let value = if marked { "MADV_GUARD_INSTALL" } else { "mprotect" };
    Finding::ok("stack guards", value)
        .note_if(!marked, "two mappings for each coroutine (see below); Linux 6.13 needs none")
}

fn mappings(marked: bool) -> Finding {
    let what = "vm.max_map_count";
    let Some(allowed) = setting("vm/max_map_count") else { return unknown(what) };
    let stacks = allowed.saturating_sub(MAPPINGS_SPARED) / 2;
    let most = Engine::Coroutines.limit_connections() as u64;
    let wanted = most * 2 + MAPPINGS_SPARED;
    let advice = format!("{stacks} coroutines fit (sysctl -w {what}={wanted} for {most})");
    Finding::ok(what, allowed.to_string())
        .change_if(!marked && stacks < STACKS_MIN, advice.clone())
        .note_if(!marked && stacks < most, advice)
}

fn files() -> Finding {
    let limit = getrlimit(Resource::Nofile);
    let show = |value: Option<u64>| value.map_or("unlimited".to_owned(), |value| value.to_string());
    let value = format!("{} (hard {})", show(limit.current), show(limit.maximum));
    let most = Engine::Coroutines.limit_connections() as u64;
    let current = limit.current.unwrap_or(u64::MAX);
    Finding::ok("open files", value)
        .change_if(current < FILES_MIN, "raise it (ulimit -n 20000)")
        .note_if(
            current < most,
            format!("one for each connection (ulimit -n {most}, or LimitNOFILE= of systemd)"),
        )
}

fn memory_locked() -> Finding {
    let limit = getrlimit(Resource::Memlock).current;
    let value = limit.map_or("unlimited".to_owned(), |bytes| format!("{} KiB", bytes / 1024));
    Finding::ok("memory locked", value)
}

/// Which driver the workers of the coroutine engine get here, and why.
fn driver() -> Finding {
    let driven = Driver::Auto.examine();
    let advice = match (setting("kernel/io_uring_disabled"), &driven.refusal) {
        (_, None) => String::new(),
        (Some(2..), _) => "sysctl -w kernel.io_uring_disabled=0".into(),
        (Some(1), _) => "join the group of kernel.io_uring_group".into(),
        _ => "allow io_uring; with epoll everything works, a little slower under load".into(),
    };
    Finding::ok("coroutine driver", driven.to_string()).note_if(!advice.is_empty(), advice)
}

fn loopback_4() -> Finding {
    loopback("IPv4 loopback", "127.0.0.1:0")
        .unwrap_or_else(|finding| finding.change_if(true, "ip link set lo up"))
}

fn loopback_6() -> Finding {
    let what = "IPv6 loopback";
    if !has_ipv6() {
        return Finding::ok(what, "no IPv6 in this kernel")
            .note_if(true, "-6 and [::1] will not work");
    }
    loopback(what, "[::1]:0").unwrap_or_else(|finding| {
        finding.note_if(true, "sysctl -w net.ipv6.conf.lo.disable_ipv6=0")
    })
}

/// Whether a server can listen there.
fn loopback(what: &'static str, address: &str) -> std::result::Result<Finding, Finding> {
    match create_server(address, &ServerOptions::default()) {
        Ok(_) => Ok(Finding::ok(what, "listens")),
        Err(error) => Err(Finding::ok(what, plain(&error))),
    }
}

fn dual_stack() -> Finding {
    let both = has_dualstack_ipv6();
    Finding::ok("[::] takes IPv4 too", if both { "yes" } else { "no" })
        .note_if(!both, "listen on 0.0.0.0 as well")
}

fn queue() -> Finding {
    at_least("net.core.somaxconn", "net/core/somaxconn", QUEUE, 4096, "connections wait")
}

fn half_open() -> Finding {
    let (name, path) = ("net.ipv4.tcp_max_syn_backlog", "net/ipv4/tcp_max_syn_backlog");
    at_least(name, path, QUEUE, 512, "handshakes wait")
}

/// A queue that is too short drops clients in a burst.
fn at_least(what: &'static str, path: &str, least: u64, good: u64, of: &str) -> Finding {
    let Some(value) = setting(path) else { return unknown(what) };
    let advice = format!("at most {value} {of} (sysctl -w {what}={good})");
    Finding::ok(what, value.to_string()).note_if(value < least, advice)
}

fn ports() -> Finding {
    let what = "net.ipv4.ip_local_port_range";
    let range = text("net/ipv4/ip_local_port_range");
    let ends: Vec<u64> = range.split(' ').filter_map(|end| end.parse().ok()).collect();
    let [first, last] = ends[..] else { return unknown(what) };
    let count = (last + 1).saturating_sub(first);
    let advice = format!("{count} connections to one address (sysctl -w {what}=\"10000 65000\")");
    Finding::ok(what, range).note_if(count < PORTS_MIN, advice)
}

fn low_ports() -> Finding {
    let what = "ports for everybody";
    let Some(first) = setting("net/ipv4/ip_unprivileged_port_start") else { return unknown(what) };
    Finding::ok(what, format!("from {first}"))
}

fn ping_groups() -> Finding {
    let what = "net.ipv4.ping_group_range";
    let range = text("net/ipv4/ping_group_range");
    let ends: Vec<u64> = range.split(' ').filter_map(|end| end.parse().ok()).collect();
    let [first, last] = ends[..] else { return unknown(what) };
    let mut groups = getgroups().unwrap_or_default();
    groups.push(rustix::process::getegid());
    let ours = groups.iter().any(|group| (first..=last).contains(&u64::from(group.as_raw())));
    let advice = format!("ping needs CAP_NET_RAW, or TCP (sysctl -w {what}=\"0 2147483647\")");
    Finding::ok(what, range).note_if(!ours, advice)
}

fn congestion() -> Finding {
    let name = text("net/ipv4/tcp_congestion_control");
    let paces = name.starts_with("bbr");
    Finding::ok("net.ipv4.tcp_congestion_control", name)
        .note_if(paces, "it paces even over loopback, so that bench measures the pacing; try cubic")
}

fn unknown(what: &'static str) -> Finding {
    Finding::ok(what, "unknown").note_if(true, "/proc/sys does not say")
}

/// A setting of the kernel, with its words one space apart.
fn text(path: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/{path}")).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn setting(path: &str) -> Option<u64> {
    text(path).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graver_verdict_stays() {
        let finding = Finding::ok("a", "b").change_if(true, "c").note_if(true, "d");
        assert_eq!((finding.verdict, finding.advice.as_str()), (Verdict::Change, "c"));
        let finding = Finding::ok("a", "b").change_if(false, "c").note_if(true, "d");
        assert_eq!((finding.verdict, finding.advice.as_str()), (Verdict::Note, "d"));
    }

    #[test]
    fn every_finding_has_a_value_and_what_is_not_ok_has_advice() {
        for finding in examine() {
            assert!(!finding.value.is_empty(), "{finding:?}");
            assert_eq!(finding.advice.is_empty(), finding.verdict == Verdict::Ok, "{finding:?}");
        }
    }
}
