//! The `switchboard` program: servers, and the clients that exercise them.
//!
//! | file | what is in it |
//! |---|---|
//! | `args.rs`, `client_args.rs`, `options.rs` | the grammar of the command line, its values |
//! | `precedence.rs` | a flag goes before a variable |
//! | `serve.rs`, `board.rs` | one service; all of them |
//! | `log.rs`, `json.rs`, `port_file.rs` | what a server tells, and to whom |
//! | `connect.rs`, `pipe.rs`, `prompt.rs`, `screen.rs` | the client, in a pipe and at a terminal |
//! | `chat.rs` | the same for people |
//! | `get.rs`, `send.rs`, `http/` | pages and files over HTTP |
//! | `part_file.rs`, `progress.rs` | a file that is whole or not there; how far a transfer is |
//! | `ping/`, `resolve.rs`, `bench/` | is it there, where is it, how fast is it |
//! | `list.rs`, `option_list.rs`, `doctor.rs` | the lists, how an address is read, this machine |
//! | `pages.rs` | completions and manual pages |
//! | `output.rs`, `exit.rs` | stdout, stderr, colour; exit codes |
//!
//! It deliberately contains no server and no protocol: those are in the libraries, which can do
//! nothing less than this program.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod args;
mod bench;
mod board;
mod chat;
mod client_args;
mod connect;
mod descriptors;
mod doctor;
mod exit;
mod get;
mod http;
mod json;
mod list;
mod log;
mod option_list;
mod options;
mod output;
mod pages;
mod part_file;
mod ping;
mod pipe;
mod port_file;
mod precedence;
mod progress;
mod prompt;
mod resolve;
mod screen;
mod send;
mod serve;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue};

use exit::{Exit, Failure, Result};
use options::Global;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let ended = match precedence::read(&words) {
        Ok(matches) => run(&matches),
        Err(error) => refused(&error, &words),
    };
    match ended {
        Ok(()) => Exit::Success.into(),
        Err(Failure { exit, message }) => {
            if let Some(message) = message {
                output::note(&format!("switchboard: {}", message.trim_end()));
            }
            exit.into()
        }
    }
}

fn run(matches: &ArgMatches) -> Result {
    let Some((command, matches)) = matches.subcommand() else { return output::data(FIRST_HELP) };
    let global = Global::of(matches);
    if let "serve" | "bench" = command {
        descriptors::raise();
    }
    match command {
        "serve" => serve::run(matches, &global),
        "connect" => connect::run(matches, &global),
        "get" => get::run(matches, &global),
        "send" => send::run(matches, &global),
        "chat" => chat::run(matches, &global),
        "ping" => ping::run(matches, &global),
        "bench" => bench::run(matches, &global),
        "doctor" => doctor::run(&global),
        "resolve" => resolve::run(matches, &global),
        "options" => option_list::run(matches, &global),
        "completions" => pages::completions(matches),
        "man" => pages::man(matches, &global),
        "services" => list::services(&global),
        "engines" => list::engines(&global),
        "addr" => list::address(matches, &global),
        "version" => list::version(&global),
        other => unreachable!("{other} is in the grammar but not here"),
    }
}

/// What clap could not read, in one line; or the help it was asked for.
fn refused(error: &clap::Error, words: &[OsString]) -> Result {
    if !error.use_stderr() {
        let styled = error.render();
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
        let plain = !terminal || std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        return output::data(&match plain {
            true => styled.to_string(),
            false => styled.ansi().to_string(),
        });
    }
    let text = error.render().to_string();
    let mut said = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = said.next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what);
    let mut line = what.to_owned();
    let (mut remedy, mut command) = (None, "switchboard".to_owned());
    for more in said {
        if let Some(usage) = more.strip_prefix("Usage: ") {
            let words = usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-']));
            command = words.collect::<Vec<_>>().join(" ");
        } else if line.ends_with(':') || more.starts_with('<') {
            // What is missing, of which there may be several.
            line = format!("{line} {more}");
        } else if !more.starts_with("For more") {
            remedy.get_or_insert(more.trim_matches(['[', ']']).to_owned());
        }
    }
    for (flag, variable) in variables_read(error, words) {
        line = line.replace(&format!("'{flag}'"), &variable);
    }
    let explained = error.kind() == clap::error::ErrorKind::ValueValidation;
    match remedy {
        Some(remedy) => line = format!("{line} ({remedy})"),
        None if explained => {}
        None => line = format!("{line} (try {command} --help)"),
    }
    Err(Failure::new(Exit::Usage, screen::visible(line.as_bytes())))
}

/// The flags, as clap calls them, and their variables, where what is refused came from those:
/// nobody typed the flags.
fn variables_read(error: &clap::Error, words: &[OsString]) -> Vec<(String, String)> {
    let excluding = precedence::excluding(error);
    if !excluding.is_empty() {
        // Typed or not, they are all of a kind: else the typed ones would have gone before.
        let untyped = precedence::untyped(&excluding, words).unwrap_or_default();
        let shown = [ContextKind::InvalidArg, ContextKind::PriorArg].map(|kind| error.get(kind));
        let shown = shown.into_iter().flatten().map(ToString::to_string);
        return shown.zip(untyped.iter().map(|flag| args::variable_of(flag))).collect();
    }
    variable_read(error, words).into_iter().collect()
}

fn variable_read(error: &clap::Error, words: &[OsString]) -> Option<(String, String)> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (flag, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    let name = flag.strip_prefix("--")?.split(' ').next()?;
    let variable = args::variable_of(name);
    let typed = words.iter().any(|arg| {
        arg.to_str().and_then(|arg| arg.strip_prefix("--")).is_some_and(|arg| arg.starts_with(name))
    });
    let read = std::env::var_os(&variable).is_some_and(|set| set == *value);
    (read && !typed).then_some((flag, variable))
}

/// What is shown to somebody who does not know what to type.
const FIRST_HELP: &str = "\
switchboard: servers and clients for sockets. The same service runs one connection at a time, on
threads, in processes or on coroutines; only --engine changes.

  switchboard serve                           every service on loopback, with a line to try for each
  switchboard serve echo --engine serial      one service, one client at a time: watch the rest wait
  switchboard connect 7007                    talk to it: type a line, see the answer
  printf hello | switchboard connect 8888     the same in a pipe, any bytes; switchboard c is short
  switchboard chat                            talk to others on 6667
  switchboard get http://127.0.0.1:8000/ -o page.html         fetch a page and save it
  switchboard send photo.jpg http://127.0.0.1:8001/           upload a file
  switchboard bench 7007                      load a server, and see how long answers take

switchboard --help lists every command, switchboard COMMAND --help has an example for each.
";
