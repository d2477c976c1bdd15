//! What the originals get wrong, and that the program which mends it does.
//!
//! A program that keeps its original's defect for the chapter's sake has it here, too: in both
//! versions, so that nobody mends one by accident and leaves the chapter telling stories.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;
use support::{Folder, Ours, Program, Python, Version, connect};

/// All that comes until the server closes.
fn answer(mut stream: impl Read) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What comes next.
fn next(mut stream: impl Read) -> String {
    let mut piece = [0; 1024];
    let count = stream.read(&mut piece).unwrap();
    String::from_utf8(piece[..count].to_vec()).unwrap()
}

/// A client that vanishes: its connection is reset.
fn reset(host: &str, port: &str) {
    let client = socket::TcpStream::connect((host, port.parse::<u16>().unwrap())).unwrap();
    client.socket().set_so_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn the_echo_server_gives_up_a_silent_client_and_ends_with_an_empty_one() {
    Version::each(|version| {
        let (mut server, port) = Program::serve(version, "echo_server", "localhost", &[]);
        let silent = connect("127.0.0.1", &port);
        server.prints(
            "I am listenning\nConnected By: ('127.0.0.1', PORT)\nTime Out\nI am listenning\n",
        );
        assert_eq!(answer(silent), "");
        let mut client = connect("127.0.0.1", &port);
        client.write_all(b"still there?").unwrap();
        assert_eq!(answer(client), "Echo=>still there?");
        drop(connect("127.0.0.1", &port));
        assert!(server.end().success(), "{}", server.told());
    });
}

#[test]
fn the_hello_server_takes_what_comes_together_for_one_message() {
    Version::each(|version| {
        let (_server, port) = Program::serve(version, "hello_server", "127.0.0.1", &[]);
        let (mut one, other) = (connect("127.0.0.1", &port), connect("127.0.0.1", &port));
        assert_eq!(next(&one), "welcome!");
        assert_eq!(next(&other), "welcome!", "the second waits for the first");
        one.write_all(b"michaelexit").unwrap();
        assert_eq!(next(&one), "hello, michaelexit!");
        one.write_all(b"exit").unwrap();
        assert_eq!(answer(one), "");
    });
}

#[test]
fn an_empty_message_leaves_client_and_server_waiting_for_each_other() {
    Version::each_pair(|server, client| {
        let (server, port) = Program::serve(server, "upper_once_server", "127.0.0.9", &[]);
        let mut command = client.command("upper_prompt_client");
        command.args(["127.0.0.9", &port]);
        let mut client = Program::start(command);
        client.type_line("");
        client.prints(">>: has send===========>\n");
        server.prints_part("客户端的手机号是");
        assert!(!server.out.text().contains("客户端发来的消息是"), "{}", server.told());
        drop(server); // only its end wakes the client
        client.prints(">>: has send===========>\nhas recv===========>\nb''\n>>: ");
    });
}

#[test]
fn after_the_only_call_the_client_talks_to_nobody() {
    Version::each_pair(|server, client| {
        let (mut server, port) = Program::serve(server, "upper_once_server", "127.0.0.9", &[]);
        let mut command = client.command("upper_prompt_client");
        command.args(["127.0.0.9", &port]);
        let mut client = Program::start(command);
        client.type_line("one");
        client.prints_part("b'ONE'\n>>: ");
        assert!(server.end().success(), "{}", server.told());
        client.type_line("two");
        client.prints_part("b''\n>>: ");
        client.type_line("three");
        assert!(!client.end().success(), "{}", client.told());
        assert!(client.err.wait_until(|text| text.contains("Broken")), "{}", client.told());
    });
}

#[test]
fn a_client_that_vanishes_takes_the_single_shot_server_with_it() {
    Version::each(|version| {
        let (mut server, port) = Program::serve(version, "upper_once_server", "127.0.0.9", &[]);
        reset("127.0.0.9", &port);
        assert!(!server.end().success(), "{}", server.told());
        assert!(server.err.wait_until(|text| text.contains("ConnectionReset")));
    });
}

#[test]
fn the_staying_server_outlives_its_clients_and_takes_them_in_turn() {
    Version::each(|version| {
        let (mut server, port) = Program::serve(version, "upper_server", "127.0.0.9", &[]);
        reset("127.0.0.9", &port);
        drop(connect("127.0.0.9", &port));
        let mut first = connect("127.0.0.9", &port);
        first.write_all(b"first").unwrap();
        assert_eq!(next(&first), "FIRST");
        let mut second = connect("127.0.0.9", &port);
        second.write_all(b"second").unwrap();
        second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert_eq!(second.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(first);
        second.set_read_timeout(Some(support::LIMIT)).unwrap();
        assert_eq!(next(&second), "SECOND");
        assert!(!server.has_ended());
    });
}

#[test]
fn only_with_address_reuse_a_server_can_be_restarted_at_once() {
    Version::each(|version| {
        for (name, can) in [("upper_once_server", false), ("upper_server", true)] {
            let (server, port) = Program::serve(version, name, "127.0.0.9", &[]);
            let client = connect("127.0.0.9", &port);
            server.prints_part("====>");
            drop(server); // it closes first, and so has the state TIME_WAIT
            assert_eq!(answer(client), "");
            let mut command = version.command(name);
            command.args(["127.0.0.9", &port]);
            let mut restarted = Program::start(command);
            match can {
                true => restarted.prints_part("等待中..."),
                false => assert!(!restarted.end().success(), "{}", restarted.told()),
            }
        }
    });
}

#[test]
fn whoever_says_nothing_keeps_the_single_thread_but_not_the_others() {
    Version::each(|version| {
        let (_server, port) = Program::serve(version, "single_thread_server", "127.0.0.1", &[]);
        let mut silent = connect("127.0.0.1", &port);
        let mut client = connect("127.0.0.1", &port);
        client.write_all(b"hello").unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.set_read_timeout(Some(support::LIMIT)).unwrap();
        silent.write_all(b"at last").unwrap();
        assert_eq!(answer(client), "不要回答,不要回答,不要回答");

        let (_server, port) = Program::serve(version, "threaded_echo_server", "localhost", &[]);
        let _silent = connect("127.0.0.1", &port);
        let mut client = connect("127.0.0.1", &port);
        client.write_all(b"hello").unwrap();
        assert_eq!(next(&client), "hello");
    });
}

#[test]
fn the_thread_of_a_client_that_left_spins_in_the_original_and_ends_in_ours() {
    Version::each(|version| {
        let (server, port) = Program::serve(version, "threaded_echo_server", "localhost", &[]);
        drop(connect("127.0.0.1", &port));
        let one = "NEW: ('127.0.0.1', PORT)\n";
        match version {
            Python => {
                let many = |text: &str| text.matches("NEW:").count() > 1000;
                assert!(server.out.wait_until(many), "{}", server.told());
            }
            Ours => {
                server.prints(one);
                drop(connect("127.0.0.1", &port));
                server.prints(&one.repeat(2));
            }
        }
    });
}

#[test]
fn a_request_in_two_pieces_is_one_request() {
    let (server, port) = Program::serve(Ours, "web_server", "127.0.0.1", &[]);
    let mut client = connect("127.0.0.1", &port);
    client.set_nodelay(true).unwrap();
    client.write_all(b"GET /no").unwrap();
    client.write_all(b"thing HTTP/1.1\r\n\r\n").unwrap();
    assert!(answer(client).starts_with("HTTP/1.1 404 Not Found\r\n"));
    // One that never ends is given up, and so is one that never comes.
    let mut endless = connect("127.0.0.1", &port);
    let _ = endless.write_all(&[b'a'; 10 * 1024]);
    let _silent = connect("127.0.0.1", &port);
    let mut client = connect("127.0.0.1", &port);
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(answer(client).ends_with("\r\n\r\n<h1>Hello, World</h1>\n"));
    server.prints("GET /nothing HTTP/1.1\nGET / HTTP/1.1\n");
}

#[test]
fn the_upload_server_takes_no_more_than_it_said() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("uploads")).unwrap();
    std::fs::write(folder.path("uploads/here"), b"here before").unwrap();
    let uploads = folder.path("uploads");
    let (_server, port) = Program::serve(Ours, "upload_server", "127.0.0.1", &[&uploads]);
    let refused = [
        ("hello", "no: say SIZE NAME\n"),
        ("x hello", "no: the size is not a number\n"),
        ("-1 hello", "no: the size is not a number\n"),
        ("16777217 hello", "no: more than 16 MiB\n"),
        ("1 ../hello", "no: not a plain name\n"),
        ("1 /tmp/hello", "no: not a plain name\n"),
        ("1 .hello", "no: not a plain name\n"),
        ("1 here", "no: cannot make a new file of that name\n"),
    ];
    for (offer, no) in refused {
        let mut client = connect("127.0.0.1", &port);
        client.write_all(format!("{offer}\n").as_bytes()).unwrap();
        assert_eq!(answer(client), no, "{offer}");
    }
    let mut endless = connect("127.0.0.1", &port);
    let _ = endless.write_all(&[b'1'; 100 * 1024]);
    let mut rest = Vec::new();
    let _ = endless.read_to_end(&mut rest); // an end, or a reset
    assert_eq!(rest, b"");

    let mut cut_short = connect("127.0.0.1", &port);
    cut_short.write_all(b"5 half\n").unwrap();
    assert_eq!(next(&cut_short), "go\n");
    cut_short.write_all(b"ha").unwrap();
    cut_short.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(answer(cut_short), "");
    let names: Vec<_> = std::fs::read_dir(&uploads).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(names, [folder.0.join("uploads/here")]);
    assert_eq!(std::fs::read(folder.path("uploads/here")).unwrap(), b"here before");
}

