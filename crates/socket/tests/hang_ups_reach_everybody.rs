//! Every SIGHUP and every SIGQUIT reaches everybody in the process who waits for one, and each
//! forgets it alone.
//!
//! The signals are real, and sent by a child of this test to it, so all of it is one test.

#[path = "support/oracle.rs"]
mod oracle;

use std::process::Command;
use std::time::Duration;

use oracle::{PATIENCE, watchdog};
use socket::signal::{Notices, hang_ups, quits};
use socket::{Deadline, Interest, Poll, poll};

/// Waits for a signal, for as long as it takes.
fn waits(notices: &Notices) -> bool {
    let mut polls = [Poll::new(notices.came(), Interest::READ)];
    poll(&mut polls, Deadline::After(Duration::from_secs(30))).unwrap() == 1
}

fn is_told(notices: &Notices) -> bool {
    let mut polls = [Poll::new(notices.came(), Interest::READ)];
    poll(&mut polls, Deadline::Immediate).unwrap() == 1
}

fn send(signal: &str) {
    let own = std::process::id().to_string();
    assert!(Command::new("kill").args([signal, &own]).status().unwrap().success());
}

#[test]
fn each_is_told_of_each_and_forgets_alone() {
    let _watchdog = watchdog(PATIENCE);
    each("-HUP", || hang_ups().unwrap());
    each("-QUIT", || quits().unwrap().expect("nobody else handles it"));
    let (hang_up, quit) = (hang_ups().unwrap(), quits().unwrap().unwrap());
    send("-QUIT");
    assert!(waits(&quit) && !is_told(&hang_up), "they are told apart");
}

fn each(signal: &str, begin: impl Fn() -> Notices) {
    let (one, other) = (begin(), begin());
    assert!(!is_told(&one) && !is_told(&other));

    for _ in 0..3 {
        send(signal);
        assert!(waits(&one) && waits(&other));
        assert!(one.take().unwrap());
        assert!(!is_told(&one) && !one.take().unwrap(), "it is forgotten");
        assert!(is_told(&other), "only by the one who took it");
        assert!(other.take().unwrap() && !is_told(&other));
    }

    send(signal);
    assert!(waits(&one));
    let late = begin();
    assert!(!is_told(&late), "it came before");
    drop(other);
    send(signal);
    assert!(waits(&late) && late.take().unwrap() && one.take().unwrap());
}
