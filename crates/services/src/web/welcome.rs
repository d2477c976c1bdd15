//! The page of a server without a folder: what is served here, and how to try it.
//!
//! What else runs is not known here; whoever starts the services says so, with the setting `links`.
//! A service that listens on all addresses is named by the host that the reader called.

use std::io;

use switchboard::socket::{Address, Host, Place, Scheme};

use crate::http::html::Escaped;
use crate::http::{Exchange, Head, Response, Status};

/// What the page names.
#[derive(Debug)]
pub(super) struct Welcome {
    links: Vec<(String, Address)>,
}

impl Welcome {
    /// Reads `NAME=ADDRESS,NAME=ADDRESS`.
    ///
    /// # Errors
    /// A line that is not of this form.
    pub(super) fn read(text: &str) -> Result<Welcome, String> {
        let mut links = Vec::new();
        for link in text.split(',').filter(|link| !link.trim().is_empty()) {
            let wrong = || {
                let link = link.escape_debug();
                format!("--links: \"{link}\" is not a link (try echo=tcp://127.0.0.1:7007)")
            };
            let (name, address) = link.trim().split_once('=').ok_or_else(wrong)?;
            links.push((name.to_owned(), address.parse().map_err(|_| wrong())?));
        }
        Ok(Welcome { links })
    }

    pub(super) fn send(&self, head: &Head<'_>, exchange: &mut Exchange<'_>) -> io::Result<()> {
        let called = head.host().unwrap_or("localhost");
        let mut body = String::from("<p>A server of Switchboard answers here.</p>\n");
        if !self.links.is_empty() {
            body += "<table>\n<tr><th>service<th>where<th>what it does, and a line to try\n";
        }
        for (name, address) in &self.links {
            body += &line(name, address, called);
        }
        if !self.links.is_empty() {
            body += "</table>\n";
        }
        body += "<p>To see files here: <code>switchboard serve web DIR</code></p>\n";
        exchange.send_page(Response::html(Status::Ok), "Switchboard", &body)
    }
}

/// The line of one service.
fn line(name: &str, address: &Address, called: &str) -> String {
    let row = crate::find(name);
    let (mut place, mut example) = (address.to_string(), String::new());
    if let Place::Inet(host, port) = &address.place {
        let host = match host {
            Host::Ip(ip) if ip.is_unspecified() => called.to_owned(),
            Host::Ip(ip) if ip.is_ipv6() => format!("[{ip}]"),
            host => host.to_string(),
        };
        let scheme = address.scheme.map_or(String::new(), |scheme| format!("{}://", scheme.word()));
        place = format!("{scheme}{host}:{port}");
        if let Some(row) = row {
            // In an address IPv6 stands in brackets, as an argument of its own it does not.
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            example = row
                .example
                .replace("{address}", &format!("{host}:{port}"))
                .replace("://{host}", &format!("://{host}"))
                .replace("{host}", bare)
                .replace("{port}", &port.to_string());
        }
    }
    let (name, place) = (Escaped(name), Escaped(&place));
    let summary = Escaped(row.map_or("", |row| row.summary));
    let place = match address.scheme {
        Some(Scheme::Http) => format!("<a href=\"{place}/\"><code>{place}/</code></a>"),
        _ => format!("<code>{place}</code>"),
    };
    let tried = match example.as_str() {
        "" => String::new(),
        example => format!("<br><code>{}</code>", Escaped(example)),
    };
    format!("<tr><td><b>{name}</b><td>{place}<td class=\"w\">{summary}{tried}\n")
}
