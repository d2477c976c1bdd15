//! Files, parts of files, folders and pages come as HTTP says they do, on every engine.

mod support;

use std::os::unix::fs::symlink;

use support::http::{Client, Folder, ask};
use support::{Serving, watchdog};
use switchboard::Engine;

/// More than what goes out in one piece, and not a round number.
fn large() -> Vec<u8> {
    (0..300_001_u32).map(|at| ((at * 31) >> 3) as u8).collect()
}

fn site() -> Folder {
    let folder = Folder::new()
        .with("a.txt", "hello\n")
        .with("empty.css", "")
        .with("large.bin", large())
        .with("64k", vec![7; 64 * 1024])
        .with("sub/index.html", "<h1>index</h1>")
        .with("list/b & <c>.html", "x")
        .with("list/dir/x", "x")
        .with("list/.hidden", "x")
        .with("list/Z", vec![1; 2048]);
    symlink("../a.txt", folder.path().join("list/link")).unwrap();
    symlink("/etc/hostname", folder.path().join("list/out")).unwrap();
    folder
}

#[test]
fn every_size_arrives_whole_on_every_engine() {
    let _watchdog = watchdog();
    let folder = site();
    for engine in Engine::ALL {
        let serving = Serving::http("web", &[folder.text()], *engine);
        let mut client = Client::of(&serving);
        for _ in 0..3 {
            for (path, bytes) in [
                ("/a.txt", b"hello\n".to_vec()),
                ("/empty.css", Vec::new()),
                ("/64k", vec![7; 64 * 1024]),
                ("/large.bin", large()),
            ] {
                let answer = client.ask("GET", path, "");
                assert!(
                    answer.status == 200 && answer.body == bytes,
                    "{engine} {path} {}",
                    answer.head
                );
                let head = client.ask("HEAD", path, "");
                assert_eq!((head.status, head.body.len()), (200, 0));
                assert_eq!(head.field("content-length"), bytes.len().to_string());
                assert_eq!(head.field("etag"), answer.field("etag"));
            }
        }
        drop(client);
        serving.stop();
    }
}

#[test]
fn names_say_what_a_file_is() {
    let _watchdog = watchdog();
    let names =
        ["a.txt", "a.html", "a.css", "a.js", "a.json", "a.svg", "a.png", "a.wasm", "a", "A.TXT"];
    let folder = names.iter().fold(Folder::new(), |folder, name| folder.with(name, "x"));
    let serving = Serving::of("web", &[folder.text()], "http");
    let types: Vec<String> = names
        .iter()
        .map(|name| ask(&serving, "GET", &format!("/{name}"), ""))
        .map(|answer| {
            assert_eq!(answer.field("x-content-type-options"), "nosniff");
            answer.field("content-type").to_owned()
        })
        .collect();
    assert_eq!(
        types,
        [
            "text/plain; charset=utf-8",
            "text/html; charset=utf-8",
            "text/css; charset=utf-8",
            "text/javascript; charset=utf-8",
            "application/json",
            "image/svg+xml",
            "image/png",
            "application/wasm",
            "application/octet-stream",
            "text/plain; charset=utf-8",
        ]
    );
    serving.stop();
}

#[test]
fn parts_of_files_come_as_asked() {
    let _watchdog = watchdog();
    let folder = site();
    let serving = Serving::of("web", &[folder.text()], "http");
    let mut client = Client::of(&serving);
    let large = large();
    let size = large.len();
    for (range, first, last) in [
        ("0-0", 0, 0),
        ("1000-1999", 1000, 1999),
        ("100000-", 100_000, size - 1),
        ("-70000", size - 70_000, size - 1),
        ("0-99999999999", 0, size - 1),
    ] {
        let answer = client.ask("GET", "/large.bin", &format!("Range: bytes={range}\r\n"));
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.field("content-range"), format!("bytes {first}-{last}/{size}"));
        assert!(answer.body == large[first..=last], "{range}");
    }
    let answer = client.ask("GET", "/large.bin", &format!("Range: bytes={size}-\r\n"));
    assert_eq!((answer.status, answer.field("content-range")), (416, &*format!("bytes */{size}")));
    for fields in ["Range: bytes=0-1,5-6\r\n", "Range: lines=1\r\n", "Range: bytes=x\r\n"] {
        assert_eq!(client.ask("GET", "/large.bin", fields).body.len(), size, "{fields}");
    }
    let head = client.ask("HEAD", "/large.bin", "Range: bytes=0-1\r\n");
    assert_eq!((head.status, head.field("content-length")), (200, &*size.to_string()));

    // The rest of a download comes only if it is of the same file.
    let tag = head.field("etag");
    let same = client.ask("GET", "/large.bin", &format!("Range: bytes=5-\r\nIf-Range: {tag}\r\n"));
    assert_eq!((same.status, same.body.len()), (206, size - 5));
    std::fs::write(folder.path().join("large.bin"), "another").unwrap();
    let other = client.ask("GET", "/large.bin", &format!("Range: bytes=5-\r\nIf-Range: {tag}\r\n"));
    assert_eq!((other.status, &*other.text()), (200, "another"));
    drop(client);
    serving.stop();
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let _watchdog = watchdog();
    let folder = site();
    let serving = Serving::of("web", &[folder.text()], "http");
    let mut client = Client::of(&serving);
    let first = client.ask("GET", "/a.txt", "");
    let (tag, date) = (first.field("etag"), first.field("last-modified"));
    for fields in [format!("If-None-Match: {tag}\r\n"), format!("If-Modified-Since: {date}\r\n")] {
        let answer = client.ask("GET", "/a.txt", &fields);
        assert_eq!((answer.status, answer.field("etag"), answer.body.len()), (304, tag, 0));
    }
    assert_eq!(client.ask("GET", "/a.txt", "If-Match: \"another\"\r\n").status, 412);
    let folder = folder.with("a.txt", "changed\n");
    let answer = client.ask("GET", "/a.txt", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((answer.status, &*answer.text()), (200, "changed\n"));
    assert_ne!(answer.field("etag"), tag);
    drop((client, folder));
    serving.stop();
}

