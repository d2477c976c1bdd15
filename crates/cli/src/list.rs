//! The lists: services, engines; how an address is read; the version.

use clap::ArgMatches;
use switchboard::socket::{Host, Place};
use switchboard::{Address, Engine};

use crate::exit::Result;
use crate::json::Object;
use crate::options::Global;
use crate::output::{Paint, data, table};

pub(crate) fn services(global: &Global) -> Result {
    let schemes = |row: &services::Row| -> Vec<String> {
        row.schemes.iter().map(|scheme| scheme.word().to_owned()).collect()
    };
    if global.json {
        let line = |row: &&services::Row| {
            let object = Object::new("service").text("name", row.name);
            let object = object.text("summary", row.summary).number("port", row.port);
            object.texts("schemes", &schemes(row)).line()
        };
        return data(&services::ALL.iter().map(line).collect::<String>());
    }
    let mut rows = vec![vec!["SERVICE".into(), "PORT".into(), "OVER".into(), "WHAT".into()]];
    for row in services::ALL {
        let over = schemes(row).join(" ");
        rows.push(vec![row.name.into(), row.port.to_string(), over, row.summary.into()]);
    }
    data(&table(&rows, Paint::stdout(global)))
}

pub(crate) fn engines(global: &Global) -> Result {
    if global.json {
        let line = |engine: &Engine| {
            let object = Object::new("engine").text("name", engine.name());
            let object = object.text("summary", engine.summary());
            object.number("limit_connections", engine.limit_connections() as u64).line()
        };
        return data(&Engine::ALL.iter().map(line).collect::<String>());
    }
    let paint = Paint::stdout(global);
    if global.verbose {
        return data(&Engine::ALL.iter().map(|engine| answers(*engine, paint)).collect::<String>());
    }
    let mut rows = vec![vec!["ENGINE".into(), "CONNECTIONS".into(), "WHAT".into()]];
    for engine in Engine::ALL {
        let limit = engine.limit_connections().to_string();
        rows.push(vec![engine.name().into(), limit, engine.summary().into()]);
    }
    data(&table(&rows, paint))
}

/// What an engine answers to the questions that all of them answer.
fn answers(engine: Engine, paint: Paint) -> String {
    let head = format!("{}: {}", engine.name(), engine.summary());
    let mut text = format!("{}\n", paint.bold(&head));
    for (question, answer) in engine.questions() {
        text.push_str(&format!("  {question}\n      {answer}\n"));
    }
    text
}

/// How an address is read and what it stands for. What was read is shown even where nothing is
/// found behind it.
pub(crate) fn address(matches: &ArgMatches, global: &Global) -> Result {
    let address = global.address(matches)?.expect("the grammar demands an address");
    let network =
        !matches!(address.place, Place::Stdio | Place::Descriptor(_) | Place::DescriptorName(_));
    let resolved = if network { global.resolve(&address) } else { Ok(Vec::new()) };
    let found: Vec<String> = match &resolved {
        Ok(endpoints) => endpoints.iter().map(|end| end.address.to_string()).collect(),
        Err(_) => Vec::new(),
    };
    if global.json {
        let mut object = Object::new("address").text("address", &address.to_string());
        for (name, value) in parts(&address) {
            object = match value.parse::<u32>() {
                Ok(number) if name == "port" => object.number(name, number),
                _ => object.text(name, &value),
            };
        }
        data(&object.texts("resolved", &found).line())?;
        return resolved.map(drop);
    }
    let mut rows = vec![vec!["address".to_owned(), address.to_string()]];
    rows.extend(parts(&address).into_iter().map(|(name, value)| vec![name.to_owned(), value]));
    for (index, place) in found.into_iter().enumerate() {
        rows.push(vec![if index == 0 { "resolved" } else { "" }.to_owned(), place]);
    }
    data(&table(&rows, Paint::stdout(global)))?;
    resolved.map(drop)
}

/// The parts of an address, by name.
fn parts(address: &Address) -> Vec<(&'static str, String)> {
    let mut parts = Vec::new();
    if let Some(scheme) = address.scheme {
        parts.push(("scheme", scheme.word().to_owned()));
    }
    match &address.place {
        Place::Inet(host, port) => {
            let kind = match host {
                Host::Ip(ip) if ip.is_ipv4() => "ipv4",
                Host::Ip(_) | Host::Zoned(..) => "ipv6",
                Host::Name(_) => "name",
            };
            parts.push((kind, host.to_string()));
            parts.push(("port", port.to_string()));
        }
        Place::Unix(name) => parts.push(("unix", name.to_string())),
        Place::Vsock(cid, port) => {
            parts.push(("cid", cid.to_string()));
            parts.push(("port", port.to_string()));
        }
        Place::Descriptor(number) => parts.push(("descriptor", number.to_string())),
        Place::DescriptorName(name) => parts.push(("descriptor", name.clone())),
        Place::Stdio => parts.push(("stdio", "standard input and output".into())),
    }
    parts
}

pub(crate) fn version(global: &Global) -> Result {
    let version = env!("CARGO_PKG_VERSION");
    data(&match global.json {
        true => Object::new("version").text("version", version).line(),
        false => format!("switchboard {version}\n"),
    })
}
