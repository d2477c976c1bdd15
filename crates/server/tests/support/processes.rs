//! Processes as a test sees them: by their numbers.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Sends a process a signal, by its name without SIG.
pub fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(status.unwrap().success(), "kill -{signal} {pid}");
}

/// Waits until there is no such process, not even one that nobody has waited for.
pub fn until_gone(pid: u32) {
    let (end, path) = (Instant::now() + Duration::from_secs(60), format!("/proc/{pid}"));
    while Path::new(&path).exists() {
        assert!(Instant::now() < end, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the calling test, `test`, is alone in a process whose environment was made by the shell
/// command `environment`. If not, such a process runs it, and has to succeed.
pub fn alone(test: &str, environment: &str) -> bool {
    const ALONE: &str = "SWITCHBOARD_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let script = format!("{environment}; exec \"$0\" --exact {test} --test-threads 1");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(ALONE, "1");
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}
