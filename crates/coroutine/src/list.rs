//! What is going on: the coroutines of this worker, and what each waits for.
//!
//! A debugger sees one thread and the coroutine that runs on it. This is the list of the others,
//! for a dashboard or a dump on a signal. Another thread asks by letter, since coroutines belong to
//! their worker: it answers when the one that runs gives way, and [`Remote::held`](crate::Remote)
//! tells which one that is if it does not.

use std::ops::Range;
use std::time::Duration;

use socket::Deadline;

use crate::clock;
use crate::current;
use crate::remote::{Letter, Remote};
use crate::slot::{SlotRef, WaitsFor};
use crate::sync::{Receiver, channel};
use crate::worker::Core;

/// A living coroutine, see [`list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its number: the worker's first has 0, its main function.
    pub id: u64,
    /// Its name; empty if it has none.
    pub name: String,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// For how long, to some milliseconds.
    pub since: Duration,
    /// The addresses of its stack; it grows down from the end.
    pub stack: Range<usize>,
    /// How many bytes of that have been touched, in whole pages: how deep it has gone, or another
    /// that had the same stack before and left pages there. Pages that were swapped out do not
    /// count, and with `mlockall(2)` all do.
    pub touched: usize,
}

/// The living coroutines of this thread's worker, oldest first. Empty on a plain thread. The kernel
/// is asked about the stack of each, which takes about a microsecond.
///
/// ```
/// let names = coroutine::run(|| {
///     let sleeper = coroutine::Builder::new().name("sleeper");
///     sleeper.spawn(|| coroutine::sleep(std::time::Duration::MAX)).unwrap();
///     coroutine::list().into_iter().map(|one| one.name).collect::<Vec<_>>()
/// })?;
/// assert_eq!(names, ["main", "sleeper"]);
/// # std::io::Result::Ok(())
/// ```
#[must_use]
pub fn list() -> Vec<Described> {
    let Some((worker, me)) = current::here() else { return Vec::new() };
    oldest(worker, Some(me), usize::MAX)
}

/// What a worker has answered, see [`Remote::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The oldest of its coroutines, as many as were asked for.
    pub coroutines: Vec<Described>,
    /// How many it has.
    pub alive: usize,
    /// The size of each stack, in bytes.
    pub stack_bytes: usize,
    /// The most that any coroutine has [touched](Described::touched) of its stack, in bytes, also
    /// one that has ended: of stacks whose pages have not been given back, which happens when they
    /// are free for a second or two, and of those that an earlier answer saw. In debug builds the
    /// worker also looks before it gives pages back, so there it is of all time.
    pub deepest: usize,
}

/// The answer to come of a worker that was asked for its list, see [`Remote::list`].
#[derive(Debug)]
pub struct Asked(Receiver<Listed>);

impl Remote {
    /// Asks the worker for its living coroutines, `most` of them, oldest first. Several workers can
    /// be asked before the first is [waited for](Asked::wait). Any thread may ask, and any
    /// coroutine, also one of this worker.
    ///
    /// ```
    /// use coroutine::{Settings, Worker};
    /// use socket::Deadline;
    ///
    /// let worker = Worker::new(Settings::default())?;
    /// let remote = worker.remote();
    /// let (listed, _) = worker.run(move || remote.list(10).wait(Deadline::Never))?;
    /// assert_eq!(listed.expect("it runs").coroutines[0].name, "main");
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn list(&self, most: usize) -> Asked {
        let (sender, receiver) = channel(1);
        // One that nobody will read any more takes the sender with it, and the wait ends at once.
        self.0.post(Letter::List(most, sender));
        Asked(receiver)
    }
}

impl Asked {
    /// Waits for the answer. `None` if it did not come by then, because a coroutine keeps the
    /// worker to itself, or never will, because the worker has ended.
    #[must_use]
    pub fn wait(self, deadline: Deadline) -> Option<Listed> {
        self.0.recv_by(deadline).ok()
    }
}

/// What a worker answers.
pub(crate) fn listed(worker: &Core, most: usize) -> Listed {
    let slab = worker.scheduler.slab();
    Listed {
        coroutines: oldest(worker, None, most),
        alive: worker.scheduler.alive(),
        stack_bytes: slab.layout().stack_bytes,
        deepest: slab.deepest(),
    }
}

/// The oldest coroutines, `most` of them; `running` is the one that runs.
fn oldest(worker: &Core, running: Option<SlotRef>, most: usize) -> Vec<Described> {
    let now = clock::coarse();
    let mut slots: Vec<SlotRef> = worker.scheduler.all().collect();
    if slots.len() > most {
        slots.select_nth_unstable_by_key(most, |slot| slot.id.get());
        slots.truncate(most);
    }
    slots.sort_unstable_by_key(|slot| slot.id.get());
    let (slab, mut pages) = (worker.scheduler.slab(), Vec::new());
    let described = |slot: SlotRef| Described {
        id: slot.id.get(),
        name: worker.shared.name(slot.number),
        waits_for: if Some(slot) == running { WaitsFor::Turn } else { slot.waits_for.get() },
        since: Duration::from_nanos(now.saturating_sub(slot.since.get())),
        stack: slab.range(slot.number),
        touched: slab.touched(slot.number, &mut pages),
    };
    slots.into_iter().map(described).collect()
}
