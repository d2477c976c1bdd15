//! Socket servers in blocking style: write the handler you would have written for Python's
//! `socketserver`, and choose what runs it by changing one word.
//!
//! ```no_run
//! use std::io::Write;
//! use switchboard::{Connection, Engine, Server};
//!
//! fn shout(connection: &mut Connection) -> std::io::Result<()> {
//!     let mut line = String::new();
//!     while connection.read_line(&mut line)? > 0 {
//!         connection.write_all(line.to_uppercase().as_bytes())?;
//!         line.clear();
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> switchboard::Result {
//!     Server::new().with_engine(Engine::Threads).bind("7007", shout)?.serve_forever()
//! }
//! ```
//! Limits, deadlines, back-off and a clean stop are on before anyone asks ([`Guards`]).
//!
//! | file | what is in it |
//! |---|---|
//! | [`Handler`], [`Service`] | what you write |
//! | [`Connection`] | what your handler is given: buffered reading and writing |
//! | [`Server`], [`Control`] | listeners, settings, serving, stopping |
//! | [`Engine`] | what runs the handlers |
//! | [`Guards`] | every limit, its default and its reason |
//! | [`Event`], [`Counters`] | everything that happens |
//! | [`Description`] | what it is doing at this moment |
//! | [`activation`] | sockets that a service manager has opened for us |
//! | [`Error`] | what went wrong: operation, address, cause, remedy |
//!
//! What it deliberately does not do: speak any protocol, write a log file, or hide the socket
//! ([`Connection::socket`]).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod accept;
pub mod activation;
mod answers;
mod atomic;
mod caught;
mod connection;
mod control;
mod conversation;
mod describe;
mod description;
mod description_record;
mod drain;
mod duties;
mod engine;
mod error;
mod event;
mod eventfd;
mod guards;
mod handler;
mod latch;
mod lifecycle;
mod line;
mod link;
mod listener;
mod notify;
mod outbox;
mod patrol;
mod patrol_clock;
mod placement;
mod places;
mod prefork;
mod record;
mod registry;
mod report;
mod request;
mod running;
mod server;
mod switches;
mod teller;
mod to_address;
mod waiting;

pub use connection::{Answer, Connection, Writer};
pub use control::{Control, ListenerCounters};
pub use coroutine::sync;
pub use coroutine::{Builder, JoinHandle, blocking, is_cancel, sleep, spawn, without_switching};
pub use coroutine::{Described, Held, WaitsFor};
pub use description::{Description, Doing, OpenConnection, Traffic, WorkerDescription};
pub use engine::Engine;
pub use error::{Error, Result, plain};
pub use event::{CloseReason, Counters, Direction, Event, Refusal, Summary};
pub use guards::Guards;
pub use handler::{Handler, Requests, Service, per_connection, per_request};
pub use server::Server;
pub use socket;
pub use socket::{Address, Deadline, SockAddr, Socket};
pub use to_address::ToAddress;

/// The program in `docs/server.md` is tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/server.md")]
struct FromPython;
