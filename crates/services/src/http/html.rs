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

/// Light and dark as the reader's system has it. Where the screen is narrow, a row of a table is
/// lines below each other: its first cell above the rest, and no headings.
const STYLE: &str = ":root{color-scheme:light dark;\
--text:#1f2328;--faint:#59636e;--edge:#d9dee3;--soft:#f4f5f7;--link:#0a55c4;--back:#fff}\
@media(prefers-color-scheme:dark){:root{--text:#d8dce2;--faint:#9aa4af;--edge:#343a43;\
--soft:#1f242b;--link:#76aef8;--back:#15181d}}\
body{font:1rem/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);\
max-width:54rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1rem;margin:2rem 0 0}a{color:var(--link)}\
code{font:.9em ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%;margin:1rem 0}\
td,th{padding:.35rem 1rem .35rem 0;text-align:left;vertical-align:baseline;\
border-bottom:1px solid var(--edge);white-space:nowrap}\
th{font-weight:600;font-size:.85em;color:var(--faint)}\
td.w{white-space:normal;overflow-wrap:anywhere;width:99%}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
td:last-child,th:last-child{padding-right:0}\
td.n,small{color:var(--faint)}small{font-size:.85em}b{font-weight:600}\
form{padding:1rem 1.2rem;border:1px solid var(--edge);border-radius:.6rem;background:var(--soft)}\
form p{margin:.6rem 0}input,button{font:inherit;max-width:100%;margin:.2rem 0}\
button,::file-selector-button{font:inherit;padding:.3rem .9rem;border:1px solid var(--edge);\
border-radius:.4rem;color:var(--text);background:var(--back);cursor:pointer}\
button{border-color:var(--link);color:var(--back);background:var(--link);font-weight:600}\
:focus-visible{outline:2px solid var(--link);outline-offset:2px}\
@media(max-width:38rem){body{margin:1rem auto}th{display:none}\
tr{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.5rem 0;border-bottom:1px solid var(--edge)}\
tr:has(th),td:empty{display:none}td{border:0;padding:0}td.w{width:100%}}";

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
