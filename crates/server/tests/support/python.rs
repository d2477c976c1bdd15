//! Python programs as peers, from `tests/peers`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use switchboard::Address;
use switchboard::socket::{Host, Place, UnixAddr};

/// A Python program that runs.
pub struct Python {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts `peers/NAME.py`; `None`, with the reason said, where there is no Python.
    pub fn start(name: &str, arguments: &[&str]) -> Option<Python> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let spawned = Command::new("python3")
            .arg(folder.join(format!("{name}.py")))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        match spawned {
            Ok(mut child) => {
                let output = BufReader::new(child.stdout.take().unwrap());
                Some(Python { child, output })
            }
            Err(error) => {
                skip(&format!("python3 does not start: {error}"));
                None
            }
        }
    }

    /// The next line that it prints, without its end.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "Python ended early, after {line:?}");
        line.trim_end().to_owned()
    }

    /// Ends its input and waits until it ends, which must be well.
    pub fn finish(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "Python ended with {status}");
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address as the programs in `peers` read it.
pub fn words(address: &Address) -> Vec<String> {
    match &address.place {
        Place::Inet(Host::Ip(ip), port) => vec![ip.to_string(), port.to_string()],
        Place::Unix(UnixAddr::Path(path)) => vec![path.to_str().unwrap().to_owned()],
        Place::Unix(UnixAddr::Abstract(name)) => {
            vec![format!("@{}", String::from_utf8_lossy(name))]
        }
        other => panic!("no test serves at {other:?}"),
    }
}

/// The lines that Python prints when it runs `script`.
pub fn printed(script: &str) -> Option<Vec<String>> {
    match Command::new("python3").args(["-c", script]).stderr(Stdio::inherit()).output() {
        Ok(output) => {
            assert!(output.status.success(), "Python ended with {}", output.status);
            let text = String::from_utf8(output.stdout).unwrap();
            Some(text.lines().map(str::to_owned).collect())
        }
        Err(error) => {
            skip(&format!("python3 does not start: {error}"));
            None
        }
    }
}

/// Says why a test does nothing here, or fails if nothing may be left out.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("SWITCHBOARD_TEST_NO_SKIP").is_none(), "may not skip: {reason}");
    println!("skipped: {reason}");
}
