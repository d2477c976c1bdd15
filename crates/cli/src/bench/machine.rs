//! What the client itself costs, and whether it was the limit.
//!
//! A load that is short of computing time measures itself. Two numbers of each worker's thread
//! tell: how long it computed (`CLOCK_THREAD_CPUTIME_ID`) and how long it could have, but waited
//! for a core (`/proc/thread-self/schedstat`, where the kernel counts it).

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::exit::{Exit, Failure, Result};

/// Descriptors beside the connections: outputs, pollers, bells.
const BESIDE: u64 = 64;

/// From this share of its time on, a thread that computes has no time to spare.
const BUSY: f64 = 0.9;

/// From this share of its time on, a thread that waits for a core measures that.
const CROWDED: f64 = 0.1;

/// What one worker's thread has cost, from the start of the load to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) computed: Duration,
    /// Able to run, without a core; `None` where the kernel does not count it.
    pub(super) waited: Option<Duration>,
    pub(super) elapsed: Duration,
    pub(super) ended: Instant,
}

/// Runs `work` on this thread and says what it cost since `start`.
pub(super) fn measure(start: &OnceLock<Instant>, work: impl FnOnce()) -> Cost {
    let (computed, waited) = (computed(), waited());
    work();
    let ended = Instant::now();
    let begun = start.get().copied().unwrap_or(ended);
    let since = |before: Option<Duration>| Some(self::waited()?.saturating_sub(before?));
    Cost {
        computed: self::computed().saturating_sub(computed),
        waited: since(waited),
        elapsed: ended.saturating_duration_since(begun),
        ended,
    }
}

fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The second number of `schedstat`, in nanoseconds.
fn waited() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// Shares of the time, over all workers: computed, and waited for a core.
pub(super) fn shares(costs: &[Cost]) -> (f64, Option<f64>) {
    let elapsed: f64 = costs.iter().map(|cost| cost.elapsed.as_secs_f64()).sum();
    let share = |time: Duration| time.as_secs_f64() / elapsed.max(1e-9);
    let computed = costs.iter().map(|cost| cost.computed).sum();
    let waited = costs.iter().map(|cost| cost.waited).sum::<Option<Duration>>();
    (share(computed), waited.map(share))
}

/// What in these numbers says more about the client than about the server.
pub(super) fn verdict(costs: &[Cost]) -> Option<&'static str> {
    match shares(costs) {
        (_, Some(waited)) if waited >= CROWDED => Some(
            "the client waited for a core: other programs, perhaps the server, share this machine, \
             and the times contain that wait",
        ),
        (computed, _) if computed >= BUSY => Some(
            "the client was the limit: it had no time to spare (more --workers on more cores, or a \
             second client)",
        ),
        _ => None,
    }
}

/// Makes sure that so many connections can be open.
pub(super) fn allow_descriptors(connections: usize) -> Result {
    let wanted = connections as u64 + BESIDE;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    match limit.maximum.is_none_or(|most| wanted <= most)
        && setrlimit(Resource::Nofile, raised).is_ok()
    {
        true => Ok(()),
        false => {
            let most = limit.maximum.unwrap_or(0);
            let why = format!(
                "bench --connections {connections}: this process may open {most} files (try \
                 ulimit -n {wanted}, or --connections {})",
                most.saturating_sub(BESIDE)
            );
            Err(Failure::new(Exit::No, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_without_time_to_spare_says_so() {
        let cost = |computed, waited| Cost {
            computed: Duration::from_millis(computed),
            waited: Some(Duration::from_millis(waited)),
            elapsed: Duration::from_secs(1),
            ended: Instant::now(),
        };
        assert_eq!(verdict(&[cost(500, 10), cost(600, 20)]), None);
        assert!(verdict(&[cost(950, 0), cost(990, 0)]).is_some_and(|why| why.contains("limit")));
        assert!(verdict(&[cost(500, 300)]).is_some_and(|why| why.contains("core")));
        let unknown = Cost { waited: None, ..cost(100, 0) };
        assert_eq!(shares(&[unknown, cost(300, 0)]), (0.2, None));
    }
}
