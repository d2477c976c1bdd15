//! Flag before variable before default, for whoever has set a variable some day and types a flag
//! now.

mod support;

use std::process::Output;

use support::{Running, fresh_path, run, switchboard, told};

/// Runs these words with these variables, without the beginning that all have.
fn with(variables: &[(&str, &str)], words: &[&str]) -> Output {
    let variables = variables.iter().map(|(name, value)| (format!("SWITCHBOARD_{name}"), value));
    run(switchboard(words).envs(variables), b"")
}

fn text(output: &Output) -> String {
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_flag_goes_before_its_variable_and_that_before_the_default() {
    let options = |variables: &[(&str, &str)], words: &[&str]| {
        let words = [&["options", "SO_TYPE"], words].concat();
        text(&with(variables, &words))
    };
    let coloured = |text: String| text.contains('\x1b');
    assert!(!coloured(options(&[], &[])));
    assert!(coloured(options(&[("COLOR", "always")], &[])));
    assert!(!coloured(options(&[("COLOR", "always")], &["--color", "never"])));
    assert!(coloured(options(&[("COLOR", "never")], &["--color", "always"])));
}

#[test]
fn a_flag_goes_before_the_variable_of_one_that_it_excludes() {
    // Before and behind the command, whatever the variable says.
    for value in ["1", "0"] {
        assert!(text(&with(&[("VERBOSE", value)], &["-q", "version"])).contains("switchboard"));
        assert!(text(&with(&[("QUIET", value)], &["engines", "-v"])).contains("panic"));
    }
    let address = with(&[("IPV6", "1"), ("VERBOSE", "1")], &["addr", "-4", "--quiet", "7007"]);
    assert!(text(&address).contains("127.0.0.1:7007"));

    let folder = fresh_path("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("page"), "hello").unwrap();
    let server = Running::serve(&["web", folder.to_str().unwrap(), "127.0.0.1:0"]);
    let (port, url) = (server.port().to_string(), format!("127.0.0.1:{}/page", server.port()));
    let mut get = switchboard(&["get", "-q", "-O", &url]);
    let saved = fresh_path("saved");
    std::fs::create_dir(&saved).unwrap();
    get.env("SWITCHBOARD_OUTPUT", "elsewhere").current_dir(&saved);
    assert_eq!(text(&run(&mut get, b"")), "");
    assert_eq!(std::fs::read(saved.join("page")).unwrap(), b"hello");
    assert!(!saved.join("elsewhere").exists());
    let bench = ["bench", "-q", &port, "--http", "/page", "--requests", "5", "--connections", "1"];
    let bench = [&bench[..], &["--timeout", "1m"]].concat();
    let page = text(&with(&[("DURATION", "1h"), ("SIZE", "16K")], &bench));
    assert!(page.contains("1 connection, ") && page.contains("\n5 answers in "), "{page}");
    assert!(page.contains("1 worker thread with"), "{page}");
    server.stop();
    for folder in [folder, saved] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn what_excludes_each_other_is_a_mistake_where_both_are_typed_or_both_are_set() {
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], [&'a str; 2]);
    let rows: [Row; 4] = [
        (&[], &["-q", "-v", "version"], ["'--quiet'", "'--verbose'"]),
        (&[("QUIET", "1")], &["-4", "-6", "addr", "1"], ["'--ipv4'", "'--ipv6'"]),
        (
            &[("QUIET", "1"), ("VERBOSE", "1")],
            &["version"],
            ["SWITCHBOARD_QUIET", "SWITCHBOARD_VERBOSE"],
        ),
        (
            &[("REQUESTS", "1"), ("DURATION", "1s")],
            &["bench", "1"],
            ["SWITCHBOARD_REQUESTS", "SWITCHBOARD_DURATION"],
        ),
    ];
    for (variables, words, named) in rows {
        let output = with(variables, words);
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        let line = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(line.matches('\n').count() == 1 && line.contains("cannot be used with"), "{line}");
        assert!(named.iter().all(|name| line.contains(name)), "{line}");
    }
}
