//! How a server serves: until it is asked to stop, or one request only.
//!
//! ```text
//!   serve_forever ──► drain watch (a thread): patrol, reload, watchdog … drain ──┐
//!        └──────────► engine: accept loops, handlers ──► ended ──────────────────┴──► closed
//!
//!   handle_request ─► the same for one request; the listeners stay
//! ```
//! With worker processes (`prefork.rs`) each of them serves like this, and the caller watches.

use std::io;
use std::sync::{Arc, mpsc};

use socket::Deadline;
use socket::process::{Thread, start_thread};
use socket::signal::{StopSignals, stop_signals};

use crate::caught::caught;
use crate::drain::{Drained, prepare, watch, watch_one};
use crate::duties::Duties;
use crate::engine::{Engine, Serving};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::latch::Latch;
use crate::listener::{Listener, Site};
use crate::notify::Notify;
use crate::prefork::supervise;
use crate::report::Reporter;
use crate::running::{One, Running};
use crate::server::Server;
use crate::teller::Teller;

impl Server {
    /// Serves until asked to stop, then drains: connections finish within
    /// [`grace`](crate::Guards::grace), and the listeners are closed. A server serves once.
    ///
    /// Connections that wait to be accepted at that moment are still served, as far as the limits
    /// have room for them. One that comes later is refused; the kernel may complete one between the
    /// last look at the queue and its end, and that ends with a reset and without an answer.
    ///
    /// A service manager that waits for it is told: see `notify.rs` and `sd_notify(3)`.
    ///
    /// # Errors
    /// `TimedOut` when connections had to be cut off; what is wrong with a listener that broke;
    /// `InvalidInput` when nothing is bound; with [workers](Server::with_prefork), that they die as
    /// soon as they start.
    pub fn serve_forever(&mut self) -> Result {
        let signals = match self.signals {
            true => Some(stop_signals().map_err(|error| Error::start("take signals", error, 1))?),
            false => None,
        };
        match self.prefork {
            0 => self.serve(signals, None),
            workers => supervise(self, signals, workers),
        }
    }

    /// Serves in this process; `supervisor`: on behalf of that one.
    pub(crate) fn serve(
        &mut self,
        signals: Option<StopSignals>,
        supervisor: Option<Arc<Reporter>>,
    ) -> Result {
        let alone = supervisor.is_none();
        let notify = if alone { Notify::of_environment() } else { Notify::none() };
        let running = self.running(notify, supervisor)?;
        let (hook, watchdog) = (self.reload.take(), running.notify.watchdog());
        let duties = Duties::new(signals.is_some(), hook, watchdog)
            .map_err(|error| Error::start("take signals", error, 1))?;
        let ended = Arc::new(Latch::default());
        prepare(&running, &ended).map_err(|error| Error::start("prepare to serve", error, 1))?;
        let listeners = std::mem::take(&mut self.listeners);
        let sites: Vec<_> = listeners.iter().map(|listener| Arc::clone(&listener.site)).collect();
        let mut runner = self.engine.runner();
        let (engine, setup) = (self.engine, runner.setup(self.workers));
        let serving = self.serving(&running, listeners, signals, None);
        let (go, watch) = {
            let ended = Arc::clone(&ended);
            start_watch(&running, move |running| watch(running, signals, &ended, duties))?
        };
        let served = runner.serve(serving, &mut || {
            match running.teller.supervisor() {
                Some(supervisor) => supervisor.ready(),
                None => tell_listening(&running.teller, engine, &sites, &setup),
            }
            go.send(()).expect("the watch waits for it");
        });
        drop(go);
        ended.set();
        runner.drain();
        let drained = watch.join().expect("the watch runs no code that panics");
        let drained = drained.map_err(|error| Error::io("drain", error));
        runner.join(matches!(drained, Ok(Drained { left: 0, .. })));
        if alone {
            sites.iter().for_each(|site| site.closed());
        }
        served?;
        finished(drained?)
    }

