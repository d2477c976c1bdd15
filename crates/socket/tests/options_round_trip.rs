//! Every option row is true: what is set can be read back from the kernel, or the row says why not.

use socket::options::{ALL, Check, SocketOption};
use socket::{Protocol, Socket};

#[test]
fn every_row_holds_against_the_kernel() {
    let mut failures = Vec::new();
    for row in ALL.iter().copied().flatten() {
        if let Err(why) = check(row) {
            failures.push(format!("{}: {why}", row.name));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn check(row: &SocketOption) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    match row.check {
        Check::RoundTrip(family, kind, round_trip) => {
            let socket = Socket::new(family, kind, Protocol::DEFAULT).map_err(text)?;
            let answer = round_trip(&socket).map_err(text)?;
            match answer.expected == answer.found {
                true => Ok(()),
                false => Err(format!("expected {}, found {}", answer.expected, answer.found)),
            }
        }
        Check::ReadOnly(family, kind) => {
            let socket = Socket::new(family, kind, Protocol::DEFAULT).map_err(text)?;
            row.show.ok_or("no getter")?(&socket).map(drop).map_err(text)
        }
        Check::Untried(reason) => {
            println!("{} not tried: {reason}", row.name);
            Ok(())
        }
    }
}

#[test]
fn every_row_is_there_once_and_documented() {
    let rows: Vec<&SocketOption> = ALL.iter().copied().flatten().collect();
    for (index, row) in rows.iter().enumerate() {
        assert!(row.doc.trim().len() > 20, "{} has no documentation", row.name);
        let again = rows[index + 1..].iter().any(|other| other.name == row.name);
        assert!(!again, "{} is listed twice", row.name);
    }
}
