//! Stackful coroutines on which blocking-style code runs by the hundred thousand.
//!
//! ```
//! use socket::{Family, Socket, Type};
//!
//! let heard = coroutine::run(|| {
//!     let (left, right) = Socket::pair(Family::UNIX, Type::STREAM, Default::default())?;
//!     // Runs on a stack of its own, on this thread. Where it would block, others run.
//!     coroutine::spawn(move || left.send_all(b"hello"));
//!     let mut buffer = [0; 5];
//!     right.recv_exact(&mut buffer)?;
//!     std::io::Result::Ok(buffer)
//! })??;
//! assert_eq!(&heard, b"hello");
//! # std::io::Result::Ok(())
//! ```
//! A [`Worker`] is one thread with its coroutines. While it runs it is that thread's
//! [driver](socket::seam): a socket's call that would block suspends the coroutine, and so does
//! every protocol crate that reads and writes through a socket, without knowing it.
//!
//! ```text
//!   handler ─► Socket::recv ─► seam ─► driver ─► reactor ── would block ──► scheduler
//!   (a stack of the slab)                (epoll)                (next coroutine)
//! ```
//! The rules that make this sound in safe Rust:
//!
//! 1. A coroutine never leaves its worker's thread, so thread-locals, `Rc` and guards stay sound.
//! 2. Cancelling means that the blocked call returns an error. Unwinding by force is the last
//!    resort, and what does not even heed that is abandoned, never freed.
//! 3. Nothing is suspended while its thread is panicking: a call that would have to wait fails.
//! 4. Every stack has guards, and an overflow says which coroutine it was.
//! 5. A std lock held where a coroutine waits blocks the whole worker if another one wants it.
//!    [`sync`] has locks that do not.
//! 6. Code that C calls back must not wait as a coroutine: its frames cannot be unwound by force,
//!    which would end the process. [`without_switching`] has it wait as the thread.
//!
//! What goes on is in [`list`] and [`Remote::list`]; gdb shows where each coroutine stands after
//! `source tools/gdb/coroutines.py`.
//!
//! What it deliberately does not do: migrate work between threads, colour functions, or make code
//! preemptible: a coroutine that computes keeps its worker ([`Remote::held`] tells, and
//! [`Remote::backtrace`] where it stands).
//!
//! # Platform
//! Linux 5.10 or later, x86-64 and aarch64.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod atomic;
mod blocking;
mod caller;
mod clock;
mod converse;
mod current;
mod dormant;
mod driver;
mod forced;
#[cfg(debug_assertions)]
mod glimpse;
mod join;
mod list;
mod mailbox;
mod memory;
mod parker;
mod reactor;
mod remote;
mod roster;
mod scheduler;
mod send_each;
mod settings;
mod shortage;
mod slot;
mod slots;
mod stack;
mod suspend;
pub mod sync;
mod timers;
mod worker;

pub use caller::{blocking, in_coroutine, is_cancelled, sleep, without_switching, yield_now};
pub use converse::converse;
pub use dormant::{Dormant, when_readable};
pub use forced::is_cancel;
pub use join::{Builder, JoinHandle, spawn};
pub use list::{Asked, Described, Listed, list};
pub use reactor::choice::{Driven, Driver};
pub use remote::{Held, Remote};
pub use send_each::{send_each, sends_together};
pub use settings::{Ended, Settings};
pub use shortage::Shortage;
pub use slot::WaitsFor;
pub use worker::{Worker, run};
