//! The web cell: how many files a second of the server's CPU serves, beside nginx.
//!
//! Connections that stay, one request under way on each, files of a byte pattern in the page cache.
//! Servers stand and take turns, as in the echo cell; `beside.rs` says what is compared.

use crate::arguments::Arguments;
use crate::beside::{self, Cell};
use crate::isolation::Isolation;
use crate::load::pattern;
use crate::report::{Report, object};
use crate::standing::{Standing, TURN};
use crate::web_load::WebLoad;
use crate::web_nginx;
use serde_json::json;
use std::fs;
use std::io;

/// Runs the cell for each size. False when a contestant failed or has no result.
pub(crate) fn run(
    arguments: &Arguments,
    isolation: &Isolation,
    report: &mut Report,
) -> io::Result<bool> {
    let site = beside::folder(report, "site")?;
    let mut all = true;
    for &bytes in SIZES {
        let (name, content) = (format!("{bytes}.bin"), pattern(bytes));
        fs::write(site.join(&name), &content)?;
        let mut contestants: Vec<_> = web_nginx::ROWS
            .iter()
            .map(|nginx| (nginx.name, nginx.program(&[site.as_os_str()])))
            .collect();
        let ours = beside::product(arguments, &["web".as_ref(), site.as_os_str()]);
        contestants.push(("switchboard web", ours));
        let cell = Cell {
            family: "web",
            each: "request",
            what: format!("files of {bytes} bytes, {CONNECTIONS} connections that stay"),
            place: object(json!({ "file_bytes": bytes, "connections": CONNECTIONS })),
            bar: 1.0,
            turn: TURN,
        };
        let path = format!("/{name}");
        all &= beside::run(&cell, contestants, arguments, report, |program, folder, turn| {
            Standing::begin(program, (isolation, arguments), (folder, turn), |port| {
                let mut load = WebLoad::connect(port, CONNECTIONS, &path, content.clone())?;
                Ok(move |time| load.run(time))
            })
        })?;
    }
    Ok(all)
}

const SIZES: &[usize] = &[1 << 10, 10 << 10, 1 << 20];
const CONNECTIONS: usize = 64;
