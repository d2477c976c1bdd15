//! The grammar of the command line: every command and every flag, and which variable sets it.
//!
//! `serve` has one subcommand for each row of [`services::ALL`], with the row's own settings; the
//! engines come from [`Engine::ALL`]. Nothing here runs anything. A flag `--first-byte` is the
//! variable `SWITCHBOARD_FIRST_BYTE`: flag before variable before default.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, Command, value_parser};
use services::{Form, Row, Setting, duration};
use switchboard::{Engine, Guards};

use crate::client_args;

/// The whole program.
pub(crate) fn program() -> Command {
    let program = Command::new("switchboard")
        .about("Servers and clients for sockets, in blocking style")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_value_name("COMMAND")
        .args(global_flags())
        .after_help(
            "Every flag has a variable: --first-byte is SWITCHBOARD_FIRST_BYTE.\n\
             Run switchboard alone for examples.",
        )
        .subcommands([serve(), connect()])
        .subcommands(client_args::commands())
        .subcommands([
            Command::new("services")
                .about("List the services")
                .after_help("Example: switchboard services --json"),
            Command::new("engines")
                .about("List the engines; -v says what each is good for")
                .after_help("Example: switchboard engines -v"),
            Command::new("addr")
                .about("Show how an address is read")
                .after_help("Example: switchboard addr udp6://:domain")
                .arg(
                    address()
                        .required(true)
                        .help(format!("{ADDRESS_HELP}; for serve also {PASSED_HELP}")),
                ),
        ])
        .subcommands(client_args::lists())
        .subcommand(
            Command::new("version")
                .about("Print the version")
                .after_help("Example: switchboard version --json"),
        );
    with_negative_numbers(program)
}

/// Behind a flag, what is below zero is a value that is wrong, and no flag that does not exist.
fn with_negative_numbers(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let (is_flag, names) = (arg.get_long().is_some(), arg.get_value_names());
        match (is_flag && arg.get_action().takes_values(), names) {
            (true, Some([name])) if name == "DURATION" || name == "SIZE" => {
                arg.allow_hyphen_values(true) // -1s is no number
            }
            (true, _) => arg.allow_negative_numbers(true),
            (false, _) => arg,
        }
    });
    command.mut_subcommands(with_negative_numbers)
}

/// The grammar of addresses, in short.
pub(crate) const ADDRESS_HELP: &str = "\
    [SCHEME://]HOST:PORT, PORT (loopback), [IPV6]:PORT, /PATH, unix:PATH or @NAME; schemes: tcp \
    udp unix unixgram, tcp4 udp6 and so on";

/// What only a server can use.
const PASSED_HELP: &str = "fd:NUMBER or fd:NAME, a socket passed to it";

fn serve() -> Command {
    Command::new("serve")
        .about("Serve one service, or all of them on loopback")
        .after_help(
            "Without a service it is the board: every service on loopback, on its default port \
             or on the next free one. Sockets that a service manager passes (LISTEN_FDS) are \
             served in their place, by the service's name, and the manager is told when all is \
             ready (NOTIFY_SOCKET). SIGHUP reloads, or ends the server if its terminal has gone. \
             SIGQUIT (Ctrl-\\) has it say what each connection is doing, and go on.\n\
             \nExample: switchboard serve\n         \
             switchboard serve echo --engine serial\n         \
             switchboard serve web ~/site 8080 --lan",
        )
        .subcommand_value_name("SERVICE")
        .subcommand_help_heading("Services")
        .disable_help_subcommand(true)
        .args(server_flags())
        .subcommands(services::ALL.iter().map(|row| service(row)))
}

