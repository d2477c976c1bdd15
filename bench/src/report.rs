//! Where results go: a table on stdout for people, JSON lines in a file for programs.

use crate::statistics::Ratio;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// The open report of one run, and the folder for the servers' files, removed at the end.
pub(crate) struct Report {
    lines: Option<File>,
    folder: PathBuf,
}

impl Report {
    /// Creates (or empties) the file for JSON lines, if one is wanted.
    pub(crate) fn open(json: Option<&Path>) -> io::Result<Report> {
        let named = |path: &Path| {
            File::create(path).map_err(|error| {
                io::Error::new(error.kind(), format!("create {}: {error}", path.display()))
            })
        };
        let lines = json.map(named).transpose()?;
        let folder = std::env::temp_dir().join(format!("switchboard-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Report { lines, folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds one object to the JSON lines.
    pub(crate) fn json(&mut self, object: &Value) -> io::Result<()> {
        self.lines.as_mut().map_or(Ok(()), |lines| writeln!(lines, "{object}"))
    }

    /// Reports a contestant that failed, in both forms. `cell` is the `t` of the JSON line, `place`
    /// says where in its family the cell lies.
    pub(crate) fn no_result(
        &mut self,
        cell: &str,
        place: &Map<String, Value>,
        name: &str,
        why: &str,
    ) -> io::Result<()> {
        row::<&str>(name, &[], &format!("no result: {why}"));
        self.absent(cell, place, json!({ "contestant": name, "failure": why }))
    }

    /// Reports those that do not take part in a cell, with the reasons, as above.
    pub(crate) fn skipped(
        &mut self,
        cell: &str,
        place: &Map<String, Value>,
        unable: &[(String, String)],
    ) -> io::Result<()> {
        for (name, why) in unable {
            row::<&str>(name, &[], &format!("skipped: {why}"));
            self.absent(cell, place, json!({ "contestant": name, "skipped": why }))?;
        }
        Ok(())
    }

    fn absent(&mut self, cell: &str, place: &Map<String, Value>, why: Value) -> io::Result<()> {
        let mut line = object(json!({ "v": 1, "t": cell }));
        line.extend(place.clone());
        line.extend(object(why));
        self.json(&Value::from(line))
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // What stays behind is a few bytes in the temporary folder.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Prints one row of a table: a name, figures under each other, a note.
pub(crate) fn row<S: AsRef<str>>(name: &str, figures: &[S], note: &str) {
    let mut line = format!("  {name:<30}");
    for (column, figure) in figures.iter().enumerate() {
        let width = if column < NARROW_COLUMNS { 11 } else { 24 };
        line.push_str(&format!("{:>width$}", figure.as_ref()));
    }
    println!("{line}  {note}");
}

/// The fields of a JSON object; none of anything else.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A ratio and its interval, for a table.
pub(crate) fn interval(ratio: Option<Ratio>) -> String {
    ratio.map_or("-".to_owned(), |r| format!("{:.3} [{:.3}, {:.3}]", r.median, r.low, r.high))
}

/// Shows what is being done, in place, at a terminal only; an empty text clears it.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

/// Columns for plain figures; those after hold a figure and its interval.
const NARROW_COLUMNS: usize = 5;
