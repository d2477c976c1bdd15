//! The clients that people have get on with us: curl in its ways, Python's two, pipes into nc and
//! ncat, and wrk, which asks as fast as it can.

mod support;

use std::fs;
use std::process::Command;

use switchboard::Engine;

use support::http::{Folder, curl, has, run};
use support::{Serving, watchdog};

/// Something of a size that no buffer here has.
fn large() -> Vec<u8> {
    (0..777_777_u32).map(|at| ((at * 13) >> 4) as u8).collect()
}

#[test]
fn curl_fetches() {
    let _watchdog = watchdog();
    if !has("curl") {
        return;
    }
    let site =
        Folder::new().with("a.txt", "hello\n").with("large", large()).with("b c/index.html", "b");
    let serving = Serving::of("web", &[site.text()], "http");
    let (url, out) = (serving.url(), Folder::new());
    let file = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(curl(&[&format!("{url}/a.txt")]), "hello\n");
    assert_eq!(curl(&["--http1.0", &format!("{url}/a.txt")]), "hello\n");
    assert_eq!(curl(&["-L", &format!("{url}/b%20c")]), "b");
    assert_eq!(curl(&["-r", "1-2", &format!("{url}/a.txt")]), "el");
    assert!(curl(&["-I", &format!("{url}/large")]).contains("Content-Length: 777777\r\n"));
    let code = ["-s", "-o", &file("x"), "-w", "%{http_code} %{num_connects} "];
    let both = [format!("{url}/a.txt"), format!("{url}/no")];
    let two = curl(&[&code[..], &[&both[0], "-o", &file("y"), &both[1]]].concat());
    assert_eq!(two, "200 1 404 0 ", "the second request takes the same connection");

    // What is there of a file is not fetched again.
    fs::write(file("part"), &large()[..300_000]).unwrap();
    curl(&["-C", "-", "-o", &file("part"), &format!("{url}/large")]);
    assert!(out.read("part") == large());
    let tags = file("tags");
    let args = ["--etag-save", &tags, "-o", &file("z"), &both[0]];
    curl(&args);
    let args = ["--etag-compare", &tags, "-o", &file("z2"), "-w", "%{http_code}", &both[0]];
    assert_eq!(curl(&args), "304");
    serving.stop();
}

#[test]
fn curl_uploads() {
    let _watchdog = watchdog();
    if !has("curl") {
        return;
    }
    let source = Folder::new().with("a b.bin", large()).with("q\"u.txt", "hello\n").with("e", "");
    let folder = Folder::new();
    let serving = Serving::of("upload", &[folder.text()], "http");
    let url = serving.url() + "/";
    let from = |name: &str| source.path().join(name).to_str().unwrap().to_owned();
    // With its name added by curl, under a name of ours, without a length, by HTTP/1.0.
    assert!(curl(&["-T", &from("a b.bin"), &url]).ends_with("as a b.bin\n"));
    assert!(curl(&["-T", &from("a b.bin"), &(url.clone() + "named")]).ends_with("as named\n"));
    let stdin =
        run(Command::new("curl").args(["-sS", "-T", "-", &(url.clone() + "piped")]), &large());
    assert!(String::from_utf8_lossy(&stdin.stdout).ends_with("as piped\n"), "{stdin:?}");
    assert!(curl(&["-0", "-T", &from("e"), &(url.clone() + "old")]).contains("saved 0 bytes"));
    let forms =
        [format!("f=@{}", from("a b.bin")), format!("g=@{}", from("e")), "h=no file".into()];
    let said = curl(&["-F", &forms[0], "-F", &forms[1], "-F", &forms[2], &url]);
    assert!(said.contains("as a b-1.bin\n") && said.ends_with("as e\n"), "{said}");
    let quoted = format!("f=@{};filename=\"q\\\"u.txt\"", from("q\"u.txt"));
    assert!(curl(&["-F", &quoted, &url]).ends_with("as q\"u.txt\n"));
    for name in ["a b.bin", "a b-1.bin", "named", "piped"] {
        assert!(folder.read(name) == large(), "{name}");
    }
    let before = folder.names();

    // What it sends to go on with an upload is refused, clearly, and so is a name that is taken.
    let big = from("a b.bin");
    let code = |args: &[&str], name: &str| {
        let place = url.clone() + name;
        curl(&[&["-o", "/dev/null", "-w", "%{http_code}"], args, &["-T", &big, &place]].concat())
    };
    assert_eq!(code(&["-C", "1000"], "new"), "400");
    assert_eq!(code(&[], ""), "409");
    // curl does not know what is there, and so `-C -` sends all of it again.
    assert_eq!(code(&["-C", "-"], "all"), "201");
    assert!(folder.read("all") == large());
    assert_eq!(folder.names().len(), before.len() + 1);
    serving.stop();
}

const PYTHON_FETCH: &str = r#"
import http.client, sys, urllib.request, urllib.error
host, port = sys.argv[1], int(sys.argv[2])
c = http.client.HTTPConnection(host, port)
rows = [("/a.txt", 200, b"hello\n"), ("/no", 404, None), ("/a.txt", 200, b"hello\n")]
for path, status, body in rows:
    c.request("GET", path)
    r = c.getresponse()
    got = r.read()
    assert r.status == status and (body is None or got == body), (path, r.status, got)
