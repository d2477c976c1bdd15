//! Callers of every kind at once: threads, and coroutines of several workers.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part

use std::sync::Arc;
use std::thread;

/// How many threads, and how many coroutines on how many workers.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    pub threads: usize,
    pub workers: usize,
    pub coroutines: usize,
}

impl Mix {
    pub const THREADS: Mix = Mix { threads: 4, workers: 0, coroutines: 0 };
    pub const ONE_WORKER: Mix = Mix { threads: 0, workers: 1, coroutines: 16 };
    pub const ALL: Mix = Mix { threads: 4, workers: 2, coroutines: 8 };
    pub const EACH: [Mix; 3] = [Mix::THREADS, Mix::ONE_WORKER, Mix::ALL];

    /// How many callers that is.
    pub fn count(self) -> usize {
        self.threads + self.workers * self.coroutines
    }

    /// Runs `body` in each of them, with its number, and waits for all.
    pub fn run(self, body: impl Fn(usize) + Send + Sync + 'static) {
        let body = Arc::new(body);
        let threads = (0..self.threads).map(|number| {
            let body = Arc::clone(&body);
            thread::spawn(move || body(number))
        });
        let workers = (0..self.workers).map(|worker| {
            let body = Arc::clone(&body);
            let first = self.threads + worker * self.coroutines;
            thread::spawn(move || run_coroutines(first..first + self.coroutines, body))
        });
        let all: Vec<_> = threads.collect::<Vec<_>>().into_iter().chain(workers).collect();
        all.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn run_coroutines<F>(numbers: std::ops::Range<usize>, body: Arc<F>)
where
    F: Fn(usize) + Send + Sync + 'static,
{
    coroutine::run(move || {
        let spawn = |number| {
            let body = Arc::clone(&body);
            coroutine::spawn(move || body(number))
        };
        let all: Vec<_> = numbers.map(spawn).collect();
        all.into_iter().for_each(|handle| handle.join().unwrap());
    })
    .unwrap();
}
