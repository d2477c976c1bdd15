//! Where events go: to the counters and the subscriber, or to the process that has them.

use std::sync::{Arc, OnceLock};

use crate::caught::caught;
use crate::event::{Event, Tally};
use crate::report::Reporter;
use crate::switches::Switches;

/// Whoever is told of events.
pub(crate) type Subscriber = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Tells events on behalf of one server.
pub(crate) struct Teller {
    subscriber: Subscriber,
    /// The tally of each listener.
    tallies: Vec<Arc<Tally>>,
    /// The way to the supervisor, in a worker.
    supervisor: Option<Arc<Reporter>>,
    /// The way to the parent, in the child of one connection. It goes before the other, which such
    /// a child of a worker has too, as a copy that leads nowhere.
    parent: OnceLock<Arc<Reporter>>,
}

impl Teller {
    /// `supervisor`: whoever is to be told instead, in a worker.
    pub(crate) fn new(
        switches: &Switches,
        subscriber: Subscriber,
        supervisor: Option<Arc<Reporter>>,
    ) -> Teller {
        let known = switches.known();
        let tallies = known.listeners.iter().map(|one| Arc::clone(&one.tally)).collect();
        Teller { subscriber, tallies, supervisor, parent: OnceLock::new() }
    }

    /// In a forked child: tells the parent from now on.
    pub(crate) fn report_to_parent(&self, parent: Arc<Reporter>) {
        // It has none yet: a child has no children of its own.
        let _ = self.parent.set(parent);
    }

    /// The way to the supervisor, in a worker.
    pub(crate) fn supervisor(&self) -> Option<&Reporter> {
        self.supervisor.as_deref()
    }

    /// Counts an event and tells it. A subscriber that panics has been heard by the panic hook, and
    /// takes nobody with it.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(reporter) = self.parent.get().map(|parent| &**parent).or(self.supervisor()) {
            return reporter.tell(event);
        }
        if let Some(tally) = event.connection().and_then(|one| self.tallies.get(one.listener)) {
            tally.count(event);
        }
        let _ = caught(|| (self.subscriber)(event));
    }
}
