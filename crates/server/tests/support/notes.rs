//! What handlers note for the test to read, whatever process or thread they run in: a file that
//! they all append to. It has no name any more when they begin, so nothing is left of it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The notes. A clone is the same notes.
#[derive(Clone)]
pub struct Notes(Arc<File>);

impl Notes {
    pub fn new() -> Notes {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let name = format!("switchboard-notes-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        Notes(Arc::new(file))
    }

    /// Adds `words` and a space. Notes of several writers stand in the order they were made, whole.
    pub fn add(&self, words: impl std::fmt::Display) {
        (&*self.0).write_all(format!("{words} ").as_bytes()).unwrap();
    }

    /// What has been noted so far, without the last space.
    pub fn read(&self) -> String {
        let mut bytes = vec![0; 65_536];
        let count = loop {
            match self.0.read_at(&mut bytes, 0) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                answer => break answer.unwrap(),
            }
        };
        assert!(count < bytes.len(), "too many notes");
        String::from_utf8_lossy(&bytes[..count]).trim_end().to_owned()
    }

    /// The largest sum on the way, of notes that are all numbers: `+1` for who comes, `-1` for who
    /// goes.
    pub fn most_at_once(&self) -> i32 {
        let (mut now, mut most) = (0, 0);
        for step in self.read().split(' ') {
            now += step.parse::<i32>().unwrap();
            most = most.max(now);
        }
        most
    }

    /// Waits until the notes satisfy `condition`, and answers them.
    pub fn until(&self, condition: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let notes = self.read();
            if condition(&notes) {
                return notes;
            }
            assert!(Instant::now() < end, "not reached: {notes:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
