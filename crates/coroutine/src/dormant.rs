//! What has no stack yet: something that becomes a coroutine when its socket can be read from.
//!
//! ```text
//!   accepted, or idle ──when_readable──► Dormant ══ an edge ══► a coroutine runs `wake`
//!        ▲                               (a box)                      │
//!        └────────────────────── idle for long enough ────────────────┘
//! ```
//! A coroutine that waits keeps every page its stack has touched; a server whose ten thousand
//! connections say something once a minute pays for ten thousand stacks that nobody stands on. What
//! can put all it knows in a box is kept as that instead. When it may do so a wait tells it, see
//! [`Patience::UntilIdle`](socket::seam::Patience): nobody is made to hurry.
//!
//! What it deliberately does not do: turn a running coroutine into a box by itself. What is on a
//! stack has addresses in it.

use socket::seam::Watch;

use crate::current;

/// Something that becomes a coroutine when its socket can be read from.
pub trait Dormant {
    /// What the coroutine is to be called, see [`Builder::name`](crate::Builder::name).
    fn name(&self) -> String;

    /// The coroutine: the socket can be read from, or has failed, or the worker is ending and the
    /// coroutine is cancelled. It may be none of these: like each wake this is a hint.
    fn wake(self: Box<Self>);
}

/// Keeps `dormant` until the socket of `watch` can be read from or fails, and then runs it as a
/// coroutine of this worker. Without a stack to run it on, it waits for one. What is dormant when
/// the worker ends is run as well, cancelled.
///
/// `dormant` must own the socket, which stays open by that. Nobody else may be dormant on it.
///
/// # Errors
/// `dormant` itself, where that cannot be: the caller is no coroutine, or the system is short of
/// what it takes to watch the socket. Waiting in the usual way is still possible then.
pub fn when_readable<D: Dormant + 'static>(
    watch: Watch<'_>,
    dormant: Box<D>,
) -> Result<(), Box<D>> {
    match current::here() {
        Some((worker, me)) if !me.is_doomed() => worker.reactor.keep(watch.target, dormant),
        _ => Err(dormant),
    }
}
