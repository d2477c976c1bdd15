//! The size of the released program, as a row of the sheet.

use crate::arguments::Arguments;
use crate::report::{Report, row};
use serde_json::{Map, json};
use std::fs;
use std::io;

/// Looks. False when it is not built.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> io::Result<bool> {
    println!("\nbinary: the released program on the disk; MiB");
    let bytes = match fs::metadata(&arguments.switchboard) {
        Ok(metadata) => metadata.len(),
        Err(error) => {
            report.no_result("binary", &Map::new(), "switchboard", &error.to_string())?;
            return Ok(false);
        }
    };
    let verdict = if bytes <= BAR_BYTES { "met" } else { "MISSED" };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let note = format!("bar: at most {} MiB, {verdict}", mib(BAR_BYTES));
    row("switchboard", &[format!("{:.2}", mib(bytes))], &note);
    report.json(&json!({
        "v": 1, "t": "binary", "contestant": "switchboard", "bytes": bytes,
        "bar_met": bytes <= BAR_BYTES,
    }))?;
    Ok(true)
}

/// The product's promise.
const BAR_BYTES: u64 = 15 << 20;
