//! What is going on: the coroutines of this worker, and what each waits for.
//!
//! A debugger sees one thread and the coroutine that runs on it. This is the list of the others,
//! for a dashboard or a dump on a signal. It deliberately shows no other worker's: those belong to
//! other threads.

use std::time::Duration;

use crate::clock;
use crate::current;
use crate::slot::WaitsFor;

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
}

/// The living coroutines of this thread's worker, oldest first. Empty on a plain thread.
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
    let now = clock::coarse();
    let mut list: Vec<Described> = worker
        .scheduler
        .all()
        .map(|slot| Described {
            id: slot.id.get(),
            name: worker.shared.name(slot.number),
            waits_for: if slot == me { WaitsFor::Turn } else { slot.waits_for.get() },
            since: Duration::from_nanos(now.saturating_sub(slot.since.get())),
        })
        .collect();
    list.sort_by_key(|one| one.id);
    list
}
