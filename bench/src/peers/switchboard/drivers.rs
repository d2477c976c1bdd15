//! How the coroutine engine waits in the kernel: the product chooses by itself, and by a variable
//! in its environment, so that each way is a contestant of its own.
//!
//! What a program has it is asked, one way after the other (`doctor --json`). One that says nothing
//! of drivers takes part once, as it is.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The variable that chooses.
pub(super) const VARIABLE: &str = "SWITCHBOARD_DRIVER";

/// Its values, and what the program then says it runs on.
const DRIVERS: &[(&str, &str)] = &[("epoll", "epoll"), ("uring", "io_uring")];

/// Every driver with the reason why it is not to be had, if so; none if the program knows of none.
pub(super) fn drivers(program: &Path) -> Vec<(&'static str, Result<(), String>)> {
    let all = DRIVERS.iter().map(|(name, full)| {
        let output = Command::new(program).args(["doctor", "--json"]).env(VARIABLE, name).output();
        let runs_on = driver(&String::from_utf8_lossy(&output.ok()?.stdout))?;
        let refused = || format!("it would run on {runs_on}");
        Some((*name, if runs_on == *full { Ok(()) } else { Err(refused()) }))
    });
    all.collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// The engine's name without that of a driver.
pub(super) fn without_driver(engine: &str) -> &str {
    let mut endings = DRIVERS.iter().filter_map(|(name, _)| {
        engine.strip_suffix(name).and_then(|engine| engine.strip_suffix('-'))
    });
    endings.next().unwrap_or(engine)
}

/// What the doctor says of the driver.
fn driver(findings: &str) -> Option<String> {
    let mut lines = findings.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["what"] == "coroutine driver")?;
    Some(line["value"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctors_word_is_found_among_its_findings() {
        let findings = "{\"what\":\"kernel\",\"value\":\"6.18\"}\n\
                        {\"what\":\"coroutine driver\",\"value\":\"io_uring\"}\n";
        assert_eq!(driver(findings).as_deref(), Some("io_uring"));
        assert_eq!(driver("no JSON"), None);
    }

    #[test]
    fn a_driver_is_not_part_of_the_engines_name() {
        assert_eq!(without_driver("coroutines-uring"), "coroutines");
        assert_eq!(without_driver("coroutines"), "coroutines");
    }
}
