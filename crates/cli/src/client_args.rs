//! The grammar of the client commands and of the lists about this machine.
//!
//! What all commands share is in `args.rs`. Each command ends its help with an example.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Arg, Command, value_parser};
use clap_complete::Shell;
use services::{duration, size};

use crate::args::{ADDRESS_HELP, address, count, switch, variable};

/// The commands, in the order of the help.
pub(crate) fn commands() -> Vec<Command> {
    vec![get(), send(), chat(), ping(), resolve(), bench()]
}

/// The lists, and what is made from the grammar itself.
pub(crate) fn lists() -> Vec<Command> {
    vec![options(), doctor(), completions(), man()]
}

fn get() -> Command {
    Command::new("get")
        .about("Fetch a page over HTTP and save it")
        .after_help(
            "Redirects are followed, up to 10. The header is shown at a terminal only; with -v \
             anywhere, and the request too. A file gets its name when it is whole, and never holds \
             an error page. A status of 400 or more ends with 22, a body that is cut short with \
             18.\n\n\
             Example: switchboard get http://127.0.0.1:8000/ -o page.html",
        )
        .arg(url("http://HOST[:PORT][/PATH], HOST/PATH or PORT/PATH (loopback)"))
        .arg(
            variable(Arg::new("output").short('o').long("output").value_name("FILE"))
                .value_parser(value_parser!(PathBuf))
                .help("Save the body there; - is stdout [default: stdout]"),
        )
        .arg(
            switch(Arg::new("remote-name").short('O').long("remote-name"))
                .conflicts_with("output")
                .help("Save the body under its name in the URL"),
        )
        .arg(
            switch(Arg::new("include").short('i').long("include"))
                .help("Put the header in front of the body"),
        )
}

fn send() -> Command {
    Command::new("send")
        .about("Upload a file over HTTP, with a progress bar")
        .after_help(
            "A PUT, as of curl -T. A URL that ends in / gets the name of the file. What the server \
             answers is printed; an answer that comes early ends the sending.\n\n\
             Example: switchboard send photo.jpg http://127.0.0.1:8001/",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("What to send; - is stdin"),
        )
        .arg(url("Where to: http://HOST[:PORT]/NAME, or /FOLDER/ for the file's own name"))
}

fn chat() -> Command {
    Command::new("chat")
        .about("Chat: what others say appears above the line you type")
        .after_help(
            "Ctrl-D or /quit leaves.\n\nExample: switchboard chat --name ann 6667\n\
             In a pipe: echo 'it is done' | switchboard chat --name robot",
        )
        .arg(address().default_value("6667").help(ADDRESS_HELP))
        .arg(
            switch(Arg::new("plain").long("plain"))
                .help("Lines only, for pipes; so it is anyway where there is no terminal"),
        )
        .arg(
            variable(Arg::new("name").long("name").value_name("NAME"))
                .help("Your name; otherwise you are asked for it"),
        )
}

fn ping() -> Command {
    Command::new("ping")
        .about("Ask a host for an echo: by ICMP, or where that is not permitted by TCP")
        .after_help(
            "Tried in this order: an ICMP datagram socket (net.ipv4.ping_group_range), a raw \
             socket (CAP_NET_RAW), TCP connects, of which a refusal is an answer too. Ends with 1 \
             if nothing answers.\n\nExample: switchboard ping -c 3 localhost",
        )
        .arg(Arg::new("host").value_name("HOST").required(true).help("A name or an address"))
        .arg(
            variable(Arg::new("count").short('c').long("count").value_name("N"))
                .value_parser(count::<NonZeroU32>)
                .help("Ask so often [default: until Ctrl-C]"),
        )
        .arg(
            variable(Arg::new("interval").short('i').long("interval").value_name("DURATION"))
                .value_parser(duration::parse)
                .default_value("1s")
                .help("Time between two questions"),
        )
        .arg(
            variable(Arg::new("by").long("by").value_name("WAY"))
                .value_parser(["datagram", "raw", "tcp"])
                .help("Only this way [default: the first that is permitted]"),
        )
        .arg(
            variable(Arg::new("port").long("port").value_name("PORT"))
                .value_parser(value_parser!(u16).range(1..))
                .default_value("80")
                .help("The port to connect to by TCP"),
        )
}

fn resolve() -> Command {
    Command::new("resolve")
        .about("Show what a name means, in the order in which to connect")
        .after_help("Example: switchboard resolve localhost http")
        .arg(Arg::new("host").value_name("NAME").required(true).help("A name or an address"))
        .arg(Arg::new("service").value_name("SERVICE").help("A port, by name or number"))
}

fn bench() -> Command {
    Command::new("bench")
        .about("Load a server and show how long its answers take")
        .after_help(
            "Without --rate each connection asks again when it has its answer (a closed loop): a \
             slow server is then asked less. With --rate the questions have their moments, \
             whatever the answers do (an open loop), and latency is told twice: from the planned \
             moment, which is what a user would have waited, and from the actual send. Every byte \
             of an echo is compared with what was sent.\n\n\
             Example: switchboard bench 7007 --connections 100 --duration 5s\n         \
             switchboard bench 7007 --rate 10000\n         \
             switchboard bench 8000 --http /",
        )
        .arg(address().required(true).help(ADDRESS_HELP))
        .arg(number("connections", "N", "Connections at once").default_value("50"))
        .arg(
            variable(Arg::new("duration").long("duration").value_name("DURATION"))
                .value_parser(duration::parse)
                .default_value("10s")
                .help("How long to ask"),
        )
        .arg(number("requests", "N", "Stop after so many questions").conflicts_with("duration"))
        .arg(
            variable(Arg::new("size").long("size").value_name("SIZE"))
                .value_parser(size::parse)
                .default_value("64")
                .help("The length of a message: 64, 16K, 1M"),
        )
        .arg(number("rate", "N", "Questions a second, over all connections"))
        .arg(number("pipeline", "N", "Questions under way on a connection").default_value("1"))
        .arg(
            variable(Arg::new("http").long("http").value_name("PATH"))
                .conflicts_with("size")
                .help("Ask with GET for this path, over HTTP/1.1"),
        )
        .arg(number("workers", "N", "Threads [default: one for each core]"))
}

fn options() -> Command {
    Command::new("options")
        .about("List the socket options and what this kernel says of each")
        .after_help("Example: switchboard options keepalive")
        .arg(Arg::new("part").value_name("NAME").help("Only those with this in their name"))
}

fn doctor() -> Command {
    Command::new("doctor")
        .about("Say what this machine offers, and what to change")
        .after_help("Ends with 1 if something should be changed.\n\nExample: switchboard doctor")
}

fn completions() -> Command {
    Command::new("completions")
        .about("Print the completions for a shell")
        .after_help(
            "Example: switchboard completions bash > \
             ~/.local/share/bash-completion/completions/switchboard",
        )
        .arg(
            Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)),
        )
}

fn man() -> Command {
    Command::new("man")
        .about("Print the manual page, or write one for each command")
        .after_help("Example: switchboard man --out ~/.local/share/man/man1")
        .arg(
            variable(Arg::new("out").long("out").value_name("DIR"))
                .value_parser(value_parser!(PathBuf))
                .help("Write the pages into this folder"),
        )
}

fn url(help: &'static str) -> Arg {
    Arg::new("url").value_name("URL").required(true).help(help)
}

fn number(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    variable(Arg::new(name).long(name).value_name(value))
        .value_parser(count::<NonZeroUsize>)
        .help(help)
}
