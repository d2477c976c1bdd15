//! Running code that is not ours: a handler's step, a hook, a subscriber.
//!
//! After a panic the code's own data may be half changed, but nobody looks at that again: what it
//! was about is closed. The engine itself may also unwind a handler that would not end, which looks
//! like a panic and is none.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use coroutine::is_cancel;

use crate::connection::stopping;

/// Why code did not return.
#[derive(Debug)]
pub(crate) enum Unwound {
    /// Its engine unwound it.
    Cancelled,
    /// It panicked, and said this.
    Panicked(String),
}

/// Runs `code` to its end, or to its unwinding.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, Unwound> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let unwound = match is_cancel(&*payload) {
            true => Unwound::Cancelled,
            false => Unwound::Panicked(panic_message(&*payload)),
        };
        discard(payload);
        unwound
    })
}

/// Drops what a panic carried. That is not our code either: if it panics, that is caught, and what
/// that one carries is left alone, since it might go on like this for ever.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// What a panic said.
fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

impl From<Unwound> for io::Error {
    fn from(unwound: Unwound) -> io::Error {
        match unwound {
            Unwound::Cancelled => stopping(),
            Unwound::Panicked(message) => io::Error::other(message),
        }
    }
}
