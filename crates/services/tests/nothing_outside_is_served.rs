//! Whatever a path says and whatever links do meanwhile: nothing outside the folder is served.
//!
//! Beside the folder lies a secret. No answer contains it, nor anything of the system's own files.

mod support;

use std::os::unix::fs::symlink;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::{fs, thread};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use support::http::{Client, Folder, talk};
use support::{Serving, watchdog};
use switchboard::Engine;

const SECRET: &str = "the secret beside the folder";

/// A folder `site` to be served, and beside it what nobody may see.
fn house() -> Folder {
    let house = Folder::new()
        .with("secret", SECRET)
        .with("other/file", SECRET)
        .with("site/file", "inside")
        .with("site/sub/file", "inside")
        .with("site/dir/file", "inside");
    let site = house.path().join("site");
    symlink("../secret", site.join("out")).unwrap();
    symlink("../other", site.join("outdir")).unwrap();
    symlink(house.path().join("secret"), site.join("absolute")).unwrap();
    symlink("/", site.join("root")).unwrap();
    symlink("/proc/self/cwd", site.join("magic")).unwrap();
    symlink("sub/../../secret", site.join("detour")).unwrap();
    symlink("file", site.join("in")).unwrap();
    symlink("sub", site.join("indir")).unwrap();
    symlink("loop", site.join("loop")).unwrap();
    house
}

fn serve(house: &Folder, engine: Engine) -> Serving {
    let site = house.path().join("site");
    Serving::http("web", &[site.to_str().unwrap(), "--hidden"], engine)
}

#[test]
fn no_way_upwards_leads_anywhere() {
    let _watchdog = watchdog();
    let house = house();
    let ways = [
        "..",
        "../",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%2f",
        "..%252f",
        "..\\",
        "..%5c",
        "%2e%2e%5c",
        "..%00",
        "..;",
        ".../",
        "....//",
        "%c0%ae%c0%ae",
        "%uff0e%uff0e",
        "..%c0%af",
        "..%ef%bc%8f",
        "sub/..",
        "sub/../..",
        "sub/%2e%2e/%2e%2e",
        "./..",
        "/..",
        "//..",
        ". .",
        "..%20",
        "..%09",
        "~",
        "file/..",
        "file/../..",
        "nothing/../..",
    ];
    let names = ["secret", "other/file", "etc/passwd", "../secret", "%2e%2e/secret"];
    let serving = serve(&house, Engine::Threads);
    for way in ways {
        for name in names {
            for path in [format!("/{way}/{name}"), format!("/{way}{name}"), format!("{way}/{name}")]
            {
                refused(&serving, &path);
            }
        }
    }
    serving.stop();
}

#[test]
fn no_name_and_no_link_leads_outside() {
    let _watchdog = watchdog();
    let house = house();
    let serving = serve(&house, Engine::Threads);
    let passwd = "etc/passwd";
    for path in [
        format!("//{passwd}"),
        format!("/%2f{passwd}"),
        format!("/%2F%2F{passwd}"),
        format!("/{}%00.html", house.path().display()),
        format!("http://a/../{passwd}"),
        format!("file:///{passwd}"),
        format!("/sub/{}/secret", house.path().display()),
        format!("{}/secret", house.path().display()),
        "/root/etc/passwd".into(),
        "/magic/etc/passwd".into(),
        "/out".into(),
        "/outdir/file".into(),
        "/outdir/".into(),
        "/absolute".into(),
        "/detour".into(),
        "/loop".into(),
        "/indir/../../secret".into(),
        "/indir/../file".into(),
    ] {
        refused(&serving, &path);
    }
    for (path, status) in [("/file", 200), ("/in", 200), ("/indir/file", 200), ("/sub/./file", 400)]
    {
        let answers = talk(&serving, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
        assert_eq!(answers[0].status, status, "{path}");
    }
    serving.stop();
}

fn refused(serving: &Serving, path: &str) {
    let answers = talk(serving, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
    let [answer] = &answers[..] else { panic!("{path}: {answers:?}") };
    assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    let text = answer.text();
    assert!(!text.contains(SECRET) && !text.contains("root:"), "{path}: {text}");
}

#[test]
fn what_is_not_a_file_is_not_opened_for_good() {
    let _watchdog = watchdog();
    let house = house();
    let fifo = house.path().join("site/fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(house.path().join("site/socket")).unwrap();
    let serving = serve(&house, Engine::Threads);
    let mut client = Client::of(&serving);
    for path in ["/fifo", "/socket"] {
        assert_eq!(client.ask("GET", path, "").status, 403, "{path}");
    }
    assert_eq!(client.ask("GET", "/file", "").text(), "inside");
    drop(client);
    serving.stop();
}

/// While a thread exchanges what is inside with what leads outside, as fast as it can.
#[test]
fn links_that_are_swapped_meanwhile_lead_nowhere() {
    let _watchdog = watchdog();
    let house = house();
    let site = house.path().join("site");
    symlink("../secret", site.join("spare")).unwrap();
    symlink("../other", site.join("sparedir")).unwrap();
    for engine in Engine::ALL {
        let serving = serve(&house, *engine);
        let done = AtomicBool::new(false);
        let (mut inside, mut elsewhere) = (0, 0);
        thread::scope(|scope| {
            let swapper = scope.spawn(|| {
                let mut swaps = 0;
                while !done.load(Relaxed) {
                    // A file for a link to the secret, and a folder for a link to another one.
                    for (a, b) in [("file", "spare"), ("dir", "sparedir")] {
                        let (a, b) = (site.join(a), site.join(b));
                        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
                    }
                    swaps += 1;
                }
                swaps
            });
            let mut client = Client::of(&serving);
            let paths = ["/file", "/dir/file", "/dir/", "/"];
            // Until both sides were seen often enough to have met.
            while inside < 300 || elsewhere < 300 {
                for path in paths {
                    let answer = client.ask("GET", path, "");
                    let text = answer.text();
                    assert!(!text.contains(SECRET), "{path}: {answer:?}");
                    match (answer.status, path) {
                        (200, "/file" | "/dir/file") => {
                            assert_eq!(text, "inside");
                            inside += 1;
                        }
                        (404, _) => elsewhere += 1,
                        // Or the kernel found no quiet moment to be sure.
                        (status, _) => assert!(matches!(status, 200 | 503), "{answer:?}"),
                    }
                }
            }
            done.store(true, Relaxed);
            assert!(swapper.join().unwrap() > 0);
        });
        serving.stop();
    }
    fs::metadata(site.join("in")).unwrap();
}
