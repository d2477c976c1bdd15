//! The end of a server: finish what is under way, then cut off what is not done.
//!
//! ```text
//!   serving ──asked──► draining ──half the grace──► time called ──all closed──► ended
//!                         │                             │                          ▲
//!                         └─────────── grace over, or asked again ──► cut off ─────┘
//! ```
//! * **draining**: no new connections. Those between two requests see the end of their input; the
//!   others may finish what they have.
//! * **time called**: a connection that only waits for its peer to say something is let go: its
//!   read fails. Whoever is at work, or being written to, has the rest of the grace.
//! * **cut off**: every call of every open connection fails. Handlers get a second to return. One
//!   that still does not is ended by force where it is a process; otherwise it is left behind and
//!   counted, since a thread cannot be ended from outside.
//!
//! This runs on a thread of its own, the watch, so that it works the same for every engine, also
//! where the serving thread is inside a handler.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use socket::signal::StopSignals;
use socket::{Deadline, Interest, Poll, poll};

use crate::duties::Duties;
use crate::event::Event;
use crate::latch::Latch;
use crate::running::Running;

/// How long a handler that has just received a request may take to say so, before it is taken for
/// one that still waits.
const SETTLE: Duration = Duration::from_millis(20);
/// How long handlers have to return after being cut off.
pub(crate) const SECOND_GRACE: Duration = Duration::from_secs(1);

/// How a server ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drained {
    /// Connections cut off.
    pub(crate) cut: usize,
    /// Handlers that did not return even then.
    pub(crate) left: usize,
}

/// Makes the descriptors that a server needs in order to end, while there are some to be had: the
/// end may come in the middle of a shortage.
pub(crate) fn prepare(running: &Running, ended: &Latch) -> io::Result<()> {
    let switches = &running.switches;
    let latches = [&switches.stop, &switches.now, &running.patrol.wake, ended];
    let ends = [&running.cut, &running.kill, &running.places.finished, &running.over];
    latches.into_iter().chain(ends).try_for_each(|latch| latch.fd().map(drop))?;
    if running.engine.forks() {
        switches.share()?;
        // A handler that shortens a deadline wakes the patrol.
        running.patrol.wake.share()?;
    }
    Ok(())
}

/// Waits for the request to stop, or for `ended`, and sees the server through to its end.
pub(crate) fn watch(
    running: &Arc<Running>,
    signals: Option<StopSignals>,
    ended: &Latch,
    duties: Duties,
) -> io::Result<Drained> {
    let duties = &duties;
    let switches = &running.switches;
    let asked = signals.map(|signals| signals.asked());
    let again = signals.map(|signals| signals.again());
    // A worker whose supervisor has ended serves for nobody.
    let alone = running.teller.supervisor().map(AsFd::as_fd);
    let (stop, now) = (Some(switches.stop.fd()?), Some(switches.now.fd()?));
    patrol(running, duties, &[stop, now, Some(ended.fd()?), asked, alone], Deadline::Never)?;
    if alone.is_some_and(is_readable) {
        switches.stop.set();
    }

    let between = running.begin_drain();
    let grace = running.guards.grace;
    // Without the places that accept loops keep free for a moment.
    let open = running.places.unfinished();
    running.tell(&Event::DrainBegan { open, grace });
    running.notify(&format!("STOPPING=1\nSTATUS=stopping, {open} open"));
    let over = [Some(running.places.finished.fd()?), Some(switches.now.fd()?), again];
    if !between.is_empty() && !patrol(running, duties, &over, Deadline::After(SETTLE))? {
        between.iter().for_each(|(link, wait)| link.end_between(*wait));
    }
    drop(between);
    if !patrol(running, duties, &over, Deadline::After(grace / 2))? {
        running.call_time();
        patrol(running, duties, &over, Deadline::After(grace / 2))?;
    }

    let drained = cut_remaining(running, duties)?;
    running.tell(&Event::DrainEnded { cut: drained.cut });
    Ok(drained)
}

/// Waits for the end of a server that serves one request, or for `failed`. Nobody is hurried.
pub(crate) fn watch_one(running: &Arc<Running>, failed: &Latch) -> io::Result<Drained> {
    let over = [&running.places.finished, &running.switches.now, failed];
    let [finished, now, failed] = over.map(|latch| latch.fd());
    patrol(
        running,
        &Duties::none(),
        &[Some(finished?), Some(now?), Some(failed?)],
        Deadline::Never,
    )?;
    cut_remaining(running, &Duties::none())
}

/// Cuts off what has not finished, and gives it a moment to notice.
fn cut_remaining(running: &Running, duties: &Duties) -> io::Result<Drained> {
    let mut drained = Drained::default();
    if running.places.unfinished() > 0 {
        drained.cut = running.cut_all();
        let finished = [Some(running.places.finished.fd()?)];
        let all = patrol(running, duties, &finished, Deadline::After(SECOND_GRACE))?;
        if !all && running.engine.forks() {
            running.kill.set();
            patrol(running, duties, &finished, Deadline::After(SECOND_GRACE))?;
        }
        drained.left = running.places.unfinished();
    }
    Ok(drained)
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut asked = [Poll::new(fd, Interest::READ)];
    poll(&mut asked, Deadline::Immediate).is_ok_and(|count| count > 0)
}

/// Waits until one of the descriptors is readable; false when the deadline passed first. Meanwhile
/// looks now and then for connections that wait for longer than they may, and ends their waiting,
/// and for what is to be told of the workers. While nothing opens and nothing is open, it sleeps,
/// but for its other duties.
fn patrol(
    running: &Running,
    duties: &Duties,
    fds: &[Option<BorrowedFd<'_>>],
    deadline: Deadline,
) -> io::Result<bool> {
    let deadline = deadline.fixed();
    let mut polls: Vec<_> = fds.iter().flatten().map(|fd| Poll::new(*fd, Interest::READ)).collect();
    let watched = polls.len();
    polls.push(Poll::new(running.patrol.wake.fd()?, Interest::READ));
    polls.extend(duties.came().map(|fd| Poll::new(fd, Interest::READ)));
    let mut opened = None;
    loop {
        let before = opened.replace(running.switches.requests().load(Relaxed));
        let next = match running.patrol_interval() {
            Some(interval)
                if opened != before || !running.patrol.rest(|| running.places.open() > 0) =>
            {
                deadline.earlier(Deadline::After(interval))
            }
            _ => deadline,
        };
        poll(&mut polls, next.earlier(duties.due()))?;
        running.patrol.woken();
        duties.perform(running)?;
        running.tell_short();
        if polls[..watched].iter().any(|poll| poll.ready.read) {
            return Ok(true);
        }
        if deadline.remaining() == Some(Duration::ZERO) {
            return Ok(false);
        }
        running.expire();
        running.tell_stalled();
    }
}
