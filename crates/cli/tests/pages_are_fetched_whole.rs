//! `get`: a page arrives whole or not at all, and stdout has nothing but data.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rustix::process::Signal;
use support::scripted::{self, accept, answers, listen, nobody, python_server, read_head};
use support::{Running, fresh_path, run, switchboard, told};

/// Runs `get` with these words.
fn get(words: &[&str]) -> Output {
    run(&mut switchboard(&[&["get"], words].concat()), b"")
}

/// Fetches from a server that gives these answers, one to each request.
fn fetch(given: &[&[u8]], words: &[&str]) -> Output {
    let (port, server) = answers(given.iter().map(|answer| answer.to_vec()).collect());
    let output = get(&[words, &[&format!("127.0.0.1:{port}/a/page")]].concat());
    server.join().unwrap();
    output
}

/// The command must end with this code, and with one line in which these words stand.
fn fails(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{}", told(output));
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(line.starts_with("switchboard: ") && line.matches('\n').count() == 1, "{line}");
    for word in words {
        assert!(line.contains(word), "\"{word}\" is not in: {line}");
    }
}

fn gives(output: &Output, body: &[u8]) {
    let quiet = output.status.success() && output.stderr.is_empty();
    assert!(quiet && output.stdout == body, "{}", told(output));
}

/// A folder of its own, with this file in it.
fn folder(file: &str, content: &[u8]) -> PathBuf {
    let folder = fresh_path("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(file), content).unwrap();
    folder
}

/// The names in a folder, to see what was left behind.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        names.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_page_is_saved_as_it_is() {
    let page: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(40_503) >> 7) as u8).collect();
    let served = folder("sina.html", &page);
    let ours = Running::serve(&["web", served.to_str().unwrap(), "127.0.0.1:0"]);
    gives(&get(&[&format!("{}/sina.html", ours.port())]), &page);
    ours.stop();
    for host in ["127.0.0.1", "::1"] {
        let args = [served.to_str().unwrap(), host];
        let Some((_server, port)) = python_server(scripted::FILES, &args) else { return };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let url = format!("http://{host}:{port}/sina.html");
        let saved = folder("other", b"");
        let file = saved.join("page.html");
        gives(&get(&[&url, "-o", file.to_str().unwrap()]), b"");
        assert!(fs::read(&file).unwrap() == page);
        let mut by_name = switchboard(&["get", "-O", &url]);
        gives(&run(by_name.current_dir(&saved), b""), b"");
        assert_eq!(names(&saved), ["other", "page.html", "sina.html"]);
        gives(&get(&[&url]), &page);
        fs::remove_dir_all(saved).unwrap();
    }
    fs::remove_dir_all(served).unwrap();
}

