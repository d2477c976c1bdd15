//! Every SIGHUP reaches everybody in the process who waits for one, and each forgets it alone.
//!
//! The signals are real, and sent by a child of this test to it, so all of it is one test.

#[path = "support/oracle.rs"]
mod oracle;

use std::process::Command;
use std::time::Duration;

use oracle::{PATIENCE, watchdog};
use socket::signal::{HangUps, hang_ups};
use socket::{Deadline, Interest, Poll, poll};

/// Waits for a hang-up, for as long as it takes.
fn waits(hang_ups: &HangUps) -> bool {
    let mut polls = [Poll::new(hang_ups.came(), Interest::READ)];
    poll(&mut polls, Deadline::After(Duration::from_secs(30))).unwrap() == 1
}

fn is_told(hang_ups: &HangUps) -> bool {
    let mut polls = [Poll::new(hang_ups.came(), Interest::READ)];
    poll(&mut polls, Deadline::Immediate).unwrap() == 1
}

fn hang_up() {
    let own = std::process::id().to_string();
    assert!(Command::new("kill").args(["-HUP", &own]).status().unwrap().success());
}

#[test]
fn each_is_told_of_each_and_forgets_alone() {
    let _watchdog = watchdog(PATIENCE);
    let (one, other) = (hang_ups().unwrap(), hang_ups().unwrap());
    assert!(!is_told(&one) && !is_told(&other));

    for _ in 0..3 {
        hang_up();
        assert!(waits(&one) && waits(&other));
        assert!(one.take().unwrap());
        assert!(!is_told(&one) && !one.take().unwrap(), "it is forgotten");
        assert!(is_told(&other), "only by the one who took it");
        assert!(other.take().unwrap() && !is_told(&other));
    }

    hang_up();
    assert!(waits(&one));
    let late = hang_ups().unwrap();
    assert!(!is_told(&late), "it came before");
    drop(other);
    hang_up();
    assert!(waits(&late) && late.take().unwrap() && one.take().unwrap());
}
