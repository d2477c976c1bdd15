//! The reactor: how a coroutine's call on a descriptor becomes a system call and a wait.
//!
//! This is all that the rest of the crate knows of it, and another one may take its place:
//!
//! * `perform` does one operation of the seam for a coroutine, `recv` and `send` do the two that
//!   every message takes, without an operation to read, and `wait_any` waits for several; all park
//!   the coroutine by the scheduler's `park`.
//! * `keep` keeps what has no stack until its socket can be read from, `wake_all` wakes all of that
//!   at the end; both put it into the scheduler's `awake`.
//! * `poll` looks what has happened, sleeping at most so long, and wakes by the scheduler's
//!   `unpark`.
//!
//! | file | its one idea |
//! |---|---|
//! | `epoll.rs` | the descriptors registered, and the edges they make |
//! | `perform.rs` | the loops of a coroutine: attempt, wait, attempt again |
//! | `registration.rs` | what is known of one descriptor, and whether it still is that one |
//! | `waiters.rs` | who waits for it: a list of nodes on the waiters' own stacks |
//! | `attempt.rs` | one attempt that never blocks, also where the kernel has no flag for that |

mod attempt;
mod epoll;
mod perform;
mod registration;
mod waiters;

pub(crate) use epoll::Epoll as Reactor;
