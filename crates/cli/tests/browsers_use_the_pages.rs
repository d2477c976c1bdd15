//! A browser gets on with the pages of `web` and `upload`: they are clicked, a file is chosen and
//! sent, and all of it without a script, on a narrow screen too and in dark colours.
//!
//! Each test leaves pictures in the temporary folder of the build (`target/tmp`), for people.

mod support;

use std::fs;
use std::path::PathBuf;

use support::browser::Browser;
use support::{Running, fresh_path, switchboard};

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let folder = fresh_path("pages");
        fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    fn with(self, name: &str, bytes: &[u8]) -> Folder {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Something of a size that takes the browser several writes.
fn photo() -> Vec<u8> {
    (0..3_000_000_u32).map(|at| ((at * 13) >> 4) as u8).collect()
}

#[test]
fn from_the_welcome_page_a_file_is_uploaded() {
    let Some(mut browser) = Browser::start() else { return };
    let (home, source) = (Folder::new(), Folder::new().with("my photo <1>.jpg", &photo()));
    let mut command = switchboard(&["serve", "--json"]);
    command.current_dir(&home.0);
    let board = Running::start(command, fresh_path("none"));
    let line = board.out.wait_for("\"service\":\"web\"");
    let web: serde_json::Value = serde_json::from_str(&line).unwrap();

    browser.open(web["address"].as_str().unwrap());
    let welcome = browser.text();
    for row in services::ALL.iter().filter(|row| row.name != "web") {
        assert!(welcome.contains(row.name) && welcome.contains(row.summary), "{welcome}");
    }
    looks_well(&mut browser, "welcome");

    browser.click("a[href^='http']");
    browser.wait_for("document.querySelector('input[type=file]') != null");
    assert!(!browser.text().contains("Here already"));
    looks_well(&mut browser, "upload-empty");
    // Without a file the browser itself refuses; nothing is sent.
    browser.click("button");
    browser.choose("input[type=file]", &[&source.0.join("my photo <1>.jpg")]);
    browser.click("button");
    browser.wait_for("document.title == 'Saved'");
    let saved = browser.text();
    assert!(saved.contains("my photo <1>.jpg") && saved.contains("3000000"), "{saved}");
    assert!(fs::read(home.0.join("uploads/my photo <1>.jpg")).unwrap() == photo());
    looks_well(&mut browser, "saved");

    browser.click("a");
    browser.wait_for("document.body.innerText.includes('Here already')");
    assert!(browser.text().contains("my photo <1>.jpg"));
    looks_well(&mut browser, "upload");
    board.stop();
}

#[test]
fn folders_are_walked_by_clicks() {
    let Some(mut browser) = Browser::start() else { return };
    let long = "a-name-without-any-place-to-break-it-".repeat(4);
    let site = Folder::new()
        .with("notes.txt", b"hello from a file\n")
        .with(&long, b"")
        .with("sub folder/\u{4f60}\u{597d} & <b>.txt", b"deep\n");
    let web = Running::serve(&["web", site.0.to_str().unwrap(), "127.0.0.1:0"]);
    let root = format!("http://127.0.0.1:{}/", web.port());
    browser.open(&root);
    looks_well(&mut browser, "listing");
    browser.click("a[href='./sub%20folder/']");
    browser.wait_for("document.title == '/sub folder/'");
    let listed = browser.text();
    assert!(listed.contains("\u{4f60}\u{597d} & <b>.txt"), "{listed}");
    browser.click("a[href$='.txt']");
    browser.wait_for("document.body.innerText == 'deep\\n'");
    browser.open(&format!("{root}sub%20folder/"));
    browser.click("a[href='../']");
    browser.wait_for("document.title == '/'");
    browser.open(&format!("{root}nothing"));
    assert!(browser.text().contains("404 Not Found"));
    looks_well(&mut browser, "not-found");
    web.stop();
}

/// On a wide screen and a narrow one, light and dark: nothing sticks out at the side, and every
/// text is told from what is behind it.
fn looks_well(browser: &mut Browser, name: &str) {
    for (width, dark) in [(1000, false), (1000, true), (320, false), (320, true)] {
        browser.look(width, dark);
        let form = format!("{name}-{width}-{}", if dark { "dark" } else { "light" });
        let wide = browser.read("document.documentElement.scrollWidth").as_u64();
        assert_eq!(wide, Some(u64::from(width)), "{form}");
        let pale = browser.read(&format!("{{ const light = {LIGHT}; {PALE} }}"));
        assert_eq!(pale, serde_json::json!([]), "{form}");
        let dark_behind = browser.read(&format!("{LIGHT}({BEHIND}) < 0.2"));
        assert_eq!(dark_behind, dark, "{form}");
        browser.picture(&format!("{form}.png"));
    }
}

/// How light a colour is, from 0 to 1. WCAG 2.2, relative luminance.
const LIGHT: &str = "((colour) => { const part = (value) => { value /= 255; \
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; }; \
    const [r, g, b] = colour.match(/[0-9.]+/g).map(Number); \
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b); })";

const BEHIND: &str = "getComputedStyle(document.body).backgroundColor";

/// The texts whose contrast to what is behind them is below 4.5. WCAG 2.2, 1.4.3.
const PALE: &str = "(() => { \
    const behind = (it) => { for (; it; it = it.parentElement) { \
        const colour = getComputedStyle(it).backgroundColor; \
        if (!colour.endsWith(', 0)')) return colour; } return 'rgb(255, 255, 255)'; }; \
    const own = (it) => [...it.childNodes].some((one) => one.nodeType == 3 && one.data.trim()); \
    const ratio = (one, other) => { const two = [light(one), light(other)].sort((a, b) => a - b); \
        return (two[1] + 0.05) / (two[0] + 0.05); }; \
    return [...document.body.querySelectorAll('*')].filter(own) \
        .filter((it) => ratio(getComputedStyle(it).color, behind(it)) < 4.5) \
        .map((it) => it.outerHTML); })()";
