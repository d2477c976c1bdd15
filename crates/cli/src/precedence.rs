//! Flag before variable before default, also where two flags exclude each other: `-q` is typed by
//! somebody now, `SWITCHBOARD_VERBOSE` was set some day, and so the variable has no say.
//!
//! clap knows that a flag goes before its own variable. To its rule of what cannot be used together
//! a variable is as good as a flag; so where that rule is broken, the command line is read again
//! without the variables that are in the way.
//!
//! Two flags, or two variables, that exclude each other stay what they are: a mistake.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Error};

use crate::args;

/// Reads the words of a command line, the first of which is the program's name.
///
/// # Errors
/// What clap cannot read, or a call for help.
pub(crate) fn read(words: &[OsString]) -> Result<ArgMatches, Error> {
    let mut silent: Vec<String> = Vec::new();
    loop {
        let read = without(args::program(), &|name| silent.iter().any(|flag| flag == name))
            .try_get_matches_from(words);
        let Err(error) = &read else { return read };
        let excluding = excluding(error);
        if excluding.is_empty() {
            return read;
        }
        let untyped = untyped(&excluding, words)?;
        if untyped.is_empty() || untyped.len() == excluding.len() {
            return read;
        }
        // Each turn takes at least one variable away, because those away exclude nothing any more.
        silent.extend(untyped);
    }
}

/// Of flags that exclude each other, those that nobody typed: their variables are set.
///
/// # Errors
/// What is wrong with the command line whatever the variables say.
pub(crate) fn untyped(flags: &[String], words: &[OsString]) -> Result<Vec<String>, Error> {
    let program = without(args::program(), &|_| true);
    let typed = program.try_get_matches_from(words)?;
    let mut command = &typed;
    while let Some((_, inner)) = command.subcommand() {
        command = inner;
    }
    let is_typed = |flag: &String| {
        command.try_contains_id(flag).is_ok()
            && command.value_source(flag) == Some(ValueSource::CommandLine)
    };
    Ok(flags.iter().filter(|flag| !is_typed(flag)).cloned().collect())
}

/// The names of the flags that exclude each other, if that is the mistake.
pub(crate) fn excluding(error: &Error) -> Vec<String> {
    if error.kind() != ErrorKind::ArgumentConflict {
        return Vec::new();
    }
    let texts = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let shown = [texts(ContextKind::InvalidArg), texts(ContextKind::PriorArg)].concat();
    // As clap shows it, `--output <FILE>` is the flag of that name.
    let name = |text: &String| Some(text.strip_prefix("--")?.split(' ').next()?.to_owned());
    shown.iter().filter_map(name).collect()
}

/// The grammar with these flags deaf to their variables.
fn without(command: Command, deaf: &dyn Fn(&str) -> bool) -> Command {
    let command = command.mut_args(|arg| match deaf(arg.get_id().as_str()) {
        true => arg.env(Resettable::Reset),
        false => arg,
    });
    command.mut_subcommands(|command| without(command, deaf))
}