#[test]
fn a_body_is_taken_out_of_whatever_it_is_wrapped_in() {
    let rows: [(&[u8], &[u8]); 6] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nall of it", b"all of it"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            b"hi",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              4;x=\"y\"\r\nwiki\r\n6\r\npedia \r\n0\r\nT: u\r\n\r\n",
            b"wikipedia ",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x00\xff\x1b[", b"\x00\xff\x1b["),
    ];
    for (answer, body) in rows {
        gives(&fetch(&[answer], &[]), body);
    }
}

#[test]
fn a_cut_body_is_18_and_never_has_the_name() {
    let rows: [(&[u8], &str); 5] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "5 bytes are missing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "1 byte is missing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "10 bytes are missing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "last chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "last chunk"),
    ];
    for (answer, words) in rows {
        let folder = folder("page", b"precious");
        let file = folder.join("page");
        fails(&fetch(&[answer], &["-o", file.to_str().unwrap()]), 18, &["cut short", words]);
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        assert_eq!(names(&folder), ["page"]);
        // In a pipe what came is data; that it is not all is said at the end.
        let output = fetch(&[answer], &[]);
        assert_eq!(output.status.code(), Some(18), "{}", told(&output));
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_page_of_an_error_is_shown_but_not_saved() {
    let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone";
    let output = fetch(&[answer], &[]);
    fails(&output, 22, &["/a/page: 404 Not Found"]);
    assert_eq!(output.stdout, b"none");
    let folder = folder("page", b"precious");
    let file = folder.join("page");
    fails(&fetch(&[answer], &["-o", file.to_str().unwrap()]), 22, &["404", "nothing was saved"]);
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(names(&folder), ["page"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn every_way_to_fail_has_its_code_and_one_line() {
    let (_held, port) = nobody();
    fails(&get(&[&format!("127.0.0.1:{port}")]), 7, &["connection refused", "switchboard serve"]);
    fails(&get(&["http://nobody.invalid/"]), 6, &["nobody.invalid"]);
    fails(&get(&["https://a/"]), 2, &["https is not spoken here", "try curl"]);
    fails(&get(&["tcp://a:80/b"]), 2, &["tcp is not spoken here", "try http://a:80/b"]);
    fails(&fetch(&[b"220 mail.example ESMTP\r\n"], &[]), 56, &["HTTP", "switchboard connect"]);
    fails(&get(&["http://user:secret@a/"]), 2, &["user names"]);
    fails(&get(&["http://::1/"]), 2, &["[::1]"]);
    fails(&get(&["-O", "http://a/b/"]), 2, &["no name", "-o FILE"]);
    fails(&get(&["--json", "a"]), 2, &["-o FILE"]);
    fails(&fetch(&[b""], &[]), 52, &["without an answer"]);
    fails(&fetch(&[b"HTTP/1.1 200 OK\r\nA"], &[]), 56, &["middle of the head"]);
    fails(&fetch(&[b"220 smtp ready\r\n"], &[]), 56, &["not HTTP"]);
    let twice = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
    fails(&fetch(&[twice], &[]), 56, &["Content-Length"]);
    let (_silent, port) = listen();
    let output = get(&["--timeout", "100ms", &format!("127.0.0.1:{port}")]);
    fails(&output, 28, &["no answer for 100ms", "--timeout"]);
}

#[test]
fn a_full_disk_is_23_and_a_closed_pipe_is_nothing() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    fails(&fetch(&[answer], &["-o", "/dev/full"]), 23, &["/dev/full", "no space"]);
    let folder = folder("page", b"");
    let there = folder.to_str().unwrap();
    fails(&fetch(&[answer], &["-o", there]), 23, &[there, "folder"]);
    fails(&fetch(&[answer], &["-o", &format!("{there}/no/page")]), 23, &["no such file"]);
    fs::remove_dir_all(&folder).unwrap();
    let (port, server) = answers(vec![answer.to_vec()]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = switchboard(&["get", &format!("127.0.0.1:{port}")]);
    let child = child.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    gives(&child.wait_with_output().unwrap(), b"");
    server.join().unwrap();
}

#[test]
fn redirects_are_followed_to_where_they_lead() {
    let page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_vec();
    let (other, there) = answers(vec![page]);
    let away = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other}/x?y#z\r\n\r\n");
    let (port, here) = answers(vec![
        b"HTTP/1.1 301 Moved\r\nLocation: ../b\r\nContent-Length: 0\r\n\r\n".to_vec(),
        away.into_bytes(),
    ]);
    gives(&get(&[&format!("127.0.0.1:{port}/a/page")]), b"hi");
    let asked = [here.join().unwrap(), there.join().unwrap()].concat();
    let lines: Vec<_> = asked.iter().map(|head| head.lines().next().unwrap()).collect();
    assert_eq!(lines, ["GET /a/page HTTP/1.1", "GET /b HTTP/1.1", "GET /x?y HTTP/1.1"]);
    assert!(asked[2].contains(&format!("Host: 127.0.0.1:{other}\r\n")), "{}", asked[2]);
}

#[test]
fn redirects_that_lead_nowhere_are_named() {
    let to = |place: &str| format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\n\r\n").into_bytes();
    let (one, two) = (to("/b"), to("/a/page"));
    fails(&fetch(&[&one, &two], &[]), 1, &["circle", "/a/page -> ", "/b -> "]);
    let many: Vec<_> = (0..11).map(|number| to(&format!("/{number}"))).collect();
    let many: Vec<_> = many.iter().map(Vec::as_slice).collect();
    fails(&fetch(&many, &[]), 1, &["more than 10 redirects", "/a/page"]);
    fails(&fetch(&[&to("https://a/")], &[]), 1, &["redirects to https://a/", "curl"]);
}

#[test]
fn the_header_is_data_only_when_asked_for() {
    let answer = b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nhi";
    gives(&fetch(&[answer], &["-i"]), answer);
    let output = fetch(&[answer], &["-v"]);
    let talk = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.stdout, b"hi");
    for line in ["> GET /a/page HTTP/1.1\n", "< HTTP/1.1 200 OK\n", "< A: b\n"] {
        assert!(talk.contains(line), "{talk}");
    }
    let folder = folder("other", b"");
    let file = folder.join("page");
    let output = fetch(&[answer], &["--json", "-o", file.to_str().unwrap()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["t"], &told["status"], &told["bytes"]),
        (&"response".into(), &200.into(), &2.into())
    );
    assert_eq!(told["header"][0], "A: b");
    assert_eq!(fs::read(file).unwrap(), b"hi");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn at_a_terminal_nothing_that_comes_controls_it() {
    let answer =
        b"HTTP/1.1 200 OK\r\nA: b\xc2\x9b31m\r\nContent-Length: 12\r\n\r\n\x1b]0;title\x07hi";
    let (port, server) = answers(vec![answer.to_vec()]);
    let script = ["A: b\\\\u{9b}31m", "", "\\\\u{1b}]0;title\\\\u{7}hi", ""];
    let words = format!("get 127.0.0.1:{port}");
    let Some(said) = support::terminal::play(&words, &script) else { return };
    assert!(said.starts_with("ended 0\nterminal restored\n"), "{said}");
    server.join().unwrap();
}

#[test]
fn what_a_signal_ends_leaves_nothing_behind() {
    let (listener, port) = listen();
    let folder = folder("page", b"precious");
    let mut command = switchboard(&["get", &format!("127.0.0.1:{port}"), "-o"]);
    command.arg(folder.join("page"));
    let mut running = Running::start(command, fresh_path("none"));
    let mut client = accept(&listener);
    read_head(&mut client);
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello").unwrap();
    running.wait_until("a beginning", || names(&folder).len() == 2);
    running.signal(Signal::TERM);
    assert_eq!(running.end().code(), Some(143));
    assert_eq!(names(&folder), ["page"]);
    assert_eq!(fs::read(folder.join("page")).unwrap(), b"precious");
    fs::remove_dir_all(folder).unwrap();
}
