//! What the drain watch does besides watching: the reload on SIGHUP, the description on SIGQUIT,
//! and the sign of life that a service manager asks for.
//!
//! It runs in the watch's patrol, so a reload hook that takes its time holds up the deadlines of
//! connections for as long. That is on purpose: a hook that hangs stops the signs of life too, and
//! the manager finds out.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use socket::Deadline;
use socket::signal::{Notices, hang_ups, quits};

use crate::caught::caught;
use crate::event::Event;
use crate::notify;
use crate::running::Running;

/// What SIGHUP calls.
pub(crate) type Hook = Box<dyn FnMut() -> io::Result<()> + Send>;

/// See the head of this file.
pub(crate) struct Duties {
    reload: Option<(Notices, RefCell<Hook>)>,
    quits: Option<Notices>,
    /// How often to give a sign of life.
    watchdog: Option<Duration>,
    /// When the next one is due.
    due: Cell<Instant>,
}

impl Duties {
    /// None at all.
    pub(crate) fn none() -> Duties {
        Duties { reload: None, quits: None, watchdog: None, due: Cell::new(Instant::now()) }
    }

    /// `signals`: whether the server takes those that concern it.
    pub(crate) fn new(
        signals: bool,
        hook: Option<Hook>,
        watchdog: Option<Duration>,
    ) -> io::Result<Duties> {
        let reload = match hook {
            Some(hook) => Some((hang_ups()?, RefCell::new(hook))),
            None => None,
        };
        let quits = if signals { quits()? } else { None };
        Ok(Duties { reload, quits, watchdog, ..Duties::none() })
    }

    /// Readable when there is something to do before [`due`](Duties::due).
    pub(crate) fn came(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let reload = self.reload.iter().map(|(hang_ups, _)| hang_ups.came());
        reload.chain(self.quits.iter().map(Notices::came))
    }

    /// When there is something to do.
    pub(crate) fn due(&self) -> Deadline {
        self.watchdog.map_or(Deadline::Never, |_| Deadline::At(self.due.get()))
    }

    /// Does what there is to do.
    pub(crate) fn perform(&self, running: &Running) -> io::Result<()> {
        if let Some((hang_ups, hook)) = &self.reload
            && hang_ups.take()?
        {
            running.notify(&notify::reloading());
            let changing = running.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = caught(|| (hook.borrow_mut())()).map_err(io::Error::from).flatten();
            drop(changing);
            running.tell(&Event::Reloaded { error: outcome.err().as_ref() });
            running.notify("READY=1");
        }
        if let Some(quits) = &self.quits
            && quits.take()?
        {
            running.tell(&Event::Described { description: &running.switches.describe() });
        }
        if let Some(interval) = self.watchdog
            && Instant::now() >= self.due.get()
        {
            self.due.set(Instant::now() + interval);
            running.notify("WATCHDOG=1");
        }
        Ok(())
    }
}