fn service(row: &'static Row) -> Command {
    let arguments = row.settings.iter().filter(|setting| setting.form == Form::Argument);
    let flags = row.settings.iter().filter(|setting| setting.form != Form::Argument);
    let schemes: Vec<_> = row.schemes.iter().map(|scheme| scheme.word()).collect();
    let help = format!(
        "{ADDRESS_HELP}; or {PASSED_HELP} [default: port {} on loopback, {}]",
        row.port,
        schemes.join(" and ")
    );
    Command::new(row.name)
        .about(row.summary)
        .after_help(format!("{}\n\n{}", row.details, service_example(row)))
        .args(arguments.map(setting))
        .arg(address().help(help))
        .args(flags.map(setting))
}

/// How to start a service on its usual port, and then to try it.
fn service_example(row: &Row) -> String {
    let arguments = row.settings.iter().filter(|setting| setting.form == Form::Argument);
    let folders = arguments.map(|_| " .").collect::<String>();
    let (name, port) = (row.name, row.port.to_string());
    let tried = row.example.replace("{address}", &port).replace("{host}", "127.0.0.1");
    let tried = tried.replace("{port}", &port);
    format!("Example: switchboard serve {name}{folders} {port}\nTry it:  {tried}")
}

fn setting(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name).help(setting.help);
    let arg = match setting.default {
        Some("") | None => arg,
        Some(value) => arg.default_value(value),
    };
    match setting.form {
        Form::Switch => switch(arg.long(setting.name)),
        Form::Value(what) => variable(arg.long(setting.name).value_name(what)),
        Form::Argument => {
            arg.value_name(setting.name.to_uppercase()).required(setting.default.is_none())
        }
    }
}

fn connect() -> Command {
    Command::new("connect")
        .visible_alias("c")
        .about("Talk to anything: line by line at a terminal, binary-safe in a pipe")
        .after_help(
            "The end of the input closes the sending half only; connect ends when the peer closes. \
             A datagram peer cannot close: there, the end of the input is followed by a wait of \
             --timeout for answers [default: 1s].\n\n\
             Example: switchboard connect 7007\n         \
             printf hello | switchboard connect udp://7007",
        )
        .arg(address().required(true).help(ADDRESS_HELP))
}

pub(crate) fn address() -> Arg {
    Arg::new("address").value_name("ADDR")
}

fn global_flags() -> Vec<Arg> {
    let color = PossibleValuesParser::new(["auto", "always", "never"]);
    let flags = [
        switch(Arg::new("quiet").short('q').long("quiet"))
            .conflicts_with("verbose")
            .help("Errors only"),
        switch(Arg::new("verbose").short('v').long("verbose")).help("A line per message too"),
        switch(Arg::new("json").long("json")).help("One JSON object per line on stdout"),
        variable(Arg::new("color").long("color").value_name("WHEN"))
            .value_parser(color)
            .default_value("auto")
            .help("Colour at a terminal only, always, or never"),
        variable(Arg::new("timeout").long("timeout").value_name("DURATION"))
            .value_parser(duration::parse)
            .help("Give up a connect, or waiting for answers, after this [default: connect 10s]"),
        switch(Arg::new("ipv4").short('4').long("ipv4"))
            .conflicts_with("ipv6")
            .help("IPv4 addresses only"),
        switch(Arg::new("ipv6").short('6').long("ipv6")).help("IPv6 addresses only"),
    ];
    flags.map(|flag| flag.global(true).help_heading("Global options")).to_vec()
}