    /// Serves one request and returns when it is done, whatever runs it: true if one came, false if
    /// none did within [`with_timeout`](Server::with_timeout), after
    /// [`handle_timeout`](crate::Service::handle_timeout), or the server was asked to stop. One
    /// that was refused or whose accept failed counts as one.
    ///
    /// The limit is one deadline however many signals come. The listeners stay open, so that this
    /// can be called again; meanwhile clients queue. It leaves SIGTERM, SIGINT and SIGHUP as they
    /// are, and makes a thread for each call: a busy server is better served by
    /// [`serve_forever`](Server::serve_forever).
    ///
    /// # Errors
    /// As [`serve_forever`](Server::serve_forever).
    pub fn handle_request(&mut self) -> Result<bool> {
        let deadline = Deadline::from(self.timeout).fixed();
        let running = self.running(Notify::none(), None)?;
        let failed = Arc::new(Latch::default());
        prepare(&running, &failed).map_err(|error| Error::start("prepare to serve", error, 1))?;
        let sites: Vec<_> = self.listeners.iter().map(|one| Arc::clone(&one.site)).collect();
        let mut runner = self.engine.runner();
        let (engine, setup) = (self.engine, runner.setup(self.workers));
        let serving = self.serving(&running, self.listeners.clone(), None, Some(deadline));
        let (go, watch) = {
            let failed = Arc::clone(&failed);
            start_watch(&running, move |running| watch_one(running, &failed))?
        };
        let served = runner.serve(serving, &mut || {
            tell_listening(&running.teller, engine, &sites, &setup);
            go.send(()).expect("the watch waits for it");
        });
        drop(go);
        if served.is_err() {
            failed.set();
        }
        runner.drain();
        let ended = watch.join().expect("the watch runs no code that panics");
        let ended = ended.map_err(|error| Error::io("wait for the request", error));
        runner.join(matches!(ended, Ok(Drained { left: 0, .. })));
        served?;
        finished(ended?)?;
        if running.one.get() == Some(&One::Expired) {
            for listener in &self.listeners {
                let _ = caught(|| listener.site.service.handle_timeout());
            }
        }
        Ok(running.one.get() == Some(&One::Came))
    }

    /// Closes the listeners now: clients are refused from here on. What
    /// [`serve_forever`](Server::serve_forever) does at its end, and dropping the server too.
    pub fn server_close(&mut self) {
        self.close_from(0);
    }

    /// Closes the listeners from this index on.
    pub(crate) fn close_from(&mut self, index: usize) {
        for Listener { bound, site } in self.listeners.drain(index..) {
            drop(bound);
            site.closed();
        }
    }

    /// Refuses to serve nothing.
    pub(crate) fn check_bound(&self) -> Result {
        if self.listeners.is_empty() {
            let why = "nothing is bound, or it has been served before";
            let error = io::Error::new(io::ErrorKind::InvalidInput, why);
            return Err(Error::io("serve", error).try_this("bind an address first"));
        }
        Ok(())
    }

    fn running(&self, notify: Notify, supervisor: Option<Arc<Reporter>>) -> Result<Arc<Running>> {
        self.check_bound()?;
        let running = Running::new(
            self.engine,
            self.guards.clone(),
            self.limit_connections(),
            Arc::clone(&self.switches),
            Teller::new(&self.switches, Arc::clone(&self.subscriber), supervisor),
            self.message_events,
            notify,
        );
        let running = running.map_err(|error| Error::start("prepare to serve", error, 1))?;
        let running = Arc::new(running);
        self.switches.known().begin(&running);
        Ok(running)
    }

    fn serving(
        &self,
        running: &Arc<Running>,
        listeners: Vec<Listener>,
        signals: Option<StopSignals>,
        one_by: Option<Deadline>,
    ) -> Serving {
        Serving {
            running: Arc::clone(running),
            listeners,
            signals,
            max_packet_size: self.max_packet_size,
            batch: 1,
            workers: self.workers,
            poll_interval: self.poll_interval,
            one_by,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.server_close();
    }
}

/// Tells of the listeners that have not been told of.
pub(crate) fn tell_listening(teller: &Teller, engine: Engine, sites: &[Arc<Site>], setup: &str) {
    for site in sites.iter().filter(|site| site.tell_once()) {
        let (address, service) = (&site.address, site.service.name());
        teller.tell(&Event::Listening { address, service, engine, setup });
    }
}

/// Starts the watch. It waits for the word to begin; when that is dropped unsaid, nothing was ever
/// served, and there is nothing to see to its end.
fn start_watch(
    running: &Arc<Running>,
    watch: impl FnOnce(&Arc<Running>) -> io::Result<Drained> + Send + 'static,
) -> Result<(mpsc::Sender<()>, Thread<io::Result<Drained>>)> {
    let running = Arc::clone(running);
    let (go, begun) = mpsc::channel();
    let body = move || {
        let drained = match begun.recv() {
            Ok(()) => watch(&running),
            Err(_) => Ok(Drained::default()),
        };
        running.over.set();
        drained
    };
    let watch = start_thread("drain watch", body);
    let watch = watch.map_err(|error| Error::start("start the drain watch", error, 1))?;
    Ok((go, watch))
}

/// What a server that has ended answers.
fn finished(drained: Drained) -> Result {
    match drained {
        Drained { cut: 0, .. } => Ok(()),
        Drained { cut, left } => Err(cut_off(cut, left)),
    }
}

pub(crate) fn cut_off(cut: usize, left: usize) -> Error {
    let mut what = match cut {
        1 => "1 connection was cut off".to_owned(),
        _ => format!("{cut} connections were cut off"),
    };
    if left > 0 {
        what += &format!(", {left} of them did not notice");
    }
    Error::io("drain", io::Error::new(io::ErrorKind::TimedOut, what))
}