#[test]
fn folders_are_their_index_or_a_list() {
    let _watchdog = watchdog();
    let folder = site();
    let serving = Serving::of("web", &[folder.text()], "http");
    let mut client = Client::of(&serving);
    for (asked, place) in
        [("/sub", "/sub/"), ("//sub?a=b", "/sub/?a=b"), ("/list/dir", "/list/dir/")]
    {
        let answer = client.ask("GET", asked, "");
        assert_eq!((answer.status, answer.field("location")), (301, place));
    }
    assert_eq!(client.ask("GET", "/sub/", "").text(), "<h1>index</h1>");
    assert_eq!(client.ask("GET", "/a.txt/", "").status, 404);
    assert_eq!(client.ask("GET", "/a.txt/b", "").status, 404);

    let list = client.ask("GET", "/list/", "");
    let text = list.text();
    let links: Vec<&str> =
        text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links, ["../", "./dir/", "./Z", "./b%20%26%20%3Cc%3E.html", "./link"]);
    assert!(text.contains(">b &amp; &lt;c&gt;.html</a>") && text.contains(">2 KiB<"), "{text}");
    assert_eq!(list.field("content-type"), "text/html; charset=utf-8");
    assert_eq!(client.ask("GET", "/list/b%20%26%20%3Cc%3E.html", "").text(), "x");
    assert_eq!(client.ask("HEAD", "/list/", "").status, 200);
    drop(client);

    // A client of HTTP/1.0 finds the end of a list by the end of the connection.
    let client = Client::of(&serving);
    client.send("GET /list/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let mut client = client;
    let answer = client.answer();
    assert_eq!((answer.keeps(), answer.text()), (false, text));
    serving.stop();
}

#[test]
fn hidden_names_are_served_only_when_asked_for() {
    let _watchdog = watchdog();
    let folder = Folder::new()
        .with(".git/config", "secret")
        .with(".env", "secret")
        .with(".well-known/security.txt", "mail us")
        .with("sub/.well-known/x", "secret");
    let serving = Serving::of("web", &[folder.text()], "http");
    for path in ["/.git/config", "/.env", "/%2eenv", "/.git/", "/sub/.well-known/x"] {
        assert_eq!(ask(&serving, "GET", path, "").status, 404, "{path}");
    }
    assert_eq!(ask(&serving, "GET", "/.well-known/security.txt", "").text(), "mail us");
    assert!(!ask(&serving, "GET", "/", "").text().contains(".env"));
    serving.stop();
    let serving = Serving::of("web", &[folder.text(), "--hidden"], "http");
    assert_eq!(ask(&serving, "GET", "/.env", "").text(), "secret");
    assert!(ask(&serving, "GET", "/", "").text().contains(".env"));
    serving.stop();
}

#[test]
fn without_a_folder_there_is_a_page_that_names_what_else_there_is() {
    let _watchdog = watchdog();
    let links = "echo=tcp://127.0.0.1:7007,upload=http://0.0.0.0:8001,<b>=http://[::1]:1";
    let serving = Serving::of("web", &["--links", links], "http");
    let page = ask(&serving, "GET", "/", "").text();
    let expected = [
        "<code>tcp://127.0.0.1:7007</code>",
        "<code>switchboard connect 127.0.0.1:7007</code>",
        "<a href=\"http://a:8001/\"><code>http://a:8001/</code></a>",
        "<code>curl -T FILE http://a:8001/</code>",
        "<td><b>&lt;b&gt;</b><td><a href=\"http://[::1]:1/\">",
    ];
    for text in expected {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert_eq!(ask(&serving, "GET", "/other", "").status, 404);
    serving.stop();
    let settings = services::find("web").unwrap().settings;
    for words in [&["--links", "nonsense"][..], &["/no/such/folder"], &["/etc/passwd"]] {
        let settings = services::Settings::read(settings, words).unwrap();
        assert!((services::find("web").unwrap().make)(&settings).is_err(), "{words:?}");
    }
}

#[test]
fn refusals_are_pages_for_people_and_lines_for_programs() {
    let _watchdog = watchdog();
    let folder = site();
    let serving = Serving::of("web", &[folder.text()], "http");
    let program = ask(&serving, "GET", "/<no>", "");
    assert_eq!(program.text(), "404 Not Found\nThere is nothing here.\n");
    let person = ask(&serving, "GET", "/<no>", "Accept: text/html,*/*\r\n");
    assert!(person.text().contains("<h1>404 Not Found</h1>"), "{}", person.text());
    let other = ask(&serving, "DELETE", "/a.txt", "");
    assert_eq!((other.status, other.field("allow")), (405, "GET, HEAD, OPTIONS"));
    serving.stop();
}
