//! What people and programs are shown: the form, what is there, and what was saved.
//!
//! The form is plain HTML and works without a script. Programs get lines of text; of a saved file
//! the line has its name last, because that may contain anything but a line end.

use std::io;

use super::incoming::Saved;
use crate::http::html::Escaped;
use crate::http::{Exchange, Response, Status, percent};
use crate::size;

/// Sends the page with the form.
pub(super) fn send_form(
    exchange: &mut Exchange<'_>,
    files: &[(String, u64)],
    largest: u64,
) -> io::Result<()> {
    if !exchange.wants_html() {
        let lines = files.iter().map(|(name, size)| format!("{size}  {name}\n"));
        let text = lines.collect::<String>();
        return exchange.send(Response::text(Status::Ok), text.as_bytes());
    }
    let largest = size::show(largest);
    let mut body = format!(
        "<form method=\"post\" enctype=\"multipart/form-data\">\n\
         <p><input type=\"file\" name=\"file\" multiple required>\n\
         <button>Upload</button>\n\
         <p><small>At most {largest} at once. A name that is taken gets a number. From a shell: \
         <code>curl -T FILE</code> and the address of this page.</small>\n</form>\n"
    );
    if !files.is_empty() {
        body += "<h2>Here already</h2>\n<table>\n<tr><th>name<th class=\"n\">size\n";
        for (name, bytes) in files {
            let (name, bytes) = (Escaped(name), size::show(*bytes));
            body += &format!("<tr><td class=\"w\">{name}<td class=\"n\">{bytes}\n");
        }
        body += "</table>\n";
    }
    exchange.send_page(Response::html(Status::Ok), "Upload", &body)
}

/// Sends what was saved.
pub(super) fn send_saved(exchange: &mut Exchange<'_>, saved: &[Saved]) -> io::Result<()> {
    let status = match saved.iter().all(|file| file.replaced) {
        true => Status::Ok,
        false => Status::Created,
    };
    let html = exchange.wants_html();
    let mut response = if html { Response::html(status) } else { Response::text(status) };
    if let [file] = saved {
        response = response.with("Location", format!("/{}", percent::encode(file.name.as_bytes())));
    }
    if !html {
        let lines = saved.iter().map(|Saved { name, size, sha256, .. }| {
            format!("saved {}, SHA-256 {sha256}, as {name}\n", bytes(*size))
        });
        let text = lines.collect::<String>();
        return exchange.send(response, text.as_bytes());
    }
    let mut body = String::from("<table>\n<tr><th>saved as<th class=\"n\">size\n");
    for Saved { name, size, sha256, .. } in saved {
        let name = Escaped(name);
        body += &format!(
            "<tr><td class=\"w\">{name}<br><small>SHA-256 <code>{sha256}</code></small>\
             <td class=\"n\">{}\n",
            bytes(*size)
        );
    }
    body += "</table>\n<p><a href=\"/\">Upload more</a></p>\n";
    exchange.send_page(response, "Saved", &body)
}

fn bytes(size: u64) -> String {
    match size {
        1 => "1 byte".to_owned(),
        size => format!("{size} bytes"),
    }
}
