//! How connections get in and a server ends, tried in every order.
//!
//! The files are those of `crates/server`, named by their paths. What they take from
//! `crate::atomic` and `crate::eventfd` is loom's here. What surrounds them in the product — accept
//! loops, handlers, the drain — is written down in each model in as few steps as it has there.
//!
//! Deliberately absent: sockets, time, and how a request is processed.

#[allow(dead_code, reason = "each model uses a part")]
mod atomic;
#[allow(dead_code, reason = "each model uses a part")]
mod eventfd;
#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../crates/server/src/latch.rs"]
mod latch;
#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../crates/server/src/patrol.rs"]
mod patrol;
#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../crates/server/src/places.rs"]
mod places;
#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../crates/server/src/waiting.rs"]
mod waiting;

mod admission;
mod draining;
mod resting;
mod wakes;

/// Runs `model` in every order in which a thread is interrupted at most `interruptions` times where
/// it need not be.
fn explore(interruptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(model);
}
