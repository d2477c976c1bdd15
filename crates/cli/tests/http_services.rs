//! `serve web` and `serve upload` as programs: their words, the board's page, a disk that is full.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
use support::{Running, fresh_path, has, run, skip, switchboard, told};
use switchboard::Engine;

/// What curl gets: the status, then the body.
fn curl(args: &[&str], input: &[u8]) -> String {
    let fixed = ["-sS", "--max-time", "50", "-g", "-w", "%{stderr}%{http_code}"];
    let output = run(Command::new("curl").args(fixed).args(args), input);
    // A server that refuses early may close while curl still sends; the status has come by then.
    let (code, body) = (String::from_utf8_lossy(&output.stderr), output.stdout);
    format!("{} {}", code.rsplit('\n').next().unwrap_or_default(), String::from_utf8_lossy(&body))
}

#[test]
fn the_folder_comes_first_and_the_address_second() {
    if !has("curl") {
        return;
    }
    let folder = fresh_path("site");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a"), "hello").unwrap();
    let web = Running::serve(&["web", folder.to_str().unwrap(), "127.0.0.1:0"]);
    let url = format!("http://127.0.0.1:{}/a", web.port());
    assert_eq!(curl(&[&url], b""), "200 hello");
    // Nothing of what a client says gets to a terminal.
    let escape = format!("http://127.0.0.1:{}/%1b[2J\u{9b}", web.port());
    assert!(curl(&["-A", "\x1b[2J", &escape], b"").starts_with("4"));
    web.err.wait_for("#2 ");
    assert!(web.err.all().iter().all(|line| !line.contains(char::is_control)));
    web.stop();
    let output = run(&mut switchboard(&["serve", "web", "8000"]), b"");
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("write the folder first"), "{}", told(&output));
    let no_folder = run(&mut switchboard(&["serve", "upload", "/dev/null"]), b"");
    assert_eq!(no_folder.status.code(), Some(2), "{}", told(&no_folder));
    assert!(told(&no_folder).contains("is not a folder (write"), "{}", told(&no_folder));
    for (flag, value) in [("--max-size", "huge"), ("--body-time", "5")] {
        let output = run(&mut switchboard(&["serve", "upload", flag, value]), b"");
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_page_of_the_board_links_the_board() {
    if !has("curl") {
        return;
    }
    let board = Running::start(switchboard(&["serve", "--json"]), fresh_path("none"));
    let listeners: usize = services::ALL.iter().map(|row| row.schemes.len()).sum();
    let listening = || board.out.all().iter().filter(|line| line.contains("listening")).count();
    board.wait_until("line for each listener", || listening() == listeners);
    let addresses = |service: &str| -> Vec<String> {
        let lines = board.out.all();
        let objects =
            lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let own = objects.filter(|object| object["service"] == service);
        own.filter_map(|object| Some(object["address"].as_str()?.to_owned())).collect()
    };
    let page = curl(&[&addresses("web")[0]], b"");
    for row in services::ALL.iter().filter(|row| row.name != "web") {
        let place = &addresses(row.name)[0];
        assert!(page.contains(place), "{place} is not in {page}");
        assert!(page.contains(&format!("<td><b>{}</b><td>", row.name)), "{page}");
    }
    board.stop();
}

#[test]
fn a_full_disk_is_said_so_and_nothing_is_left_on_it() {
    if !has("curl") || !has("unshare") {
        return;
    }
    if !geteuid().is_root()
        || !run(Command::new("unshare").args(["-m", "true"]), b"").status.success()
    {
        return skip("only root may mount a small disk");
    }
    let disk = fresh_path("disk");
    fs::create_dir(&disk).unwrap();
    for engine in Engine::ALL {
        let port_file = fresh_path("port");
        let [disk, port] = [&disk, &port_file].map(|path| path.to_str().unwrap());
        let serve = switchboard(&["serve", "upload", disk, "127.0.0.1:0", "--port-file", port]);
        // The disk is there for the server alone, and gone with it.
        let mount = "mount -t tmpfs -o size=8m none \"$1\" && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", mount, "sh", disk]);
        command.arg(serve.get_program()).args(serve.get_args()).args(["--engine", engine.name()]);
        let server = Running::start(command, port_file.clone());
        server.wait_until("the port file", || port_file.exists());
        let inside = format!("/proc/{}/root/{disk}", server.pid().as_raw_nonzero());
        let names = || fs::read_dir(Path::new(&inside)).unwrap().count();

        let url = format!("http://127.0.0.1:{}/", server.port());
        let (large, small) = (vec![b'x'; 10 << 20], vec![b'x'; 500_000]);
        let file = fresh_path("large");
        fs::write(&file, &large).unwrap();
        let part = format!("f=@{}", file.display());
        // Known before, found out on the way, and in a form.
        let rows: [&[&str]; 3] = [
            &["-T", file.to_str().unwrap(), &url],
            &["-T", "-", &format!("{url}piped")],
            &["-H", "Transfer-Encoding: chunked", "-F", &part, &url],
        ];
        for args in rows {
            let said = curl(args, &large);
            assert!(said.starts_with("507 "), "{engine} {args:?}: {said}");
            assert_eq!(names(), 0, "{engine} {args:?}");
        }
        // There was room when it was announced, and then somebody else took it.
        let other = Path::new(&inside).join("other");
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let head = "PUT /taken HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
        client.write_all(format!("{head}Content-Length: {}\r\n\r\n", 7 << 20).as_bytes()).unwrap();
        let mut answer = BufReader::new(client.try_clone().unwrap()).lines();
        assert_eq!(answer.next().unwrap().unwrap(), "HTTP/1.1 100 Continue", "{engine}");
        assert_eq!(answer.next().unwrap().unwrap(), "");
        fs::write(&other, &large[..4 << 20]).unwrap();
        // It may say so, and close, before it has all.
        let _ = client.write_all(&large[..7 << 20]);
        assert!(answer.next().unwrap().unwrap().contains(" 507 "), "{engine}");
        drop((client, answer));
        server.wait_until("nothing but the other's file", || names() == 1);
        fs::remove_file(other).unwrap();

        let said = curl(&["-T", "-", &format!("{url}small")], &small);
        assert!(said.starts_with("201 "), "{engine}: {said}");
        assert_eq!(names(), 1);
        fs::remove_file(file).unwrap();
        server.stop();
    }
    fs::remove_dir(disk).unwrap();
}
