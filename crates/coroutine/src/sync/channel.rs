//! A bounded channel of values between threads and coroutines.
//!
//! Two gates and a queue of values: one gate has a permit for each value to take, the other one for
//! each place that is free. Whoever sends takes room and gives a value, whoever receives takes a
//! value and gives room; both wait at a gate and nowhere else, which is what makes it fair. Both
//! ends can be cloned. That costs nothing, because the gates count permits, not callers, and it is
//! what a pool of workers wants.
//!
//! A coroutine that always finds a value, or room, would never give way. So every operation counts
//! towards its budget, as those on sockets do.
//!
//! Deliberately absent: a channel without a bound, which is a leak with a delay, and one without
//! room, which makes its ends wait for each other.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use socket::Deadline;

use super::error::{SendError, WaitError};
use super::gate::Gate;
use crate::atomic::Ordering::{AcqRel, Relaxed};
use crate::atomic::{Arc, AtomicUsize, Latch};
use crate::current;
use crate::parker::Heed;

/// A channel in which `bound` values have room; zero counts as one.
///
/// Values come out in the order in which they went in. With several receivers each value goes to
/// one of them. When the last sender is gone, receivers get what is left and then
/// [`WaitError::Disconnected`]; when the last receiver is gone, what is left is dropped, and
/// senders get that error and their value back.
///
/// A cancel ends waiting, not the channel: a cancelled coroutine still gets what is there, and
/// sends where there is room.
///
/// ```
/// use coroutine::sync::channel;
///
/// let (sender, receiver) = channel(8);
/// let producer = coroutine::spawn(move || (1..=100).try_for_each(|number| sender.send(number)));
/// assert_eq!(receiver.iter().sum::<u32>(), 5050);
/// producer.join().unwrap()?;
/// # Ok::<(), coroutine::sync::SendError<u32>>(())
/// ```
#[must_use]
pub fn channel<T>(bound: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        items: Gate::new(0),
        room: Gate::new(bound.clamp(1, super::Semaphore::PERMITS_MAX)),
        values: Latch::new(Some(VecDeque::new())),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

struct Shared<T> {
    items: Gate,
    room: Gate,
    /// At least as many as `items` has permits. `None` when no receiver is left.
    values: Latch<Option<VecDeque<T>>>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// The end of a [`channel`] where values go in.
pub struct Sender<T>(Arc<Shared<T>>);

/// The end of a [`channel`] where values come out.
pub struct Receiver<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Waits until there is room and sends.
    ///
    /// # Errors
    /// With the value: [`WaitError::Disconnected`] when no receiver is left;
    /// [`WaitError::Cancelled`] when the coroutine is cancelled and there is no room;
    /// [`WaitError::WouldBlock`] while it is unwinding and there is none.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_by(value, Deadline::Never)
    }

    /// Sends if there is room, and it is nobody's turn.
    ///
    /// # Errors
    /// With the value: [`WaitError::WouldBlock`] without room; [`WaitError::Disconnected`].
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_by(value, Deadline::Immediate)
    }

    /// [`send`](Sender::send), for so long at most.
    ///
    /// # Errors
    /// As [`send`](Sender::send), and [`WaitError::TimedOut`].
    pub fn send_timeout(&self, value: T, limit: Duration) -> Result<(), SendError<T>> {
        self.send_by(value, Deadline::After(limit))
    }

    /// [`send`](Sender::send), until `deadline` at most. Where there is room it is used even if
    /// that has passed.
    ///
    /// # Errors
    /// As [`send_timeout`](Sender::send_timeout); for [`Deadline::Immediate`] as
    /// [`try_send`](Sender::try_send).
    pub fn send_by(&self, value: T, deadline: Deadline) -> Result<(), SendError<T>> {
        current::spend();
        if let Err(why) = self.0.room.acquire(1, deadline, Heed::Cancel) {
            return Err(SendError { value, why });
        }
        match self.0.values.lock().as_mut() {
            Some(values) => values.push_back(value),
            None => return Err(SendError { value, why: WaitError::Disconnected }),
        }
        self.0.items.release(1);
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// Waits for a value and takes it.
    ///
    /// # Errors
    /// [`WaitError::Disconnected`] when the channel is empty and no sender is left;
    /// [`WaitError::Cancelled`] when it is empty and the coroutine is cancelled;
    /// [`WaitError::WouldBlock`] when it is empty and the coroutine is unwinding.
    pub fn recv(&self) -> Result<T, WaitError> {
        self.recv_by(Deadline::Never)
    }

    /// Takes a value if there is one, and it is nobody's turn.
    ///
    /// # Errors
    /// [`WaitError::WouldBlock`] when the channel is empty; [`WaitError::Disconnected`].
    pub fn try_recv(&self) -> Result<T, WaitError> {
        self.recv_by(Deadline::Immediate)
    }

    /// [`recv`](Receiver::recv), for so long at most.
    ///
    /// # Errors
    /// As [`recv`](Receiver::recv), and [`WaitError::TimedOut`].
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, WaitError> {
        self.recv_by(Deadline::After(limit))
    }

    /// [`recv`](Receiver::recv), until `deadline` at most. A value that is there is taken even if
    /// that has passed.
    ///
    /// # Errors
    /// As [`recv_timeout`](Receiver::recv_timeout); for [`Deadline::Immediate`] as
    /// [`try_recv`](Receiver::try_recv).
    pub fn recv_by(&self, deadline: Deadline) -> Result<T, WaitError> {
        current::spend();
        self.0.items.acquire(1, deadline, Heed::Cancel)?;
        let value = self.0.values.lock().as_mut().and_then(VecDeque::pop_front);
        self.0.room.release(1);
        Ok(value.expect("a permit stands for a value, and a receiver keeps the values"))
    }

    /// The values as they come, until [`recv`](Receiver::recv) fails for whatever reason.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// The values that are there now.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

/// See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(&'a Receiver<T>);

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

/// See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a Receiver<T>);

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.0.senders.fetch_add(1, Relaxed);
        Sender(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.0.receivers.fetch_add(1, Relaxed);
        Receiver(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, AcqRel) == 1 {
            self.0.items.close();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.0.receivers.fetch_sub(1, AcqRel) == 1 {
            let left = self.0.values.lock().take();
            self.0.room.close();
            drop(left);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("room", &self.0.room.free()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("values", &self.0.items.free()).finish_non_exhaustive()
    }
}
