//! `serial`: one request at a time, in the thread that called `serve_forever`.
//!
//! * **What runs a request?** The thread that called `serve_forever`, between two accepts.
//! * **What do requests share?** Everything: they run on one thread, one after the other.
//! * **What does a slow client cost?** Everybody waits for it, up to its deadlines.
//! * **Memory per connection?** None but its buffers; waiting clients stand in the kernel's queue.
//! * **What does a panic do?** It is caught, told, and closes its connection; the next is taken.
//! * **How does it stop?** It finishes the request it has, within the grace period, takes what
//!   already waits in the queue, and returns.
//! * **When not to use it?** When requests take time, or clients stay connected: all others wait.

use super::{Run, Serving};
use crate::error::Result;

/// Runs each request where it is accepted.
#[derive(Default)]
pub(super) struct Runner;

impl Run for Runner {
    fn serve(&mut self, serving: Serving, ready: &mut dyn FnMut()) -> Result {
        let accept = serving.accept_loop()?;
        ready();
        accept.run(&mut |request| {
            Box::new(request).run();
            Ok(())
        })
    }

    fn join(&mut self, _all: bool) {}
}
