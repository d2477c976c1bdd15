//! The fuzz targets: functions that take any bytes and must not panic.
//!
//! A target is a file here and a row in [`TARGETS`]. libFuzzer owns `main`; which target it runs is
//! told by its arguments, one of which lies in the target's corpus: `corpus/<target>`.

#![no_main]

mod address;
mod ancillary;
mod chat_line;
mod host;
mod http_chunks;
mod http_form;
mod http_head;
mod netlink;
mod sockaddr;

use std::path::Path;
use std::process;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

/// One target: its name, which is its corpus's, and what is done with the bytes.
type Target = (&'static str, fn(&[u8]));

/// Every target.
const TARGETS: &[Target] = &[
    ("address", address::run),
    ("ancillary", ancillary::run),
    ("chat_line", chat_line::run),
    ("host", host::run),
    ("http_chunks", http_chunks::run),
    ("http_form", http_form::run),
    ("http_head", http_head::run),
    ("netlink", netlink::run),
    ("sockaddr", sockaddr::run),
];

/// The target whose corpus is among the arguments.
fn chosen() -> fn(&[u8]) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names = |name: &str| {
        let is_name = |part: &std::ffi::OsStr| part == name;
        arguments.iter().any(|argument| Path::new(argument).iter().any(is_name))
    };
    match TARGETS.iter().find(|(name, _)| names(name)) {
        Some((_, run)) => *run,
        None => {
            let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            eprintln!("name a corpus: corpus/{{{}}}", names.join(","));
            process::exit(2);
        }
    }
}

static RUN: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(
    init: {
        RUN.get_or_init(chosen);
    },
    |bytes: &[u8]| RUN.get().expect("init has chosen one")(bytes)
);
