//! What a worker may use, and how its coroutines ended: plain values, in and out.
//!
//! Deliberately absent: anything about servers. A limit of connections is above this crate.

use std::time::Duration;

use crate::reactor::choice::Driver;

/// What a [`Worker`](crate::Worker) may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The size of each stack in bytes, rounded up to whole pages. It costs address space; memory
    /// only as far down as it was used. 256 KiB: a TLS handshake takes 64 in a debug build, a
    /// panic with its backtrace 23.
    pub stack_bytes: usize,
    /// How many coroutines may be alive at once. 131 072: a server's connections, with room.
    ///
    /// On kernels before 6.13 `vm.max_map_count` allows fewer, about 30 000 unless raised.
    pub coroutines: usize,
    /// How long coroutines that are still alive when the main function has returned, and are
    /// cancelled then, get to end by themselves before they are unwound by force. One second.
    pub grace: Duration,
    /// How the worker waits in the kernel. [`Worker::driver`](crate::Worker::driver) says what it
    /// came to.
    pub driver: Driver,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            stack_bytes: 256 * 1024,
            coroutines: 131_072,
            grace: Duration::from_secs(1),
            driver: Driver::Auto,
        }
    }
}

/// How the coroutines ended that were still alive when the main function returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// How many there were. Each was cancelled.
    pub cancelled: usize,
    /// How many of them were still alive after the grace and were unwound by force.
    pub forced: usize,
    /// How many did not end even so, at any time: their stacks are leaked with what is on them.
    /// With `panic = "abort"`, all that would have been forced.
    pub abandoned: usize,
}
