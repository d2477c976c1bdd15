//! The sample programs do what their originals in Python do: ours with ours, ours with Python's,
//! Python's with ours, and Python's with Python's print the same.

mod support;

use support::{Folder, Program, Version, connect};

/// A server and a client in conversation, and what each prints. Ports are left out.
struct Row {
    server: &'static str,
    client: &'static str,
    host: &'static str,
    /// What a person types into the client.
    typed: &'static [&'static str],
    server_prints: &'static str,
    client_prints: &'static str,
}

fn talk(row: &Row) {
    Version::each_pair(|server_version, client_version| {
        let (server, port) = Program::serve(server_version, row.server, row.host, &[]);
        let mut command = client_version.command(row.client);
        command.args([row.host, &port]);
        let mut client = Program::start(command);
        for line in row.typed {
            client.type_line(line);
        }
        client.prints(row.client_prints);
        server.prints(row.server_prints);
        client.end();
    });
}

#[test]
fn echo() {
    talk(&Row {
        server: "echo_server",
        client: "echo_client",
        host: "localhost",
        typed: &[],
        server_prints: "I am listenning\nConnected By: ('127.0.0.1', PORT)\nI am listenning\n",
        client_prints: "Echo=>Hello,Server\n",
    });
}

#[test]
fn hello() {
    talk(&Row {
        server: "hello_server",
        client: "hello_client",
        host: "127.0.0.1",
        typed: &[],
        server_prints: "waiting for connection...\n\
            accept new connection from 127.0.0.1:PORT...\n\
            connection from 127.0.0.1:PORT closed.\n",
        client_prints: "welcome!\nhello, michael!\nhello, tracy!\nhello, sarah!\n",
    });
}

/// What the server of capitals prints when a client comes.
macro_rules! a_call {
    () => {
        "====>\n\
         电话线路是: <socket.socket … laddr=('127.0.0.9', PORT), raddr=('127.0.0.1', PORT)>\n\
         客户端的手机号是: ('127.0.0.1', PORT)\n"
    };
}

#[test]
fn upper_once() {
    talk(&Row {
        server: "upper_once_server",
        client: "upper_once_client",
        host: "127.0.0.9",
        typed: &[],
        server_prints: concat!("等待中...\n", a_call!(), "客户端发来的消息是: b'hello'\n"),
        client_prints: "has send===========>\nhas recv===========>\nb'HELLO'\n",
    });
}

#[test]
fn the_first_improvement_prompts() {
    talk(&Row {
        server: "upper_once_server",
        client: "upper_prompt_client",
        host: "127.0.0.9",
        typed: &["aaa"],
        server_prints: concat!("等待中...\n", a_call!(), "客户端发来的消息是: b'aaa'\n"),
        client_prints: ">>: has send===========>\nhas recv===========>\nb'AAA'\n>>: ",
    });
}

#[test]
fn the_second_improvement_sends_nothing_for_nothing() {
    talk(&Row {
        server: "upper_once_server",
        client: "upper_client",
        host: "127.0.0.9",
        typed: &["", "   ", "", ""],
        server_prints: concat!("等待中...\n", a_call!()),
        client_prints: ">>: >>: >>: >>: >>: ",
    });
}

#[test]
fn the_third_improvement_stays_on_the_line() {
    talk(&Row {
        server: "upper_server",
        client: "upper_client",
        host: "127.0.0.9",
        typed: &["aaa", "bbb", "", "ccc"],
        server_prints: concat!(
            "等待中...\n",
            a_call!(),
            "客户端发来的消息是: b'aaa'\n客户端发来的消息是: b'bbb'\n客户端发来的消息是: b'ccc'\n"
        ),
        client_prints: ">>: has send===========>\nhas recv===========>\nb'AAA'\n\
                        >>: has send===========>\nhas recv===========>\nb'BBB'\n\
                        >>: >>: has send===========>\nhas recv===========>\nb'CCC'\n>>: ",
    });
}

#[test]
fn chat() {
    talk(&Row {
        server: "chat_server",
        client: "chat_client",
        host: "127.0.0.1",
        typed: &["michael", "how are you", "bye"],
        server_prints: "\"michael\" says \"how are you\"\n\"michael\" has left after 1 messages\n",
        client_prints: "what is your name?\n>>: hello, michael\n\
                        >>: michael, that was message 1\n>>: goodbye, michael\n",
    });
}

#[test]
fn threaded_echo() {
    talk(&Row {
        server: "threaded_echo_server",
        client: "upper_client",
        host: "localhost",
        typed: &["aaa", "bbb"],
        server_prints: "NEW: ('127.0.0.1', PORT)\nclient: aaa\n\
                        NEW: ('127.0.0.1', PORT)\nclient: bbb\nNEW: ('127.0.0.1', PORT)\n",
        client_prints: ">>: has send===========>\nhas recv===========>\nb'aaa'\n\
                        >>: has send===========>\nhas recv===========>\nb'bbb'\n>>: ",
    });
}

#[test]
fn single_thread() {
    use std::io::{Read, Write};
    Version::each(|version| {
        let (server, port) = Program::serve(version, "single_thread_server", "127.0.0.1", &[]);
        let mut client = connect("127.0.0.1", &port);
        client.write_all("你好".as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "不要回答,不要回答,不要回答");
        server.prints("server waiting...\n你好\nserver waiting...\n");
    });
}

#[test]
fn a_page_is_fetched_and_saved() {
    Version::each_pair(|server_version, client_version| {
        let (server, port) = Program::serve(server_version, "web_server", "127.0.0.1", &[]);
        let folder = Folder::new();
        let file = folder.path("sina.html");
        let mut command = client_version.command("fetch_page");
        command.args(["127.0.0.1", &port, &file]);
        let mut client = Program::start(command);
        let status = client.end();
        assert!(status.success(), "{}", client.told());
        client.prints(match server_version {
            Version::Python => "HTTP/1.1 200 OK\n",
            Version::Ours => {
                "HTTP/1.1 200 OK\nContent-Type: text/html; charset=utf-8\nContent-Length: 22\n\
                 Connection: close\n"
            }
        });
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "<h1>Hello, World</h1>\n");
        server.prints("GET / HTTP/1.1\n");
    });
}

#[test]
fn a_file_is_uploaded_whole() {
    let here = Folder::new();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(here.path("large one.bin"), &bytes).unwrap();
    std::fs::write(here.path("empty"), b"").unwrap();
    Version::each_pair(|server_version, client_version| {
        let there = Folder::new();
        let folder = there.0.to_str().unwrap();
        let (_server, port) =
            Program::serve(server_version, "upload_server", "127.0.0.1", &[folder]);
        for (name, bytes) in [("large one.bin", &bytes[..]), ("empty", b"")] {
            let mut command = client_version.command("upload_client");
            command.args([&here.path(name), "127.0.0.1", &port]);
            let mut client = Program::start(command);
            client.prints_part(&format!("saved {name}, {} bytes\n", bytes.len()));
            assert!(client.end().success(), "{}", client.told());
            assert!(std::fs::read(there.path(name)).unwrap() == bytes, "{name} is another");
        }
    });
}
