//! `processes`: a forked process for each connection, up to a limit.
//!
//! * **What runs a request?** A process of its own, forked when it is accepted and gone with it.
//! * **What do requests share?** Nothing but what was there before, as a copy: what one changes in
//!   memory no other sees. Files are shared; connections of others are closed.
//! * **What does a slow client cost?** A waiting process; the others do not notice.
//! * **Memory per connection?** About 250 KiB: a process and the pages it changes.
//! * **What does a panic do?** It is caught, told, and closes its connection; the others go on. So
//!   they do when a handler aborts, overflows its stack, or is killed.
//! * **How does it stop?** Handlers finish within the grace period and their processes are waited
//!   for; one that does not end is killed.
//! * **When not to use it?** For handlers that share state, and for many connections: a fork costs
//!   more than a thread, and the more the more memory the server has.
//!
//! ```text
//!   accept ─► place ─► fork ──┬─► child: verify, setup, handle, finish, close ─► _exit
//!                             │     │ every event, as a record         ▲
//!                             │     ▼                                  │ shutdown(2), words
//!                             └─► parent: tells them, keeps the place and a copy of the socket,
//!                                 waits for the child ─► gives the place back, tells the end
//! ```
//! The socket's copy and the words of its [`Link`](crate::link::Link), which both see, are how the
//! patrol and the drain reach into a child. A connection is over when its process is: its end is
//! told then and not before, so whoever hears of it finds room and no process left.
//!
//! What it deliberately does not do: keep processes for the next connection. That is what
//! [`Server::with_prefork`](crate::Server::with_prefork) is for.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;

use socket::process::{Child, Exit, Fork};
use socket::seam::{Memory, Watch, wait_any};
use socket::{Deadline, Interest};

use super::{Run, Serving};
use crate::accept::Process;
use crate::error::Result;
use crate::event::{CloseReason, Summary};
use crate::link::Link;
use crate::listener::serve_apart;
use crate::record::Reported;
use crate::report::{Reports, channel};
use crate::request::Request;
use crate::running::{Place, Running};

const SIGKILL: i32 = 9;

/// Forks a process for each request, and takes the process back when it is done.
#[derive(Default)]
pub(super) struct Runner {
    forking: Option<Forking>,
}

impl Run for Runner {
    fn serve(&mut self, serving: Serving, ready: &mut dyn FnMut()) -> Result {
        let running = Arc::clone(&serving.running);
        // In a worker they have been told, by its supervisor, and for all workers together.
        if running.teller.supervisor().is_none() {
            serve_apart(&serving.listeners)?;
        }
        let forking = self.forking.insert(Forking { running, open: Vec::new() });
        let accept = serving.accept_loop()?;
        ready();
        accept.run_for(forking)
    }

    fn drain(&mut self) {
        if let Some(forking) = &mut self.forking {
            forking.drain();
        }
    }

    fn join(&mut self, _all: bool) {}
}

/// The requests that run, each with its process.
struct Forking {
    running: Arc<Running>,
    open: Vec<Open>,
}

/// A request that runs in a process.
struct Open {
    child: Child,
    reports: Reports,
    /// How its connection ended, kept until the process has.
    end: Option<Reported>,
    summary: Summary,
    link: Arc<Link>,
    place: Place,
}

impl Process for Forking {
    /// Forks a process for the request. A system that has none to give refuses the request.
    fn process(&mut self, request: Request) -> io::Result<()> {
        let (summary, link) = (request.summary().clone(), request.link());
        let mut request = Some(request);
        let forked = self.fork(&link, &mut || {
            request.take().expect("it runs once, in the one process that took it")
        });
        let request = request.take().expect("it was taken in the child, not here");
        match forked {
            Ok((child, reports)) => {
                let place = request.into_place();
                self.open.push(Open { child, reports, end: None, summary, link, place });
                Ok(())
            }
            Err(error) => {
                let refusal = request.refusal();
                link.hang_up();
                drop(request);
                refusal.tell();
                // EAGAIN, which a fork may say, would be taken for an empty queue.
                Err(io::Error::new(io::ErrorKind::OutOfMemory, error))
            }
        }
    }

