//! When no file can be opened, the requests that need one are told so, and the connection goes on.
//!
//! The only test in its file: for a moment its whole process can open nothing.

mod support;

use std::fs::File;
use std::os::fd::AsRawFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use support::http::{Client, Folder};
use support::{Serving, watchdog};

#[test]
fn a_shortage_is_one_requests_trouble() {
    let _watchdog = watchdog();
    let folder = Folder::new().with("a", "hello");
    let web = Serving::of("web", &[folder.text()], "http");
    let upload = Serving::of("upload", &[folder.text()], "http");
    let (mut web_client, mut upload_client) = (Client::of(&web), Client::of(&upload));
    assert_eq!(web_client.ask("GET", "/a", "").text(), "hello");
    assert_eq!(upload_client.send_body("PUT", "/b", "", b"x").status, 201);

    let usual = getrlimit(Resource::Nofile);
    // Every number below this one is taken. A limit of 0 would be one for `poll(2)` as well.
    let next = File::open(folder.path()).unwrap().as_raw_fd();
    let none = Rlimit { current: u64::try_from(next).ok(), maximum: usual.maximum };
    setrlimit(Resource::Nofile, none).unwrap();
    let answers = [
        web_client.ask("GET", "/a", ""),
        web_client.ask("GET", "/", ""),
        upload_client.send_body("PUT", "/c", "", b"x"),
        upload_client.ask("GET", "/", ""),
    ];
    setrlimit(Resource::Nofile, usual).unwrap();
    for answer in answers {
        assert_eq!((answer.status, answer.field("retry-after")), (503, "1"), "{answer:?}");
    }

    assert_eq!(web_client.ask("GET", "/a", "").text(), "hello");
    assert_eq!(upload_client.send_body("PUT", "/c", "", b"x").status, 201);
    assert_eq!(folder.names(), ["a", "b", "c"]);
    drop((web_client, upload_client));
    web.stop();
    upload.stop();
}
