//! A server that stands while others have their turn: started once in a block, with its load
//! connected, and measured again and again for a short time.
//!
//! A machine that is shared is faster and slower by a third within seconds. Contestants that are
//! compared a second each see different machines; those that take turns of a twentieth of a second
//! see the same one. Nothing is under way between two turns, so that nobody works in the time of
//! another, and the server sleeps when its threads are read, so that what they have used is told
//! to the nanosecond.

use crate::accounting::{Machine, Threads, process_cpu};
use crate::arguments::Arguments;
use crate::blocks::Surroundings;
use crate::isolation::Isolation;
use crate::load::Done;
use crate::peers::Program;
use crate::server::{Conditions, Server};
use std::io;
use std::path::Path;
use std::time::Duration;

/// A server and the load on it.
pub(crate) struct Standing {
    server: Server,
    run: Box<dyn FnMut(Duration) -> io::Result<Done>>,
    turn: Duration,
}

/// What a turn came to.
pub(crate) struct Turn {
    pub(crate) done: Done,
    /// CPU time of the server.
    pub(crate) spent: Duration,
    pub(crate) surroundings: Surroundings,
    /// Why it must not be used.
    pub(crate) fault: Option<&'static str>,
}

impl Standing {
    /// Starts `program` and lets `prepare` connect to its port; what that answers runs the load for
    /// a time, and has nothing under way when it returns.
    pub(crate) fn begin<R>(
        program: &Program,
        (isolation, arguments): (&Isolation, &Arguments),
        (folder, turn): (&Path, Duration),
        prepare: impl FnOnce(u16) -> io::Result<R>,
    ) -> io::Result<Standing>
    where
        R: FnMut(Duration) -> io::Result<Done> + 'static,
    {
        let conditions = Conditions::Bound { cpu: isolation.server_cpu, descriptors: None };
        let server = Server::start(program, conditions, folder)?;
        let run = prepare(server.port).and_then(|mut run| {
            run(arguments.warm_up)?;
            Ok(run)
        });
        let run = run.map_err(|error| server.failure(&format!("failed ({error})")))?;
        Ok(Standing { server, run: Box::new(run), turn })
    }

    /// Has its turn. Before it is measured it has a fourth of one, which brings back into the
    /// caches what the others have put out.
    ///
    /// Threads are counted to the nanosecond if they are few and all of them live on; of other
    /// servers the clock ticks are counted, which are read at once and remember threads that ended.
    pub(crate) fn turn(&mut self) -> io::Result<Turn> {
        let Standing { server, run, turn } = self;
        let mut run = |time: Duration| {
            run(time).map_err(|error| server.failure(&format!("failed ({error})")))
        };
        run(*turn / 4)?;
        let threads = Threads::of(server.pid())?;
        let (ticks, machine) = (process_cpu(server.pid())?, Machine::now()?);
        let done = run(*turn)?;
        // First the machine, then what takes a while to read.
        let (machine_after, ticks_after) = (Machine::now()?, process_cpu(server.pid())?);
        let threads_after = Threads::of(server.pid())?;
        let spent = match threads_after.since(&threads) {
            Some(spent) if !threads.are_many() => spent,
            _ => ticks_after.saturating_sub(ticks),
        };
        let own = spent + done.cpu;
        let surroundings = Surroundings::between(&machine, &machine_after, own, done.elapsed);
        let fault = match done.messages {
            0 => Some("nothing came back in this turn"),
            _ => surroundings.fault(),
        };
        Ok(Turn { done, spent, surroundings, fault })
    }
}

/// How long a turn is, if `turn` is how long the cell wants it, and how many there are between two
/// fresh starts: as many as a slice has of the usual length. A slice shorter than two is one turn.
pub(crate) fn turns(slice: Duration, turn: Duration) -> (Duration, usize) {
    match slice.as_nanos() / TURN.as_nanos() {
        0 | 1 => (slice, 1),
        count => (turn, count as usize),
    }
}

/// How long a turn usually is: long enough for thousands of messages.
pub(crate) const TURN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_cut_into_turns() {
        let ms = Duration::from_millis;
        assert_eq!(turns(ms(1000), ms(50)), (ms(50), 20));
        assert_eq!(turns(ms(500), ms(200)), (ms(200), 10));
        assert_eq!(turns(ms(60), ms(50)), (ms(60), 1));
        assert_eq!(turns(ms(20), ms(200)), (ms(20), 1));
    }
}
