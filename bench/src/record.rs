//! What a run left in its JSON lines, to be looked at again: its cells, their rows, and ratios
//! between any two contestants, paired block by block as the run itself pairs them with the
//! reference.

use crate::statistics::{Ratio, median};
use serde_json::{Map, Value};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The lines of one run.
pub(crate) struct Record {
    lines: Vec<Map<String, Value>>,
}

/// Where in a run: a family, and what sets one of its cells apart from the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) family: String,
    pub(crate) at: Vec<(&'static str, u64)>,
}

impl Record {
    /// Reads the lines.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the file holds anything but JSON objects, one in a line.
    pub(crate) fn read(path: &Path) -> io::Result<Record> {
        let named = |kind, why: &dyn std::fmt::Display| {
            io::Error::new(kind, format!("read {}: {why}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| named(error.kind(), &error))?;
        let lines: Result<_, _> = text.lines().map(serde_json::from_str).collect();
        lines.map(|lines| Record { lines }).map_err(|error| named(ErrorKind::InvalidData, &error))
    }

    /// The line about the machine.
    pub(crate) fn environment(&self) -> Option<&Map<String, Value>> {
        self.lines.iter().find(|line| line.get("t").is_some_and(|t| t == "environment"))
    }

    /// The cells of a family, in the order of the run.
    pub(crate) fn cells(&self, family: &str) -> Vec<Place> {
        let mut cells = Vec::new();
        for line in self.of(family) {
            let place = place(family, line);
            if !cells.contains(&place) {
                cells.push(place);
            }
        }
        cells
    }

    /// The rows of a cell, in the order of the run.
    pub(crate) fn rows<'a>(
        &'a self,
        cell: &'a Place,
    ) -> impl Iterator<Item = &'a Map<String, Value>> + 'a {
        self.of(&cell.family).filter(|line| place(&cell.family, line) == *cell)
    }

    /// The median of `field` over the slices of a contestant; `None` if there are none.
    pub(crate) fn middle(&self, cell: &Place, contestant: &str, field: &str) -> Option<f64> {
        let values: Vec<f64> =
            self.slices(cell, contestant, field).into_iter().map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| median(&values))
    }

    /// `field` of one contestant over that of another, in the same block.
    pub(crate) fn ratio(
        &self,
        cell: &Place,
        field: &str,
        contestant: &str,
        rival: &str,
    ) -> Option<Ratio> {
        let (ours, theirs) =
            (self.slices(cell, contestant, field), self.slices(cell, rival, field));
        let mean = |slices: &[(u64, f64)], block: u64| -> Option<f64> {
            let values: Vec<f64> =
                slices.iter().filter(|(at, _)| *at == block).map(|(_, value)| *value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let blocks = ours.iter().map(|(block, _)| *block).max().map_or(0, |last| last + 1);
        let ratios: Vec<f64> = (0..blocks)
            .filter_map(|block| Some(mean(&ours, block)? / mean(&theirs, block)?))
            .collect();
        Ratio::of(&ratios)
    }

    /// Block and `field` of each slice: the quiet ones, or all if none was quiet.
    fn slices(&self, cell: &Place, contestant: &str, field: &str) -> Vec<(u64, f64)> {
        let family = format!("{}_slice", cell.family);
        let all: Vec<_> = self
            .of(&family)
            .filter(|line| line.get("contestant").is_some_and(|name| name == contestant))
            .filter(|line| place(&cell.family, line) == *cell)
            .filter_map(|line| {
                let quiet = line.get("dropped").is_none_or(Value::is_null);
                Some((quiet, (line.get("block")?.as_u64()?, line.get(field)?.as_f64()?)))
            })
            .collect();
        let quiet = all.iter().any(|(quiet, _)| *quiet);
        all.into_iter().filter(|(is_quiet, _)| *is_quiet == quiet).map(|(_, it)| it).collect()
    }

    fn of(&self, t: &str) -> impl Iterator<Item = &Map<String, Value>> {
        self.lines.iter().filter(move |line| line.get("t").is_some_and(|known| known == t))
    }
}

fn place(family: &str, line: &Map<String, Value>) -> Place {
    let at = PLACES.iter().filter_map(|key| Some((*key, line.get(*key)?.as_u64()?)));
    Place { family: family.to_owned(), at: at.collect() }
}

/// What sets cells of a family apart.
const PLACES: &[&str] =
    &["connections", "members", "senders", "silent", "visitors", "message_bytes", "under_way"];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record of these lines.
    pub(crate) fn record(lines: &str) -> Record {
        Record { lines: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
    }

    #[test]
    fn ratios_are_between_any_two_and_paired_by_block() {
        let record = record(
            r#"{"t":"echo","connections":1,"contestant":"a","x":9}
{"t":"echo","connections":64,"contestant":"a","x":9}
{"t":"echo_slice","connections":1,"contestant":"a","block":0,"x":1.0,"dropped":null}
{"t":"echo_slice","connections":1,"contestant":"b","block":0,"x":2.0,"dropped":null}
{"t":"echo_slice","connections":1,"contestant":"b","block":0,"x":9.0,"dropped":"steal"}
{"t":"echo_slice","connections":1,"contestant":"a","block":1,"x":10.0,"dropped":null}
{"t":"echo_slice","connections":1,"contestant":"b","block":1,"x":20.0,"dropped":null}
{"t":"echo_slice","connections":64,"contestant":"c","block":0,"x":5.0,"dropped":"steal"}"#,
        );
        let cells = record.cells("echo");
        assert_eq!(cells.len(), 2);
        assert_eq!(record.ratio(&cells[0], "x", "b", "a").unwrap().median, 2.0);
        assert!(record.ratio(&cells[0], "x", "b", "c").is_none());
        assert_eq!(record.middle(&cells[0], "b", "x"), Some(11.0));
        assert_eq!(record.middle(&cells[1], "c", "x"), Some(5.0));
        assert_eq!(record.rows(&cells[1]).count(), 1);
    }
}
