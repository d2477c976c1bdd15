//! Those who wait, in the order in which they came.
//!
//! A waiter is a [`Ticket`], shared between the queue and the one who waits; nothing here points
//! into a stack. Whoever leaves before its turn says so on its ticket, which stays where it is as a
//! blank and is passed over. Blanks are swept out when they are the most of the queue, so that
//! leaving costs constant time on average and a queue is never more than twice as long as it need
//! be.
//!
//! A queue lies in a latch; [`Ticket::fate`] changes under that latch only and may be read without.
//!
//! Deliberately absent: waiting itself, and what a turn means.

use std::collections::VecDeque;

use crate::atomic::Ordering::{Acquire, Release};
use crate::atomic::{Arc, AtomicU8};
use crate::parker::{Parker, Unparker};

/// One waiter.
#[derive(Debug)]
pub(super) struct Ticket {
    fate: AtomicU8,
    unparker: Unparker,
}

/// What has become of a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits.
    Waiting,
    /// It has got what it waited for.
    Granted,
    /// It left.
    Gone,
    /// The queue was closed.
    Closed,
}

impl Ticket {
    /// What has become of it. `Granted` is also seen with all that the granter did before.
    pub(super) fn fate(&self) -> Fate {
        match self.fate.load(Acquire) {
            WAITING => Fate::Waiting,
            GRANTED => Fate::Granted,
            GONE => Fate::Gone,
            _ => Fate::Closed,
        }
    }

    fn set(&self, fate: u8) {
        self.fate.store(fate, Release);
    }

    /// Wakes the waiter. False: it is a coroutine that will not run again.
    pub(super) fn unpark(&self) -> bool {
        self.unparker.unpark()
    }
}

/// A waiter's place in the queue.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) ticket: Arc<Ticket>,
    /// How much it wants.
    pub(super) count: usize,
    /// How often what it waited for was there, and another one took it.
    pub(super) overtaken: u8,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    blanks: usize,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        Queue { entries: VecDeque::new(), blanks: 0 }
    }

    /// Puts the caller at the end.
    pub(super) fn push(&mut self, parker: &Parker, count: usize) -> Arc<Ticket> {
        let ticket = Arc::new(Ticket { fate: AtomicU8::new(WAITING), unparker: parker.unparker() });
        self.entries.push_back(Entry { ticket: Arc::clone(&ticket), count, overtaken: 0 });
        ticket
    }

    /// Who has waited longest.
    pub(super) fn head(&mut self) -> Option<&mut Entry> {
        while self.entries.front()?.ticket.fate() == Fate::Gone {
            self.entries.pop_front();
            self.blanks -= 1;
        }
        self.entries.front_mut()
    }

    /// Whether that is the waiter with this ticket.
    pub(super) fn is_head(&mut self, ticket: &Arc<Ticket>) -> bool {
        self.head().is_some_and(|head| Arc::ptr_eq(&head.ticket, ticket))
    }

    /// Gives the one who has waited longest what it waits for, and takes it out.
    pub(super) fn grant(&mut self) -> Option<Arc<Ticket>> {
        self.head()?;
        let ticket = self.entries.pop_front()?.ticket;
        ticket.set(GRANTED);
        Some(ticket)
    }

    /// Takes out a waiter that still waits, and answers what had become of it.
    pub(super) fn leave(&mut self, ticket: &Arc<Ticket>) -> Fate {
        let fate = ticket.fate();
        if fate == Fate::Waiting {
            ticket.set(GONE);
            self.blanks += 1;
            if self.blanks > self.entries.len() / 2 {
                self.entries.retain(|entry| entry.ticket.fate() != Fate::Gone);
                self.blanks = 0;
            }
        }
        fate
    }

    /// Takes out a waiter that will not run again, and answers what had become of it. What it was
    /// granted is its no longer.
    pub(super) fn bury(&mut self, ticket: &Arc<Ticket>) -> Fate {
        let fate = self.leave(ticket);
        ticket.set(GONE);
        fate
    }

    /// Sends everyone away.
    pub(super) fn close(&mut self) -> Vec<Arc<Ticket>> {
        self.blanks = 0;
        let all = self.entries.drain(..).map(|entry| entry.ticket);
        let waiting: Vec<_> = all.filter(|ticket| ticket.fate() == Fate::Waiting).collect();
        for ticket in &waiting {
            ticket.set(CLOSED);
        }
        waiting
    }
}

const WAITING: u8 = 0;
const GRANTED: u8 = 1;
const GONE: u8 = 2;
const CLOSED: u8 = 3;
