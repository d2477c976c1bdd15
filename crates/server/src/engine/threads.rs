//! `threads`: a thread for each connection, up to a limit.
//!
//! * **What runs a request?** A thread of its own, made for it and gone with it.
//! * **What do requests share?** The process: memory, descriptors, everything in an `Arc`.
//! * **What does a slow client cost?** A waiting thread; the others do not notice.
//! * **Memory per connection?** About 40 KiB touched: kernel and user stack, thread, buffers.
//! * **What does a panic do?** It is caught, told, and closes its connection; the others go on.
//! * **How does it stop?** Handlers finish within the grace period and their threads are joined;
//!   one that never returns is left behind and counted.
//! * **When not to use it?** For many thousands of connections that are mostly idle, and for
//!   handlers that crash the process: those want coroutines, these want processes.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use socket::process::{Thread, start_thread};

use super::{Run, Serving};
use crate::error::Result;
use crate::request::Request;

/// Runs each request on a thread, and takes the thread back when it is done.
#[derive(Default)]
pub(super) struct Runner {
    threads: HashMap<u64, Thread<()>>,
    done: Arc<Mutex<Vec<u64>>>,
}

impl Run for Runner {
    fn serve(&mut self, serving: Serving, ready: &mut dyn FnMut()) -> Result {
        let accept = serving.accept_loop()?;
        ready();
        accept.run(&mut |request| {
            self.reap();
            self.spawn(request)
        })
    }

    fn join(&mut self, all: bool) {
        if all {
            self.threads.drain().for_each(|(_, thread)| end(thread));
        } else {
            self.reap();
        }
    }
}

impl Runner {
    /// Starts a thread for the request. A system that has none to give refuses the request.
    fn spawn(&mut self, request: Request) -> io::Result<()> {
        let id = request.summary().id;
        let name = format!("{} #{id}", request.summary().service);
        let done = Arc::clone(&self.done);
        let refusal = request.refusal();
        let body = move || {
            Box::new(request).run();
            done.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        };
        match start_thread(&name, body) {
            Ok(thread) => {
                self.threads.insert(id, thread);
                Ok(())
            }
            Err(_) => {
                refusal.tell();
                Err(io::ErrorKind::OutOfMemory.into())
            }
        }
    }

    /// Takes back the threads that are done.
    fn reap(&mut self) {
        let done = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        for id in done {
            if let Some(thread) = self.threads.remove(&id) {
                end(thread);
            }
        }
    }
}

/// Waits for a thread that is done or about to be. Panics of handlers never reach this far.
fn end(thread: Thread<()>) {
    let _ = thread.join();
}
