//! The ready services: one file and one row each.
//!
//! A [`Row`] says all there is to know about a service: its name, where it listens unless told
//! otherwise, what can be set, how to make it, and a conversation that shows what it does. The list
//! [`ALL`] makes the program's `serve NAME`, its help, the board, the listing, and a test that
//! plays every conversation on every engine and every kind of socket the service speaks.
//!
//! To add one: a file beside these, its `mod` line, its word in `services!`.
//!
//! What does not belong here: anything about sockets or engines. A service reads, thinks and
//! writes.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod chargen;
mod chat;
mod daytime;
mod discard;
pub mod duration;
mod echo;
#[doc(hidden)]
pub mod fuzz;
mod hello;
mod http;
mod settings;
pub mod size;
mod time;
pub mod transcript;
mod upload;
mod upper;
mod web;

use std::io;

use switchboard::Service;
use switchboard::socket::Scheme;

pub use settings::{Form, Setting, Settings};

/// Makes the list. The files are named above a second time, because rustfmt does not look into
/// macros; a file that is missing below is dead code, which the compiler reports.
macro_rules! services {
    ($($name:ident),* $(,)?) => {
        /// Every service, in alphabetical order.
        pub const ALL: &[&Row] = &[$(&$name::ROW),*];
    };
}

services! {
    chargen,
    chat,
    daytime,
    discard,
    echo,
    hello,
    time,
    upload,
    upper,
    web,
}

/// A service, as data.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is called, everywhere.
    pub name: &'static str,
    /// What it does, in one line without a full stop.
    pub summary: &'static str,
    /// What it does in full: the behaviour one can rely on, as a paragraph of its help.
    pub details: &'static str,
    /// The port it takes unless told otherwise.
    pub port: u16,
    /// How it is reached, the usual way first. Where one stream will do, so will any other.
    pub schemes: &'static [Scheme],
    /// A command that tries it, with `{host}`, `{port}` and `{address}` to be filled in.
    pub example: &'static str,
    /// What can be set.
    pub settings: &'static [Setting],
    /// Makes it. The error says which setting cannot be used and why; its kind is `InvalidInput`,
    /// or what the system said of a folder.
    pub make: fn(&Settings) -> io::Result<Box<dyn Service>>,
    /// One or more conversations in the form that [`transcript`] describes.
    pub transcript: &'static str,
}

impl Row {
    /// Whether it can be served at an address of this scheme: the socket types must agree, and
    /// what is called HTTP has to be.
    #[must_use]
    pub fn speaks(&self, scheme: Scheme) -> bool {
        let speaks = |own: &Scheme| own.kind() == scheme.kind();
        self.schemes.iter().any(speaks)
            && (scheme != Scheme::Http || self.schemes.contains(&Scheme::Http))
    }
}

/// The service of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Row> {
    ALL.iter().copied().find(|row| row.name == name)
}
