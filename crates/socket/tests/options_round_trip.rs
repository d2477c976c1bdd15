//! Every option row is true: what is set can be read back from the kernel, a new socket has the
//! default, or the row says why that was not tried.
//!
//! A row is passed over, with the reason printed, only for what it says of itself: the kernel is
//! older than the row, is built without it, or the process lacks the privilege.

use std::collections::BTreeMap;
use std::io;

use socket::Socket;
use socket::options::{ALL, Check, LEFT_OUT, RoundTrip, SocketOption};

fn rows() -> impl Iterator<Item = &'static SocketOption> {
    ALL.iter().copied().flatten()
}

#[test]
fn every_row_holds_against_the_kernel() {
    let (mut failures, mut held) = (Vec::new(), 0);
    for row in rows() {
        match outcome(row) {
            Ok(()) => held += 1,
            Err(Outcome::NotTried(reason)) => println!("{} not tried: {reason}", row.name),
            Err(Outcome::Wrong(what)) => failures.push(format!("{}: {what}", row.name)),
        }
    }
    println!("{held} rows held");
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(held >= 120, "only {held} rows could be tried on this machine");
}

/// Why a row did not hold.
enum Outcome {
    NotTried(String),
    Wrong(String),
}

fn outcome(row: &SocketOption) -> Result<(), Outcome> {
    match row.check {
        Check::Untried(reason) => return Err(Outcome::NotTried(reason.into())),
        Check::Tested(file) => return tested(row, file),
        _ => {}
    }
    let (socket, _peers) = row.subject.open().map_err(|error| absent(row, &error))?;
    let ask = |error: io::Error| excuse(row, &error);
    if let Some(check) = row.check_default {
        same("default", check(&socket).map_err(ask)?)?;
    }
    match row.check {
        Check::RoundTrip(round_trip) => same("value", round_trip(&socket).map_err(ask)?),
        Check::Settable(set) => set(&socket).map_err(ask),
        Check::Readable => {
            let show = row.show.ok_or_else(|| Outcome::Wrong("no getter".into()))?;
            show(&socket).map(drop).map_err(ask)
        }
        Check::Tested(_) | Check::Untried(_) => unreachable!("answered above"),
    }
}

fn same(what: &str, answer: RoundTrip) -> Result<(), Outcome> {
    match answer.expected == answer.found {
        true => Ok(()),
        false => Err(Outcome::Wrong(format!(
            "{what}: expected {}, found {}",
            answer.expected, answer.found
        ))),
    }
}

/// A row that is tested elsewhere is named there.
fn tested(row: &SocketOption, file: &str) -> Result<(), Outcome> {
    let path = format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).map_err(|error| Outcome::Wrong(error.to_string()))?;
    for method in [row.getter, row.setter].into_iter().flatten() {
        if !text.contains(&format!(".{method}(")) {
            return Err(Outcome::Wrong(format!("{file} does not call {method}")));
        }
    }
    Ok(())
}

/// The socket could not be made: the kernel does not have the family, or the process may not.
fn absent(row: &SocketOption, error: &io::Error) -> Outcome {
    let text = format!("{} sockets: {error}", row.subject.family);
    match error.raw_os_error() {
        Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT) => {
            Outcome::NotTried(text)
        }
        Some(libc::ENODEV | libc::EADDRNOTAVAIL) => Outcome::NotTried(text),
        Some(libc::EPERM | libc::EACCES) if row.needs.is_some() => Outcome::NotTried(text),
        _ => Outcome::Wrong(text),
    }
}

/// The option failed: excused only by what the row says of itself.
fn excuse(row: &SocketOption, error: &io::Error) -> Outcome {
    let lacking = matches!(
        error.raw_os_error(),
        Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::ENOENT | libc::EINVAL)
    );
    if let Some(since) = row.since.filter(|since| lacking && kernel() < version(since)) {
        return Outcome::NotTried(format!("needs Linux {since}"));
    }
    if let Some(config) = row.config.filter(|_| lacking) {
        return Outcome::NotTried(format!("not there; {config} may be off, or unused: {error}"));
    }
    match (row.needs, error.kind()) {
        (Some(needs), io::ErrorKind::PermissionDenied) => {
            Outcome::NotTried(format!("needs {needs}"))
        }
        _ => Outcome::Wrong(error.to_string()),
    }
}

fn kernel() -> (u32, u32) {
    version(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap())
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split(|character: char| !character.is_ascii_digit());
    let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    (next(), next())
}

#[test]
fn every_option_of_the_platform_has_a_row() {
    assert!(rows().count() >= 160, "{} rows", rows().count());
    let mut levels = BTreeMap::new();
    for row in rows() {
        *levels.entry(row.level_name).or_insert(0) += 1;
    }
    println!("{} rows: {levels:?}", rows().count());
}

#[test]
fn every_row_is_there_once_and_documented() {
    let rows: Vec<&SocketOption> = rows().collect();
    for (index, row) in rows.iter().enumerate() {
        assert!(row.doc.trim().len() > 20, "{} has no documentation", row.name);
        let again = rows[index + 1..].iter().any(|other| other.name == row.name);
        assert!(!again, "{} is listed twice", row.name);
        assert!(row.getter.is_some() || row.setter.is_some(), "{} has no method", row.name);
        let left_out = LEFT_OUT.iter().any(|(name, _)| *name == row.name);
        assert!(!left_out, "{} is both a row and left out", row.name);
    }
}

#[test]
fn methods_are_the_c_name_in_lower_case() {
    for row in rows() {
        let word = row.name.to_lowercase();
        if let Some(getter) = row.getter {
            assert_eq!(getter, word);
        }
        if let Some(setter) = row.setter {
            assert!(setter == word || setter == format!("set_{word}"), "{setter} for {word}");
        }
    }
}

#[test]
fn a_row_can_be_shown_by_its_own_subject() {
    let row = rows().find(|row| row.name == "SO_ACCEPTCONN").unwrap();
    let (socket, _peers) = row.subject.open().unwrap();
    assert_eq!(row.show.unwrap()(&socket).unwrap(), "true");
    let plain = Socket::new(row.subject.family, row.subject.kind, row.subject.protocol).unwrap();
    assert_eq!(row.show.unwrap()(&plain).unwrap(), "false");
}
