//! Stackful coroutines on which blocking-style code runs by the hundred thousand.
//!
//! This room is empty. What will live here: stacks cut from one slab, switching, one reactor per
//! worker thread (epoll, io_uring), timers, `spawn`, `sleep`, `sync`, and the [`socket::seam`]
//! driver that parks a coroutine where a thread would sleep. Its rules are fixed already:
//!
//! 1. A coroutine never leaves its worker thread, so thread-locals, `Rc` and guards stay sound and
//!    the interface can be safe.
//! 2. Cancelling means that the blocked call returns an error. Forced unwinding is the last resort.
//! 3. Nothing suspends while the thread is panicking.
//! 4. `finish` of a handler runs from the engine, never from a `Drop`.
//! 5. A stack overflow says which connection it was.
//!
//! What it deliberately will not do: migrate work between threads, or colour functions.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod atomic;
mod blocking;
mod current;
mod parker;
pub mod sync;
