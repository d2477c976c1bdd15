//! Pages: text made safe for HTML, and the frame that all pages here have in common.
//!
//! No script, no picture, nothing from elsewhere: a page works in any browser, and the policy it is
//! sent with ([`POLICY`]) forbids the rest.

use std::fmt::{self, Write};

/// What a page made here may do: look as its own style says, and send its form home.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action \
                                 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Text in HTML, between tags and in quoted attributes. Control characters become visible.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// All of a page up to the end of its heading. What follows it, and then [`FOOT`], is the rest.
pub(crate) fn head(title: &str) -> String {
    let title = Escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n"
    )
}

/// The end of a page.
pub(crate) const FOOT: &str = "</html>\n";

const STYLE: &str = ":root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.3rem;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%}\
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
td.n,th.n{text-align:right;white-space:nowrap}\
code{font-size:.9em;overflow-wrap:anywhere}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let text = Escaped("a<b>&\"'\x1b[2J\u{9b}é").to_string();
        assert_eq!(text, "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}[2J\u{fffd}é");
        assert!(head("</title><script>").contains("<title>&lt;/title&gt;&lt;script&gt;</title>"));
    }
}
