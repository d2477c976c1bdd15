//! What both outputs share: colour, tables, and the care with a reader who has gone.
//!
//! Data goes to stdout, everything else to stderr. Colour never carries a meaning alone.

use std::io::{self, IsTerminal, Write};

use crate::exit::{Failure, Result};
use crate::options::{Global, When};

/// Paints words, or leaves them as they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// For lines on stdout.
    pub(crate) fn stdout(global: &Global) -> Paint {
        Paint(Paint::wanted(global, io::stdout().is_terminal()))
    }

    /// For lines on stderr.
    pub(crate) fn stderr(global: &Global) -> Paint {
        Paint(Paint::wanted(global, io::stderr().is_terminal()))
    }

    /// `NO_COLOR` is the convention of no-color.org: any value but an empty one.
    fn wanted(global: &Global, terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        match global.color {
            _ if global.json => false,
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !set("NO_COLOR") && !dumb,
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes data to stdout.
pub(crate) fn data(text: &str) -> Result {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::output(&error))
}

/// Writes a line about what happens to stderr. Nobody has to read it.
pub(crate) fn note(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// So many of something: `1 answer`, `2 answers`.
pub(crate) fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Rows in columns as wide as their widest cell; the first row is the heading. The last column is
/// never padded.
pub(crate) fn table(rows: &[Vec<String>], paint: Paint) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        let line = line.trim_end();
        text.push_str(&if index == 0 { paint.bold(line) } else { line.to_owned() });
        text.push('\n');
    }
    text
}