#[test]
fn the_original_upload_server_writes_where_the_client_says() {
    if !Version::all().contains(&Python) {
        return;
    }
    let folder = Folder::new();
    std::fs::create_dir(folder.path("uploads")).unwrap();
    let uploads = folder.path("uploads");
    let (_server, port) = Program::serve(Python, "upload_server", "127.0.0.1", &[&uploads]);
    let mut client = connect("127.0.0.1", &port);
    client.write_all(b"4 ../outside\nevil").unwrap();
    assert!(answer(client).ends_with("saved ../outside, 4 bytes\n"));
    assert_eq!(std::fs::read(folder.path("outside")).unwrap(), b"evil");
}

#[test]
fn conversations_are_independent_and_bounded() {
    let (_server, port) = Program::serve(Ours, "chat_server", "127.0.0.1", &[]);
    let mut clients = ["michael", "tracy"].map(|name| (name, connect("127.0.0.1", &port)));
    let mut endless = connect("127.0.0.1", &port);
    let _ = endless.write_all(&[b'x'; 2000]);
    for (name, client) in &mut clients {
        client.write_all(format!("{name}\n").as_bytes()).unwrap();
    }
    for round in 1..=2 {
        for (_, client) in &mut clients {
            client.write_all(format!("line {round}\n").as_bytes()).unwrap();
        }
    }
    for (name, mut client) in clients {
        client.write_all(b"bye\n").unwrap();
        let said = format!(
            "what is your name?\nhello, {name}\n{name}, that was message 1\n\
             {name}, that was message 2\ngoodbye, {name}\n"
        );
        assert_eq!(answer(client), said);
    }
    let mut rest = Vec::new();
    let _ = endless.read_to_end(&mut rest); // an end, or a reset
    assert!(!String::from_utf8_lossy(&rest).contains("hello"), "its line has no end");
}
