//! A description as bytes, for the way from a worker process to its supervisor.
//!
//! It may be longer than any record, so it goes in pieces, each of which says whether it is the
//! last. One thread of a worker sends them, so they come in order; other records may come between.
//!
//! What it deliberately does not do: versions. A worker is a copy of its supervisor.

use coroutine::{Described, Held, WaitsFor};
use socket::SockAddr;

use crate::description::{Description, Doing, OpenConnection, Traffic, WorkerDescription};
use crate::event::Counters;
use crate::record::{DESCRIBED, Reader, Record, TEXT_BYTES};

/// The records of a description.
pub(crate) fn records(description: &Description) -> impl Iterator<Item = Vec<u8>> {
    let bytes = Record::default().description(description).0;
    let pieces: Vec<Vec<u8>> = bytes.chunks(TEXT_BYTES).map(<[u8]>::to_vec).collect();
    let last = pieces.len().saturating_sub(1);
    pieces.into_iter().enumerate().map(move |(index, piece)| {
        Record::new(DESCRIBED).integer((index == last).into()).text(&piece).0
    })
}

/// The pieces of a description that have come so far.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Vec<u8>);

impl Pieces {
    /// Adds one; the description, if it was the last.
    pub(crate) fn add(&mut self, piece: &[u8], last: bool) -> Option<Description> {
        self.0.extend_from_slice(piece);
        let whole = last.then(|| std::mem::take(&mut self.0))?;
        Reader(&whole).description()
    }
}

/// In the order of `WaitsFor`; the last one also for what there may be one day.
const TURN: u64 = 0;
const READ: u64 = 1;
const WRITE: u64 = 2;
const ANY: u64 = 3;
const TIME: u64 = 4;
const ANOTHER: u64 = 5;

impl Record {
    fn description(self, description: &Description) -> Record {
        let Description { process, engine, draining, counters, children, doing, .. } = description;
        let record = self
            .integer((*process).into())
            .option(*engine, |record, engine| record.text(engine.name().as_bytes()))
            .integer((*draining).into())
            .counters(counters)
            .integer(*children as u64);
        doing
            .iter()
            .fold(record, |record, count| record.integer(*count as u64))
            .list(&description.connections, Record::open_connection)
            .list(&description.workers, Record::worker)
    }

    fn counters(self, counters: &Counters) -> Record {
        let Counters { opened, closed, refused, accept_failed, timed_out, .. } = counters;
        let Counters { panicked, cut, received, sent, .. } = counters;
        let all =
            [opened, closed, refused, accept_failed, timed_out, panicked, cut, received, sent];
        all.into_iter().fold(self, |record, number| record.integer(*number))
    }

    fn list<T>(self, list: &[T], write: impl Fn(Record, &T) -> Record) -> Record {
        list.iter().fold(self.integer(list.len() as u64), write)
    }

    fn open_connection(self, open: &OpenConnection) -> Record {
        self.integer(open.id)
            .integer(open.listener as u64)
            .text(open.service.as_bytes())
            .option(open.peer.as_ref(), |record, peer| {
                record.text(&peer.to_bytes().unwrap_or_default())
            })
            .integer(open.doing as u64)
            .option(open.left, Record::duration)
            .duration(open.open_for)
            .option(open.traffic, |record, traffic| {
                record.integer(traffic.received).integer(traffic.sent).duration(traffic.silent_for)
            })
    }

    fn worker(self, worker: &WorkerDescription) -> Record {
        self.integer(worker.answered.into())
            .option(worker.held.as_ref(), |record, held| {
                record.text(held.name.as_bytes()).duration(held.since)
            })
            .integer(worker.alive as u64)
            .integer(worker.stack_bytes as u64)
            .integer(worker.deepest as u64)
            .list(&worker.coroutines, Record::coroutine)
    }

    fn coroutine(self, coroutine: &Described) -> Record {
        let (kind, value) = match coroutine.waits_for {
            WaitsFor::Turn => (TURN, 0),
            WaitsFor::Read(fd) => (READ, fd as u64),
            WaitsFor::Write(fd) => (WRITE, fd as u64),
            WaitsFor::Any(count) => (ANY, count as u64),
            WaitsFor::Time => (TIME, 0),
            _ => (ANOTHER, 0),
        };
        self.integer(coroutine.id)
            .text(coroutine.name.as_bytes())
            .integer(kind)
            .integer(value)
            .duration(coroutine.since)
            .integer(coroutine.stack.start as u64)
            .integer(coroutine.stack.end as u64)
            .integer(coroutine.touched as u64)
    }
}