sock = c.sock
c.request("HEAD", "/a.txt")
r = c.getresponse()
assert r.status == 200 and r.read() == b"" and r.getheader("Content-Length") == "6"
c.request("GET", "/", headers={"Accept": "text/html"})
r = c.getresponse()
assert b"a.txt" in r.read() and r.chunked
assert c.sock is sock, "one connection for all"
url = "http://%s:%d" % (host, port)
with urllib.request.urlopen(url + "/sub") as r:
    assert r.geturl() == url + "/sub/" and r.read() == b"index"
q = urllib.request.Request(url + "/a.txt", headers={"Range": "bytes=1-3"})
with urllib.request.urlopen(q) as r:
    assert r.status == 206 and r.read() == b"ell"
try:
    urllib.request.urlopen(url + "/../etc/passwd")
    assert False
except urllib.error.HTTPError as e:
    assert e.code == 400
"#;

const PYTHON_UPLOAD: &str = r#"
import hashlib, http.client, sys, urllib.request
host, port = sys.argv[1], int(sys.argv[2])
c = http.client.HTTPConnection(host, port)
data = bytes(range(256)) * 1000
def pieces():
    for i in range(0, len(data), 9999):
        yield data[i:i + 9999]
chunked = {"Transfer-Encoding": "chunked"}
c.request("PUT", "/chunks", body=pieces(), encode_chunked=True, headers=chunked)
r = c.getresponse()
text = r.read().decode()
assert r.status == 201 and hashlib.sha256(data).hexdigest() in text and str(len(data)) in text, text
q = urllib.request.Request("http://%s:%d/urllib" % (host, port), data=data, method="PUT")
with urllib.request.urlopen(q) as r:
    assert r.status == 201
"#;

#[test]
fn python_fetches_and_uploads() {
    let _watchdog = watchdog();
    if !has("python3") {
        return;
    }
    let site = Folder::new().with("a.txt", "hello\n").with("sub/index.html", "index");
    let folder = Folder::new();
    let services = [("web", site.text(), PYTHON_FETCH), ("upload", folder.text(), PYTHON_UPLOAD)];
    for (name, dir, program) in services {
        let serving = Serving::of(name, &[dir], "http");
        let url = serving.url();
        let port = url.rsplit(':').next().unwrap();
        let output = run(Command::new("python3").args(["-c", program, "127.0.0.1", port]), b"");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        serving.stop();
    }
    let data: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(1000);
    assert!(folder.read("chunks") == data && folder.read("urllib") == data);
}

#[test]
fn requests_piped_into_nc_and_ncat_are_all_answered() {
    let _watchdog = watchdog();
    let site = Folder::new().with("a.txt", "hello\n");
    let serving = Serving::of("web", &[site.text()], "http");
    let url = serving.url();
    let port = url.rsplit(':').next().unwrap();
    // Each says in its way that its input has ended: nc only if told to.
    for (program, args) in [("nc", &["-N", "127.0.0.1", port][..]), ("ncat", &["127.0.0.1", port])]
    {
        if !has(program) {
            continue;
        }
        let request = "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n";
        let output = run(Command::new(program).args(args), request.repeat(100).as_bytes());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches("\r\n\r\nhello\n").count(), 100, "{program}: {text}");
        // What a person types, without any CR.
        let output = run(Command::new(program).args(args), b"GET /a.txt HTTP/1.0\n\n");
        assert!(output.stdout.ends_with(b"\r\n\r\nhello\n"), "{program}: {output:?}");
    }
    serving.stop();
}

/// What wrk asks for: something small and something large, in turn.
const WRK_ASKS: &str = r#"
local asked = 0
function request()
    asked = asked + 1
    return wrk.format("GET", asked % 2 == 0 and "/small" or "/large")
end
"#;

#[test]
fn wrk_finds_no_error_on_any_engine() {
    let _watchdog = watchdog();
    if !has("wrk") {
        return;
    }
    let site = Folder::new().with("small", "hello\n").with("large", large());
    let script = Folder::new().with("asks.lua", WRK_ASKS);
    for engine in Engine::ALL {
        // Where one connection is served at a time, a second one waits, which wrk calls an error.
        let connections = if engine.limit_connections() == 1 { "1" } else { "8" };
        let serving = Serving::http("web", &[site.text()], *engine);
        let mut wrk = Command::new("wrk");
        // Whole seconds are all it knows. No answer takes long, but a machine may be busy.
        wrk.args(["-t", "1", "-d", "2", "--timeout", "30", "-c", connections, "-s"]);
        let output = run(wrk.arg(script.path().join("asks.lua")).arg(serving.url()), b"");
        let said = String::from_utf8(output.stdout).unwrap();
        let count = said.lines().find_map(|line| line.trim().split_once(" requests in "));
        let count: u64 = count.expect(&said).0.parse().unwrap();
        assert!(count > 0, "{engine}: {said}");
        for complaint in ["Socket errors", "Non-2xx"] {
            assert!(!said.contains(complaint), "{engine}: {said}");
        }
        serving.stop();
    }
}
