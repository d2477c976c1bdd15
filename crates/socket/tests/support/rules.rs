//! What every test of this crate keeps to: it ends, and it leaves nothing out in silence.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::Duration;

/// Longer than any test takes that goes well, on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Ends the process with a message if it is not dropped in time: a test that hangs is a failure.
#[must_use = "it watches for as long as it is kept"]
pub(crate) struct Watchdog(#[allow(dead_code)] mpsc::Sender<()>);

pub(crate) fn watchdog(limit: Duration) -> Watchdog {
    let (sender, receiver) = mpsc::channel::<()>();
    let test = std::thread::current().name().unwrap_or("main").to_owned();
    std::thread::spawn(move || {
        if receiver.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Past what a test captures, and past locks that may be what hangs.
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            let _ = stderr.and_then(|stderr| {
                writeln!(File::from(stderr), "watchdog: {test} did not end within {limit:?}")
            });
            std::process::abort();
        }
    });
    Watchdog(sender)
}

/// Says why a test does nothing here, or fails if nothing may be left out.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "may not skip: {reason}");
    println!("skipped: {reason}");
}

/// Says why a test does nothing here, whatever may be left out: the kernel has no such thing.
pub(crate) fn kernel_lacks(what: &str) {
    println!("skipped: this kernel has no {what}");
}
