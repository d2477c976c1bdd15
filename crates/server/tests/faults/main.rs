//! What goes wrong, made to go wrong, on every engine: the server goes on, whoever is not concerned
//! does not notice, and nothing is left behind.
//!
//! Each test runs in a process of its own (`support/apart.rs`), because limits, signals and fault
//! points belong to a process; after each, that process has as many descriptors, threads and
//! children as before. No test knows where a handler runs: it looks at what came over the wire, at
//! events and at counters. The number in a test's comment is the row of the list of faults that it
//! stands for.
//!
//! Deliberately absent: how fast anything is, and faults of the network itself (delay, loss).

#[path = "../support/apart.rs"]
mod apart;
#[path = "../support/rude.rs"]
mod rude;
#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod broken_connections;
mod crowds;
mod cut_wires;
mod datagrams;
mod forks;
mod greedy_peers;
mod panics;
mod shortages;
mod stops;
