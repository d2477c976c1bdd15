//! What runs beside a handler, as part of its connection.
//!
//! ```text
//!   handler ──returns──► peer's side shut for reading ──write deadline──► shut for both ──► joined
//!   beside  ─────────────── sees the end of its input, may still send ─── all calls fail
//! ```
//! A connection is over only when everything beside its handler has returned, so that nothing of it
//! is left running on any engine.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use coroutine::sync::{Receiver, Sender, channel};
use coroutine::{Builder, JoinHandle};
use socket::Deadline;

use super::{Connection, stopping};
use crate::caught::{Unwound, caught};
use crate::event::{Event, Summary};
use crate::running::Running;

/// How many may run beside one handler: a reader, a writer, a clock, and room to think.
const LIMIT: usize = 16;
/// How long to wait for them where the connection has no write deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// Those that run beside one handler.
pub(super) struct Beside {
    tell: Sender<io::Result<()>>,
    told: Receiver<io::Result<()>>,
    running: usize,
    handles: Vec<JoinHandle<()>>,
    /// The first failure of any of them.
    outcome: io::Result<()>,
}

impl Beside {
    fn new() -> Beside {
        let (tell, told) = channel(LIMIT);
        Beside { tell, told, running: 0, handles: Vec::new(), outcome: Ok(()) }
    }

    fn ended(&mut self, outcome: io::Result<()>) {
        self.running -= 1;
        let before = std::mem::replace(&mut self.outcome, Ok(()));
        self.outcome = before.and(outcome);
    }

    fn reap(&mut self) {
        while let Ok(outcome) = self.told.try_recv() {
            self.ended(outcome);
        }
        self.handles.retain(|handle| !handle.is_finished());
    }

    /// Waits for all of them; false when the deadline passed first.
    fn wait(&mut self, deadline: Deadline) -> bool {
        while self.running > 0 {
            match self.told.recv_by(deadline) {
                Ok(outcome) => self.ended(outcome),
                Err(_) => return false,
            }
        }
        true
    }
}

impl Connection {
    /// Runs `work` beside the handler, on what the engine gives: a coroutine of the same worker, or
    /// a thread of the same process. For a connection whose two directions go their own ways: one
    /// reads, the other sends what comes from elsewhere through a [`writer`](Connection::writer).
    ///
    /// It belongs to the connection. When the handler has returned, the socket is shut down for
    /// reading, and after the write deadline for both; the connection is over when `work` is. Its
    /// error becomes the connection's, if the handler had none; its panic is told like a handler's.
    ///
    /// # Errors
    /// `EAGAIN` or `OutOfMemory` when there is no thread or stack to run it on; `InvalidInput` when
    /// sixteen run already.
    pub fn spawn(
        &mut self,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let beside = self.beside.get_or_insert_with(|| Box::new(Beside::new()));
        beside.reap();
        if beside.running == LIMIT {
            let why = format!("{LIMIT} run beside this handler already");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let (running, summary) = (Arc::clone(&self.running), self.summary.clone());
        let tell = beside.tell.clone();
        let body = move || {
            let outcome = guarded(work, &running, &summary);
            // There is room for each, and whoever waits for them has the other end.
            let _ = tell.try_send(outcome);
        };
        let handle = Builder::new().name(format!("{} beside", self.summary)).spawn(body)?;
        beside.handles.push(handle);
        beside.running += 1;
        Ok(())
    }

    /// After the handler: ends what runs beside it, and answers the first failure among them.
    pub(super) fn end_beside(&mut self) -> io::Result<()> {
        let Some(mut beside) = self.beside.take().map(|beside| *beside) else { return Ok(()) };
        let shut_down = |how| {
            if let Some(socket) = &self.link.socket {
                // The peer may have gone, which ends them as well.
                let _ = socket.shutdown(how);
            }
        };
        shut_down(Shutdown::Read);
        let deadline = match self.clocks.send().0 {
            Deadline::Never => Deadline::After(PATIENCE),
            limit => limit,
        };
        if !beside.wait(deadline.fixed()) {
            shut_down(Shutdown::Both);
            beside.handles.iter().for_each(JoinHandle::cancel);
            if !beside.wait(Deadline::Never) {
                // This coroutine is cancelled itself, and they are too: its worker sees to them.
                return Err(stopping());
            }
        }
        for handle in beside.handles {
            // Its panics are caught inside.
            let _ = handle.join();
        }
        beside.outcome
    }
}

fn guarded(
    work: impl FnOnce() -> io::Result<()>,
    running: &Running,
    connection: &Summary,
) -> io::Result<()> {
    caught(work).unwrap_or_else(|unwound| {
        if let Unwound::Panicked(message) = &unwound {
            running.tell(&Event::Panicked { connection, message });
        }
        Err(unwound.into())
    })
}
