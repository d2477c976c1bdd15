//! Puts together what a server is doing, see `description.rs`.
//!
//! It may be asked at any time, with a hundred thousand connections open: the list of what is open
//! is locked for one walk through it, as the patrol does, and only then the kernel is asked about
//! the few that are told. Workers are asked by letter, all at once, and waited for together; one
//! that a handler keeps to itself costs [`PATIENCE`], and is told by that handler's name.
//!
//! What it deliberately does not do: stop anything while it looks. Connections of one description
//! are of slightly different moments.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use coroutine::Remote;
use socket::options::TcpInfo;
use socket::{Deadline, Family, Socket, Type};

use crate::description::{Description, Doing, OpenConnection, Traffic, WorkerDescription};
use crate::link::Link;
use crate::running::{Running, now};
use crate::switches::Switches;

/// How long workers have to answer. A worker that is not held does at once.
const PATIENCE: Duration = Duration::from_secs(1);

impl Switches {
    /// What the server is doing that these belong to, as far as this process knows.
    pub(crate) fn describe(&self) -> Description {
        let description = Description {
            process: std::process::id(),
            draining: self.stop.is_set(),
            counters: self.counters(),
            children: self.children.load(SeqCst),
            ..Description::default()
        };
        // In a child that was forked while it served, its locks may stay locked for ever.
        let running = self.known().running_here();
        match running {
            Some(running) => running.describe(description),
            None => description,
        }
    }
}

impl Running {
    /// Adds what is open here.
    fn describe(&self, mut description: Description) -> Description {
        description.engine = Some(self.engine);
        description.draining |= self.is_draining();
        let asked: Vec<_> = self.remotes().into_iter().map(ask).collect();
        let (doing, links) = self.most_interesting(Description::MOST);
        description.doing = doing;
        let names: Vec<Arc<str>> =
            self.switches.known().listeners.iter().map(|one| one.service.as_str().into()).collect();
        let (now, horizon) = (now(), self.state().horizon());
        let open = |(id, link): (u64, Arc<Link>)| {
            let service = names.get(link.listener).cloned().unwrap_or_default();
            connection(&link, id, service, now, horizon)
        };
        description.connections = links.into_iter().map(open).collect();
        let deadline = Deadline::After(PATIENCE).fixed();
        description.workers = asked.into_iter().map(|asked| asked.wait(deadline)).collect();
        description
    }
}

/// A connection in the list of what is open.
fn connection(link: &Link, id: u64, service: Arc<str>, now: u64, horizon: u64) -> OpenConnection {
    let (doing, until) = link.doing();
    let socket = link.socket.as_ref();
    OpenConnection {
        id,
        listener: link.listener,
        service,
        peer: socket.and_then(|socket| socket.getpeername().ok()),
        doing,
        left: until.map(|until| Duration::from_millis(until.saturating_sub(horizon))),
        open_for: Duration::from_millis(now.saturating_sub(link.since)),
        traffic: socket.and_then(traffic),
    }
}

/// What the kernel has counted, where it does.
fn traffic(socket: &Socket) -> Option<Traffic> {
    let inet = matches!(socket.family().ok()?, Family::INET | Family::INET6);
    if !inet || socket.kind().ok()? != Type::STREAM {
        return None;
    }
    let TcpInfo { bytes_received, bytes_acked, last_data_recv, .. } = socket.tcp_info().ok()?;
    Some(Traffic { received: bytes_received, sent: bytes_acked, silent_for: last_data_recv })
}

/// A worker that has been asked for its list.
struct Asked {
    remote: Remote,
    answer: coroutine::Asked,
}

fn ask(remote: Remote) -> Asked {
    // Looked at again if it does not answer.
    let _first = remote.held();
    Asked { answer: remote.list(Description::MOST), remote }
}

impl Asked {
    fn wait(self, deadline: Deadline) -> WorkerDescription {
        match self.answer.wait(deadline) {
            Some(listed) => WorkerDescription {
                answered: true,
                held: None,
                alive: listed.alive,
                stack_bytes: listed.stack_bytes,
                deepest: listed.deepest,
                coroutines: listed.coroutines,
            },
            None => WorkerDescription { held: self.remote.held(), ..WorkerDescription::default() },
        }
    }
}

/// How many do what, and `most` of them: [`Doing`]'s order, then the oldest first.
pub(crate) fn select<'a>(
    all: impl Iterator<Item = (u64, &'a Arc<Link>)>,
    most: usize,
) -> ([usize; Doing::ALL.len()], Vec<(u64, Arc<Link>)>) {
    let mut counts = [0; Doing::ALL.len()];
    let rank = |(id, link): (u64, &'a Arc<Link>)| {
        let doing = link.doing().0 as usize;
        counts[doing] += 1;
        (doing, id, link)
    };
    let mut ranked: Vec<_> = all.map(rank).collect();
    if ranked.len() > most {
        ranked.select_nth_unstable_by_key(most, |(doing, id, _)| (*doing, *id));
        ranked.truncate(most);
    }
    ranked.sort_unstable_by_key(|(doing, id, _)| (*doing, *id));
    (counts, ranked.into_iter().map(|(_, id, link)| (id, Arc::clone(link))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiting::{NEVER, Waiting};

    #[test]
    fn those_at_work_come_first_and_the_rest_is_only_counted() {
        let open = |id: u64| {
            let link = Arc::new(Link::new(None, None, 0));
            match id % 100 {
                0 => {}
                1..10 => link.wait(Waiting::Reading, 1_000, 0),
                _ => link.wait(Waiting::Between, NEVER, 0),
            }
            (id, link)
        };
        let all: Vec<_> = (0..10_000).rev().map(open).collect();
        let all = || all.iter().map(|(id, link)| (*id, link));
        let (counts, told) = select(all(), 120);
        assert_eq!(counts, [100, 900, 9_000, 0]);
        let ids: Vec<u64> = told.iter().map(|(id, _)| *id).collect();
        let working = (0..100).map(|hundred| hundred * 100);
        let reading = [0, 100, 200].into_iter().flat_map(|hundred| hundred + 1..hundred + 10);
        assert_eq!(ids, working.chain(reading).take(120).collect::<Vec<_>>());
        let (_, all_of_them) = select(all(), 20_000);
        assert_eq!(all_of_them.len(), 10_000);
        assert_eq!(told[100].1.doing(), (Doing::Reading, Some(1_000)));
        assert_eq!(all_of_them[9_999].1.doing(), (Doing::Between, None));
    }
}
