//! SIGHUP calls the reload hook, once for each, and whatever the hook does the server goes on.
//!
//! The signal belongs to the whole process, so all of it is one test.

mod support;

use std::io::{self, Write};
use std::process::Command;
use std::sync::mpsc;

use support::{Client, Watchdog, read_all};
use switchboard::{Connection, Event, Server};

fn hang_up() {
    let own = std::process::id().to_string();
    assert!(Command::new("kill").args(["-HUP", &own]).status().unwrap().success());
}

#[test]
fn every_hang_up_calls_every_hook() {
    let _watchdog = Watchdog::new();
    let start = || {
        let (sender, told) = mpsc::channel();
        let mut count = 0;
        let mut server = Server::new()
            .with_signals(false)
            .with_events(move |event| match event {
                Event::Listening { .. } => sender.send("listening".into()).unwrap(),
                Event::Reloaded { error: None } => sender.send("reloaded".into()).unwrap(),
                Event::Reloaded { error: Some(error) } => sender.send(error.to_string()).unwrap(),
                _ => {}
            })
            .with_reload(move || {
                count += 1;
                match count {
                    1 => Ok(()),
                    2 => Err(io::Error::other("no such settings")),
                    3 => panic!("a mistake in the hook"),
                    _ => Ok(()),
                }
            });
        server.bind("127.0.0.1:0", |c: &mut Connection| c.write_all(b"here")).unwrap();
        let (address, control) = (server.addresses().remove(0), server.control());
        (address, control, std::thread::spawn(move || server.serve_forever()), told)
    };
    let servers = [start(), start()];
    for (.., told) in &servers {
        assert_eq!(told.recv().unwrap(), "listening");
    }
    for outcome in ["reloaded", "no such settings", "a mistake in the hook", "reloaded"] {
        hang_up();
        for (address, _, _, told) in &servers {
            assert_eq!(told.recv().unwrap(), outcome);
            assert_eq!(read_all(&Client::new(address)).unwrap(), b"here");
        }
    }
    for (_, control, serving, _) in servers {
        control.shutdown();
        serving.join().unwrap().unwrap();
    }
}