fn server_flags() -> Vec<Arg> {
    let guards = Guards::default();
    let engines = PossibleValuesParser::new(Engine::ALL.iter().map(|engine| engine.name()));
    let flags = [
        variable(Arg::new("engine").long("engine").value_name("ENGINE"))
            .value_parser(engines.map(|name| name.parse::<Engine>().expect("it is in the list")))
            .default_value(Engine::default().name())
            .help("What runs the connections"),
        variable(Arg::new("workers").long("workers").value_name("N"))
            .value_parser(count::<NonZeroUsize>)
            .help("Threads that run coroutines [default: one for each core]"),
        variable(Arg::new("prefork").long("prefork").value_name("N"))
            .value_parser(count_or_zero)
            .default_value("0")
            .help("Serve by N processes that are replaced when they die; 0: by this one alone"),
        variable(Arg::new("max-connections").long("max-connections").value_name("N"))
            .value_parser(count::<NonZeroUsize>)
            .help("Connections open at once; further ones wait [default: the engine's]"),
        variable(Arg::new("max-per-ip").long("max-per-ip").value_name("N"))
            .value_parser(count::<NonZeroUsize>)
            .help("Of these, from one address [default: a quarter]"),
        limit("first-byte", guards.deadline_first_byte).help("Time to the first byte, or off"),
        limit("idle", guards.deadline_idle).help("Time between two bytes, or off"),
        limit("write", guards.deadline_write).help("Time to take what is written, or off"),
        limit("connection", guards.deadline_connection).help("Time for all of it, or off"),
        variable(Arg::new("grace").long("grace").value_name("DURATION"))
            .value_parser(duration::parse)
            .default_value(duration::show(guards.grace))
            .help("Time to finish after Ctrl-C or SIGTERM; a second one ends at once"),
        variable(Arg::new("port-file").long("port-file").value_name("FILE"))
            .value_parser(value_parser!(std::path::PathBuf))
            .help("Write the port there once connections are accepted"),
        switch(Arg::new("lan").long("lan"))
            .help("Listen on all addresses of this machine, not only on loopback"),
    ];
    flags.map(|flag| flag.global(true).help_heading("Server options")).to_vec()
}

pub(crate) fn count<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("\"{}\" is not a number from 1 up", text.escape_debug()))
}

fn count_or_zero(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("\"{}\" is not a number from 0 up", text.escape_debug()))
}

fn limit(name: &'static str, default: Option<std::time::Duration>) -> Arg {
    variable(Arg::new(name).long(name).value_name("DURATION"))
        .value_parser(limit_value)
        .default_value(default.map_or("off".into(), duration::show))
}

/// A duration, or `off` for no limit.
fn limit_value(text: &str) -> Result<Limit, String> {
    if text == "off" { Ok(Limit(None)) } else { duration::parse(text).map(Some).map(Limit) }
}

/// The value of a limit that can be off. A type of its own, because for clap an `Option` is a value
/// that may be missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit(pub(crate) Option<std::time::Duration>);

pub(crate) fn switch(arg: Arg) -> Arg {
    variable(arg).action(ArgAction::SetTrue).value_parser(yes_or_no)
}

/// What the variable of a switch says.
fn yes_or_no(text: &str) -> Result<bool, String> {
    let read = BoolishValueParser::new().parse_ref(&Command::default(), None, text.as_ref());
    read.map_err(|_| format!("\"{}\" is not true or false", text.escape_debug()))
}

/// Gives a flag its variable.
pub(crate) fn variable(arg: Arg) -> Arg {
    let variable = variable_of(arg.get_id().as_str());
    arg.env(variable).hide_env(true)
}

/// The variable of a flag: `first-byte` has `SWITCHBOARD_FIRST_BYTE`.
pub(crate) fn variable_of(flag: &str) -> String {
    format!("SWITCHBOARD_{}", flag.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every flag of a command and of those below it, as the command and the flag.
    fn flags(command: &Command) -> Vec<(String, Arg)> {
        let own = command.get_arguments().filter(|arg| !arg.is_positional()).cloned();
        let own = own.map(|arg| (command.get_name().to_owned(), arg));
        own.chain(command.get_subcommands().flat_map(flags)).collect()
    }

    #[test]
    fn every_flag_has_its_variable_and_says_what_it_does() {
        let flags = flags(&program());
        assert!(flags.len() > 40, "{}", flags.len());
        for (command, flag) in flags {
            let name = flag.get_long().unwrap_or_else(|| panic!("{command}: {flag} is short only"));
            let variable = flag.get_env().and_then(|variable| variable.to_str());
            assert_eq!(variable, Some(&*variable_of(name)), "{command}: --{name}");
            assert!(flag.get_help().is_some(), "{command}: --{name}");
        }
    }
}