impl Reader<'_> {
    fn description(&mut self) -> Option<Description> {
        Some(Description {
            process: self.integer()?.try_into().ok()?,
            engine: self.option(|from| from.text()?.parse().ok())?,
            draining: self.integer()? != 0,
            counters: self.counters()?,
            children: self.size()?,
            doing: [self.size()?, self.size()?, self.size()?, self.size()?],
            connections: self.list(Reader::open_connection)?,
            workers: self.list(Reader::worker)?,
        })
    }

    fn counters(&mut self) -> Option<Counters> {
        Some(Counters {
            opened: self.integer()?,
            closed: self.integer()?,
            refused: self.integer()?,
            accept_failed: self.integer()?,
            timed_out: self.integer()?,
            panicked: self.integer()?,
            cut: self.integer()?,
            received: self.integer()?,
            sent: self.integer()?,
        })
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.integer()?).map(|_| read(self)).collect()
    }

    fn open_connection(&mut self) -> Option<OpenConnection> {
        Some(OpenConnection {
            id: self.integer()?,
            listener: self.size()?,
            service: self.text()?.into(),
            peer: self.option(|from| Some(SockAddr::from_bytes(from.bytes()?)))?,
            doing: *Doing::ALL.get(self.size()?)?,
            left: self.option(Reader::duration)?,
            open_for: self.duration()?,
            traffic: self.option(Reader::traffic)?,
        })
    }

    fn traffic(&mut self) -> Option<Traffic> {
        let (received, sent) = (self.integer()?, self.integer()?);
        Some(Traffic { received, sent, silent_for: self.duration()? })
    }

    fn worker(&mut self) -> Option<WorkerDescription> {
        Some(WorkerDescription {
            answered: self.integer()? != 0,
            held: self.option(|from| Some(Held { name: from.text()?, since: from.duration()? }))?,
            alive: self.size()?,
            stack_bytes: self.size()?,
            deepest: self.size()?,
            coroutines: self.list(Reader::coroutine)?,
        })
    }

    fn coroutine(&mut self) -> Option<Described> {
        Some(Described {
            id: self.integer()?,
            name: self.text()?,
            waits_for: match (self.integer()?, self.integer()?) {
                (TURN, _) => WaitsFor::Turn,
                (READ, fd) => WaitsFor::Read(fd as i32),
                (WRITE, fd) => WaitsFor::Write(fd as i32),
                (ANY, count) => WaitsFor::Any(count.try_into().ok()?),
                (TIME, _) => WaitsFor::Time,
                _ => WaitsFor::Another,
            },
            since: self.duration()?,
            stack: self.size()?..self.size()?,
            touched: self.size()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Engine;
    use crate::record::{RECORD_BYTES, Reported};

    fn coroutine(waits_for: WaitsFor) -> Described {
        let (name, since) = ("x".repeat(60), Duration::from_micros(7));
        Described { id: 3, name, waits_for, since, stack: 5..6, touched: 7 }
    }

    #[test]
    fn a_description_comes_back_whole_in_pieces() {
        let peer = "[::1]:9".parse::<std::net::SocketAddr>().unwrap().into();
        let traffic = Traffic { received: 1, sent: 2, silent_for: Duration::from_millis(3) };
        let open = OpenConnection {
            id: 1,
            listener: 2,
            service: "echo".into(),
            peer: Some(peer),
            doing: Doing::Between,
            left: Some(Duration::from_secs(4)),
            open_for: Duration::from_secs(5),
            traffic: Some(traffic),
        };
        let bare = OpenConnection { peer: None, left: None, traffic: None, ..open.clone() };
        let waits = [
            WaitsFor::Turn,
            WaitsFor::Read(7),
            WaitsFor::Write(8),
            WaitsFor::Any(9),
            WaitsFor::Time,
            WaitsFor::Another,
        ];
        let held = Some(Held { name: "it".into(), since: Duration::from_secs(6) });
        let description = Description {
            process: 9,
            engine: Some(Engine::Coroutines),
            draining: true,
            counters: Counters { opened: 1, sent: 9, ..Counters::default() },
            children: 3,
            doing: [1, 2, 3, 4],
            connections: vec![open, bare],
            workers: vec![
                WorkerDescription {
                    answered: true,
                    held: None,
                    alive: 99,
                    stack_bytes: 98,
                    deepest: 97,
                    coroutines: waits.into_iter().cycle().take(200).map(coroutine).collect(),
                },
                WorkerDescription { held, ..WorkerDescription::default() },
            ],
        };
        let (mut pieces, mut whole, mut count) = (Pieces::default(), None, 0);
        for record in records(&description) {
            assert!(record.len() <= RECORD_BYTES && whole.is_none());
            match Reported::read(&record) {
                Some(Reported::Described { piece, last }) => whole = pieces.add(&piece, last),
                other => panic!("{other:?}"),
            }
            count += 1;
        }
        assert!(count > 2, "it takes several");
        assert_eq!(whole, Some(description));
        assert_eq!(pieces.add(&[1, 2, 3], true), None, "what is none is none");
    }
}
