//! Why a wait ended without what it waited for.
//!
//! Deliberately absent: poisoning. A lock is free again when its guard goes, whatever the reason.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a wait ended without what it waited for. An [`io::Error`] can be made of it, so that `?`
/// passes it on in code that does I/O.
///
/// ```
/// use coroutine::sync::{WaitError, channel};
/// use std::time::Duration;
///
/// let (sender, receiver) = channel::<u8>(1);
/// assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(WaitError::TimedOut));
/// drop(sender);
/// assert_eq!(receiver.recv(), Err(WaitError::Disconnected));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitError {
    /// It would have to wait and may not: it was only to try, or the caller is a coroutine that is
    /// being unwound, and nothing is suspended while its thread is panicking.
    WouldBlock,
    /// The deadline passed.
    TimedOut,
    /// The coroutine that waited is cancelled.
    Cancelled,
    /// The other side of the channel is gone, so that what is waited for cannot come.
    Disconnected,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitError::WouldBlock => "it would have to wait",
            WaitError::TimedOut => "timed out",
            WaitError::Cancelled => "cancelled",
            WaitError::Disconnected => "the other side is gone",
        })
    }
}

impl Error for WaitError {}

/// The kinds that the same endings of a socket's call have.
impl From<WaitError> for io::Error {
    fn from(error: WaitError) -> io::Error {
        let kind = match error {
            WaitError::WouldBlock => io::ErrorKind::WouldBlock,
            WaitError::TimedOut => io::ErrorKind::TimedOut,
            WaitError::Cancelled => io::ErrorKind::ConnectionAborted,
            WaitError::Disconnected => io::ErrorKind::BrokenPipe,
        };
        io::Error::new(kind, error)
    }
}

/// A value that could not be sent, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T> {
    /// The value, back from the channel.
    pub value: T,
    /// Why it came back.
    pub why: WaitError,
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not sent: {}", self.why)
    }
}

impl<T> Error for SendError<T> {}

impl<T> From<SendError<T>> for io::Error {
    fn from(error: SendError<T>) -> io::Error {
        error.why.into()
    }
}
