//! The concurrent parts of the coroutine crate, built for a machine that tries every order.
//!
//! The files are the product's own, named by their paths. What they take from `crate::atomic` and
//! `crate::current` is loom's here: its atomics and locks, and threads that are scheduled in every
//! order that the memory model allows. The models themselves are the tests in `models/`.
//!
//! Deliberately absent: time. A deadline has passed or never does.

#![cfg_attr(not(test), allow(dead_code, unused_imports))]

mod atomic;
mod current;
#[path = "../../crates/coroutine/src/mailbox.rs"]
mod mailbox;
#[path = "../../crates/coroutine/src/parker.rs"]
mod parker;
#[path = "../../crates/coroutine/src/sync/mod.rs"]
pub mod sync;

#[cfg(test)]
mod models;