    fn watches(&self) -> Vec<Watch<'_>> {
        self.open.iter().flat_map(Open::watches).collect()
    }

    fn attend(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        let (mut index, running) = (0, &self.running);
        while let Some(open) = self.open.get_mut(index) {
            let count = open.watches().count();
            let ready = ready.by_ref().take(count).fold(false, |any, one| any | one);
            match ready.then(|| open.attend(running)).flatten() {
                None => index += 1,
                Some(exit) => self.open.remove(index).close(running, exit),
            }
        }
    }
}

impl Forking {
    fn fork(
        &self,
        link: &Link,
        request: &mut dyn FnMut() -> Request,
    ) -> io::Result<(Child, Reports)> {
        let (reporter, reports) = channel()?;
        let reporter = Arc::new(reporter);
        let children = &self.running.switches.children;
        let socket = link.socket.as_ref().map(AsFd::as_fd);
        // No hook is half way through changing what the child will see, and nobody reads the
        // numbers behind a lock that would stay locked there.
        let changing = self.running.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = Some(self.running.switches.known());
        // Counted before anybody can hear of it.
        children.fetch_add(1, SeqCst);
        let child = Fork::new()
            .with_socket(&*reporter)
            .ending_with_parent(socket, self.running.guards.grace)
            .run(|| {
                known.take();
                request().run_for(Arc::clone(&reporter));
                0
            });
        drop(changing);
        let child = child.inspect_err(|_| {
            children.fetch_sub(1, SeqCst);
        })?;
        Ok((child, reports))
    }

    /// Waits for the processes that are left, until they are told to be killed, and then for that.
    fn drain(&mut self) {
        let (memory, mut killed) = (Memory::default(), false);
        while !self.open.is_empty() {
            let ready = match self.wait(&memory, killed) {
                Ok(ready) => ready,
                // Out of memory. It must end all the same.
                Err(_) => vec![true; 1 + self.watches().len()],
            };
            if ready[0] {
                killed = true;
                // Only one that has ended cannot be killed.
                self.open.iter().for_each(|open| drop(open.child.kill(SIGKILL)));
            }
            self.attend(&ready[1..]);
        }
    }

    /// Waits for the word to kill, unless it has come, and for the processes.
    fn wait(&self, memory: &Memory, killed: bool) -> io::Result<Vec<bool>> {
        let target = memory.target(self.running.kill.fd()?);
        let interest = if killed { Interest::NONE } else { Interest::READ };
        let mut watches = vec![Watch { target, interest, ready: false }];
        watches.extend(self.watches());
        wait_any(&mut watches, Deadline::Never)?;
        Ok(watches.iter().map(|watch| watch.ready).collect())
    }
}

impl Open {
    fn watches(&self) -> impl Iterator<Item = Watch<'_>> {
        self.reports.watch().into_iter().chain([self.child.watch()])
    }

    /// Tells what was reported, except the end. Answers how the process ended, if it has.
    fn attend(&mut self, running: &Running) -> Option<Exit> {
        // First, so that everything it reported is there to be read afterwards.
        let exit = self.child.try_wait().ok().flatten();
        while let Some(reported) = self.reports.next() {
            match reported {
                Reported::Closed { .. } | Reported::Refused(..) => self.end = Some(reported),
                reported => self.reports.tell(&running.teller, reported),
            }
        }
        exit
    }

    /// Gives back what it had, and tells its end.
    fn close(self, running: &Running, exit: Exit) {
        let Open { child, mut reports, end, summary, link, mut place } = self;
        // The child has done so if it could; meanwhile more may have arrived.
        link.hang_up();
        let reason = if link.is_cut() { CloseReason::CutOff } else { CloseReason::Crashed(exit) };
        drop((child, link));
        reports.close();
        place.give_back();
        running.switches.children.fetch_sub(1, SeqCst);
        match end {
            Some(end) => reports.tell(&running.teller, end),
            None => {
                if !reports.has_opened() {
                    reports.tell(&running.teller, Reported::Opened(summary));
                }
                reports.tell_lost(&running.teller, &reason);
            }
        }
    }
}
