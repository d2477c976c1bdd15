//! `chat`: a client for people, of a server of lines.
//!
//! The server asks for a name, the first line is the answer, and then everybody's lines come as
//! they are said. At a terminal they appear above the line that is being typed (`prompt.rs`); in a
//! pipe, or with `--plain`, line after line (`pipe.rs`). In both, nothing that somebody says can
//! control the terminal: this is text, wherever it goes next.
//!
//! What it deliberately does not know: commands. A line that begins with `/` is the server's
//! business.

use std::io::{self, IsTerminal};

use clap::ArgMatches;
use switchboard::socket::{Scheme, Type};

use crate::connect::{self, Connected};
use crate::exit::{Exit, Failure, Result};
use crate::options::Global;
use crate::pipe::{self, Bytes};
use crate::prompt;

const PROMPT: &str = "> ";

pub(crate) fn run(matches: &ArgMatches, global: &Global) -> Result {
    let address = connect::place("chat", matches, global)?;
    if address.scheme.is_some_and(|scheme: Scheme| scheme.kind() != Type::STREAM) {
        let why = format!("chat {address}: a chat needs a stream (try tcp)");
        return Err(Failure::new(Exit::Usage, why));
    }
    let name = matches.get_one::<String>("name");
    if let Some(name) = name.filter(|name| name.contains(char::is_control)) {
        let why = format!("chat --name \"{}\": a name is one line of text", name.escape_debug());
        return Err(Failure::new(Exit::Usage, why));
    }
    let connected = Connected::open(address, global)?;
    if let Some(name) = name {
        let line = format!("{name}\n");
        let sent = connected.socket.send_all(line.as_bytes());
        sent.map_err(|error| connected.failed("send to", &error))?;
    }
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    match terminal && !matches.get_flag("plain") {
        true => prompt::run(connected, PROMPT, global),
        false => pipe::run(connected, Bytes::Seen),
    }
}
