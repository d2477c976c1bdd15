//! Headless Chromium, as much of it as a test of a page needs: going somewhere, clicking, choosing
//! a file, reading what is shown, taking a picture.
//!
//! It is asked over its own pipe, one JSON object after the other with a NUL behind each (the
//! DevTools protocol), so no port and no WebSocket is needed. Every page runs without scripts: what
//! is tested here has to work so. What is asked of a page by a test runs all the same.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{LIMIT, fresh_path, has};

/// The browser reads its pipe at descriptor 3 and writes it at 4; a child here has only 0 to 2.
const START: &str = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    ask: ChildStdin,
    told: Receiver<Value>,
    session: String,
    number: u64,
    folder: PathBuf,
}

impl Browser {
    /// Starts one; `None` where there is no Chromium.
    pub(crate) fn start() -> Option<Browser> {
        if !has("chromium") {
            return None;
        }
        let folder = fresh_path("browser");
        let mut command = Command::new("sh");
        command.args(["-c", START, "sh", "--headless", "--remote-debugging-pipe"]);
        command.args(["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"]);
        // A page of loopback is not to be looked for at a proxy.
        command.args(["--no-proxy-server", "--hide-scrollbars"]);
        command.arg(format!("--user-data-dir={}", folder.display()));
        if rustix::process::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let ask = child.stdin.take().unwrap();
        let (tell, told) = channel();
        let answers = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let _ = tell.send(serde_json::from_slice(&message).unwrap());
            }
        });
        let mut browser = Browser { child, ask, told, session: String::new(), number: 0, folder };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser.ask("Page.enable", json!({}));
        browser.ask("Emulation.setScriptExecutionDisabled", json!({"value": true}));
        Some(browser)
    }

    /// Asks something that cannot be refused.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Asks and waits for the answer; what happens meanwhile is passed over.
    fn try_ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.number += 1;
        let mut question = json!({"id": self.number, "method": method, "params": params});
        if !self.session.is_empty() {
            question["sessionId"] = json!(self.session);
        }
        self.ask.write_all(format!("{question}\0").as_bytes()).unwrap();
        loop {
            let message = self.told.recv_timeout(LIMIT).expect(method);
            if message["id"] == self.number {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    /// Opens an address and waits until it is shown.
    pub(crate) fn open(&mut self, url: &str) {
        let went = self.ask("Page.navigate", json!({"url": url}));
        assert!(went.get("errorText").is_none(), "{url}: {went}");
        self.wait_for("location.href != 'about:blank'");
    }

    /// The value of an expression on the page; null while one page goes and the next comes.
    pub(crate) fn read(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let answer = self.try_ask("Runtime.evaluate", params);
        answer.map_or(Value::Null, |answer| answer["result"]["value"].clone())
    }

    /// The text that is shown.
    pub(crate) fn text(&mut self) -> String {
        self.read("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page is all there and an expression on it is true.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let begun = Instant::now();
        let holds = format!("document.readyState == 'complete' && ({expression})");
        while self.read(&holds) != true {
            assert!(begun.elapsed() < LIMIT, "not {expression}, but: {}", self.text());
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Clicks with the mouse on the middle of what this selects, wherever on the page that is; of
    /// what is broken over lines, on its first.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.read(&format!(
            "(() => {{ const it = document.querySelector({}); it.scrollIntoView(); \
             const box = it.getClientRects()[0]; \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        ));
        assert!(place.is_array(), "there is no {selector} in: {}", self.text());
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1
            });
            // A page that has gone for it is as good as one that says so.
            let _ = self.try_ask("Input.dispatchMouseEvent", event);
        }
    }

    /// Chooses files, as the dialogue behind the field would.
    pub(crate) fn choose(&mut self, selector: &str, files: &[&Path]) {
        let document = self.ask("DOM.getDocument", json!({}));
        let root = &document["root"]["nodeId"];
        let field = self.ask("DOM.querySelector", json!({"nodeId": root, "selector": selector}));
        let files: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
        let params = json!({"nodeId": field["nodeId"], "files": files});
        self.ask("DOM.setFileInputFiles", params);
    }

    /// Makes the window this wide and the system's colours dark or light.
    pub(crate) fn look(&mut self, width: u32, dark: bool) {
        let size = json!({"width": width, "height": 720, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", media);
    }

    /// Leaves a picture of the page where the build leaves its things, for people to look at.
    pub(crate) fn picture(&mut self, name: &str) {
        let shot = self.ask("Page.captureScreenshot", json!({"format": "png"}));
        let bytes = base64(shot["data"].as_str().unwrap());
        assert!(bytes.starts_with(b"\x89PNG"), "{name} is no picture");
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // At the end of its pipe the browser ends, and its processes with it.
        let close = r#"{"id":0,"method":"Browser.close"}"#;
        let _ = self.ask.write_all(format!("{close}\0").as_bytes());
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if begun.elapsed() > LIMIT {
                let _ = self.child.kill();
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The bytes that stand behind the letters. RFC 4648, section 4.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().take_while(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter).unwrap() as u32;
        bits = (bits << 6) | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}
