//! `options [NAME]`: every socket option, and what this kernel says of it now.
//!
//! The rows are those of [`options::ALL`]; nothing is known here that is not in a row. "Now" is
//! asked of a fresh socket of the kind the row names, connected or listening where it must be, over
//! loopback. A kernel that lacks the kind or the option, and a privilege that is missing, are said
//! in the value's place.

use std::io;

use clap::ArgMatches;
use switchboard::socket::options::{self, SocketOption, Subject};
use switchboard::{Socket, plain};

use crate::exit::{Exit, Failure, Result};
use crate::json::Object;
use crate::options::Global;
use crate::output::{Paint, data, table};

/// The most of a value that is shown in a table: `TCP_INFO` alone has fifty numbers.
const VALUE_LETTERS: usize = 32;

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let part = matches.get_one::<String>("part").map(|part| part.to_uppercase());
    let named = |row: &&&SocketOption| part.as_ref().is_none_or(|part| row.name.contains(part));
    let rows: Vec<_> = options::ALL.iter().copied().flatten().collect();
    let rows: Vec<_> = rows.iter().filter(named).copied().collect();
    if rows.is_empty() {
        let part = part.unwrap_or_default();
        let why = options::LEFT_OUT.iter().find(|(name, _)| *name == part);
        let why = match why {
            Some((name, why)) => format!("options {name}: {why}"),
            None => format!(
                "options {}: no option has this in its name (switchboard options lists all)",
                part.escape_debug()
            ),
        };
        return Err(Failure::new(Exit::No, why));
    }
    let mut kernel = Kernel::default();
    if global.json {
        return data(&rows.iter().map(|row| object(row, &mut kernel)).collect::<String>());
    }
    let paint = Paint::stdout(global);
    if global.verbose {
        return data(&rows.iter().map(|row| page(row, &mut kernel, paint)).collect::<String>());
    }
    let heading = ["OPTION", "LEVEL", "TYPE", "DEFAULT", "NOW", "WHAT"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for row in rows {
        lines.push(vec![
            row.name.into(),
            row.level_name.into(),
            short(row.value_type),
            short(row.default.unwrap_or("-")),
            short(&kernel.now(row).unwrap_or_else(|why| format!("({why})"))),
            first_sentence(row.doc),
        ]);
    }
    data(&table(&lines, paint))
}

/// What is asked of this kernel: one socket for all rows of a kind.
#[derive(Default)]
struct Kernel {
    opened: Vec<(Subject, Opened)>,
}

/// The socket to ask, and its peers.
type Opened = io::Result<(Socket, Vec<Socket>)>;

impl Kernel {
    /// The value that the option has now, or why it has none.
    fn now(&mut self, row: &SocketOption) -> std::result::Result<String, String> {
        let Some(show) = row.show else { return Err("can only be set".into()) };
        let at = self.opened.iter().position(|(subject, _)| *subject == row.subject);
        let at = at.unwrap_or_else(|| {
            self.opened.push((row.subject, row.subject.open()));
            self.opened.len() - 1
        });
        match &self.opened[at].1 {
            Ok((socket, _)) => show(socket).map_err(|error| plain(&error)),
            Err(error) => Err(plain(error)),
        }
    }
}

fn object(row: &SocketOption, kernel: &mut Kernel) -> String {
    let known = |object: Object, name, value: Option<&str>| match value {
        Some(value) => object.text(name, value),
        None => object.null(name),
    };
    let object = Object::new("option").text("name", row.name).text("level", row.level_name);
    let object = object.number("number", row.number.unsigned_abs()).text("type", row.value_type);
    let object = known(object, "default", row.default);
    let object = match kernel.now(row) {
        Ok(value) => object.text("now", &value).null("why_not"),
        Err(why) => object.null("now").text("why_not", &why),
    };
    let object = known(object, "getter", row.getter);
    let object = known(object, "setter", row.setter);
    let object = known(object, "needs", row.needs);
    known(object, "since", row.since).text("doc", &one_line(row.doc)).line()
}

/// All that is known of an option.
fn page(row: &SocketOption, kernel: &mut Kernel, paint: Paint) -> String {
    let mut lines = vec![paint.bold(row.name)];
    let mut line = |name: &str, value: &str| lines.push(format!("  {name:<8} {value}"));
    line("level", &format!("{} ({}), number {}", row.level_name, row.level, row.number));
    line("type", row.value_type);
    line("default", row.default.unwrap_or("-"));
    line("now", &kernel.now(row).unwrap_or_else(|why| format!("({why})")));
    let methods: Vec<_> = row.getter.into_iter().chain(row.setter).collect();
    line("methods", &methods.join(", "));
    for (name, value) in [("needs", row.needs), ("since", row.since), ("config", row.config)] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    lines.extend(row.doc.trim().lines().map(|text| format!("  {}", text.trim())));
    lines.join("\n") + "\n\n"
}

fn short(value: &str) -> String {
    match value.chars().count() > VALUE_LETTERS {
        true => value.chars().take(VALUE_LETTERS - 1).chain(['…']).collect(),
        false => value.to_owned(),
    }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first sentence, without its links.
fn first_sentence(doc: &str) -> String {
    let text = one_line(doc);
    let end = text.find(". ").unwrap_or(text.len());
    without_links(text[..end].trim_end_matches('.'))
}

/// `[text](target)` as `text`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((name, after)) = link.split_once(']') else { break };
        plain.push_str(before);
        plain.push_str(name);
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, behind)| behind);
    }
    plain.push_str(rest);
    plain.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_plain_text() {
        let doc = " Whether [`bind`](crate::Socket::bind) may take\n it, e.g. this. More.\n";
        assert_eq!(first_sentence(doc), "Whether bind may take it, e.g");
        assert_eq!(first_sentence(" See [a](b) and [c].\n"), "See a and c");
        assert_eq!(first_sentence(""), "");
    }
}
