//! Every way to fail has one line on stderr, nothing on stdout, and its own exit code.

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};

use socket::{Family, Socket, Type};
use support::scripted::nobody;
use support::{fresh_path, has, run, skip, switchboard, told};

/// The command must end with this code, and with one line in which these words stand.
fn fails(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{}", told(output));
    assert_eq!(output.stdout, b"", "{}", told(output));
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(line.starts_with("switchboard: ") && line.matches('\n').count() == 1, "{line}");
    for word in words {
        assert!(line.contains(word), "\"{word}\" is not in: {line}");
    }
}

#[test]
fn what_cannot_be_understood_is_2() {
    let rows: [(&[&str], &[&str]); 21] = [
        (&["serve", "echo", "::1:80"], &["[::1]:80"]),
        (&["serve", "echo", "127.0.0.1"], &["port is missing", "127.0.0.1:7007"]),
        (&["serve", "echo", "127.0.0.1:99999"], &["99999"]),
        (&["serve", "upper", "udp://127.0.0.1:0"], &["udp", "try tcp"]),
        (&["serve", "echo", "http://127.0.0.1:0"], &["http", "try tcp"]),
        (&["serve", "echo", "--lan", "127.0.0.1:7107"], &["this machine alone", "try 7107"]),
        (&["serve", "hello", "0", "--delay", "5"], &["--delay", "5s"]),
        (&["serve", "echo", "0", "--idle", "soon"], &["--idle", "soon", "500ms"]),
        (&["serve", "echo", "0", "--max-connections", "0"], &["--max-connections"]),
        (&["serve", "echo", "--max-connections", "-1"], &["\"-1\" is not a number from 1 up"]),
        (&["serve", "echo", "--idle", "-1s"], &["--idle", "\"-1s\" is not a duration"]),
        (&["serve", "nothing"], &["nothing", "switchboard serve --help"]),
        (&["serve", "echo", "0", "--engine", "steam"], &["steam", "threads"]),
        (&["serve", "echo", "@x", "--port-file", "x"], &["--port-file", "no port"]),
        (&["connect"], &["<ADDR> (try switchboard connect --help)"]),
        (&["send"], &["<FILE> <URL> (try switchboard send --help)"]),
        (&["connect", "http://127.0.0.1:8000/page"], &["(try http://127.0.0.1:8000)"]),
        (&["connect", "-4", "tcp6://7007"], &["-4 asks for the other family"]),
        (&["serve", "echo", "-6", "udp4://0"], &["-6 asks for the other family"]),
        (&["ping", "-c", "0", "localhost"], &["--count", "from 1 up"]),
        (&["serve", "echo", "\u{1b}[2J"], &["control character"]),
    ];
    for (args, words) in rows {
        let output = run(&mut switchboard(args), b"");
        fails(&output, 2, words);
        assert!(!output.stderr.contains(&0x1b), "{}", told(&output));
    }
}

#[test]
fn a_variable_that_cannot_be_understood_is_2_and_named() {
    let rows = [
        ("TIMEOUT", "5", "5s"),
        ("JSON", "maybe", "true or false"),
        ("FIRST_BYTE", "x", "500ms"),
        ("ENGINE", "steam", "threads"),
        ("PREFORK", "-1", "from 0 up"),
        ("WORKERS", "0", "from 1 up"),
    ];
    for (name, value, remedy) in rows {
        let variable = format!("SWITCHBOARD_{name}");
        let mut command = switchboard(&["serve", "echo", "127.0.0.1:0"]);
        let output = run(command.env(&variable, value), b"");
        fails(&output, 2, &[&format!("for {variable}"), value, remedy]);
    }
    // Who typed the flag is told of the flag.
    let mut command = switchboard(&["serve", "--timeout", "5"]);
    let output = run(command.env("SWITCHBOARD_TIMEOUT", "5"), b"");
    fails(&output, 2, &["for '--timeout <DURATION>'"]);
}

#[test]
fn a_file_that_cannot_be_read_or_written_says_what_to_do() {
    let server = support::Running::serve(&["web", ".", "127.0.0.1:0"]);
    let (root, none) = (format!("{}/", server.port()), fresh_path("none"));
    let none = none.to_str().unwrap();
    let in_none = format!("{none}/file");
    let folder = std::env::temp_dir();
    let port_file = ["serve", "echo", "0", "--port-file"];
    let serve = |path| [port_file[0], port_file[1], port_file[2], port_file[3], path];
    let rows: [(&[&str], i32, &[&str]); 8] = [
        (&serve(&in_none), 23, &["write ", &in_none, "no such file", "folder?"]),
        (&serve(folder.to_str().unwrap()), 23, &["write ", "is a directory", "name a file in it"]),
        (&["get", &root, "-o", &in_none], 23, &["write ", &in_none, "no such file", "folder?"]),
        (&["get", &root, "-o", "/dev/full"], 23, &["write /dev/full", "no space", "make room"]),
        (&["get", &root, "-o", folder.to_str().unwrap()], 23, &["write ", "name a file in it"]),
        (&["send", none, &root], 1, &["read ", none, "no such file", "is the name right?"]),
        (&["send", folder.to_str().unwrap(), &root], 1, &["read ", "name a file in it"]),
        (&["man", "--out", "/dev/null/x"], 23, &["write /dev/null/x", "not a directory"]),
    ];
    for (words, code, parts) in rows {
        fails(&run(&mut switchboard(&[&["-q"], words].concat()), b""), code, parts);
    }
    server.stop();
}

#[test]
fn a_taken_address_is_98() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&mut switchboard(&["serve", "echo", &address]), b"");
    let in_use = format!("bind tcp://{address}: address already in use");
    fails(&output, 98, &[&in_use, "try tcp://127.0.0.1:0, which picks a free port"]);
    // What it says can be typed.
    support::Running::serve(&["echo", "tcp://127.0.0.1:0"]).stop();
}

#[test]
fn a_file_in_the_way_of_a_socket_is_98_and_stays() {
    let path = fresh_path("file");
    std::fs::write(&path, "precious").unwrap();
    let output = run(&mut switchboard(&["serve", "echo", path.to_str().unwrap()]), b"");
    fails(&output, 98, &["a file that is not a socket is there"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_right_that_is_missing_is_13() {
    use std::os::unix::fs::PermissionsExt;
    let folder = fresh_path("read-only");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    let socket = folder.join("socket");
    let mut places = vec![socket.to_str().unwrap()];
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    match start.ok().and_then(|start| start.trim().parse::<u16>().ok()) {
        Some(0..=80) => skip("port 80 needs no privilege here"),
        _ => places.push("127.0.0.1:80"),
    }
    for place in places {
        let Some(mut command) = unprivileged() else { break };
        let output = run(command.args(["serve", "echo", place]), b"");
        let remedy = if place.contains(':') { "try tcp://127.0.0.1:8080)" } else { "directory" };
        fails(&output, 13, &["bind ", place, "permission denied (", remedy]);
    }
    std::fs::remove_dir(&folder).unwrap();
}

/// The program without any right that others have not.
fn unprivileged() -> Option<Command> {
    let program = switchboard(&[]);
    if !rustix::process::geteuid().is_root() {
        return Some(program);
    }
    // Root without its capabilities is stopped by permissions like everybody else.
    has("setpriv").then(|| {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(program.get_program());
        command
    })
}

#[test]
fn what_may_not_be_read_written_or_connected_to_is_13() {
    use std::os::unix::fs::PermissionsExt;
    let folder = fresh_path("closed");
    std::fs::create_dir(&folder).unwrap();
    let [secret, socket, new] = ["secret", "socket", "new"].map(|name| folder.join(name));
    let cellar = folder.join("cellar");
    std::fs::create_dir(&cellar).unwrap();
    std::fs::write(&secret, "secret").unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, mode) in [(&secret, 0), (&socket, 0), (&cellar, 0), (&folder, 0o555)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let server = support::Running::serve(&["web", ".", "127.0.0.1:0"]);
    let url = format!("127.0.0.1:{}/", server.port());
    let [secret, socket, new] = [&secret, &socket, &new].map(|path| path.to_str().unwrap());
    let rows: [(&[&str], &[&str]); 3] = [
        (&["send", secret, &url], &["read ", secret, "its owner may"]),
        (&["get", "-q", &url, "-o", new], &["write ", new, "a folder of your own"]),
        (&["connect", socket], &["connect ", socket]),
    ];
    for (words, parts) in rows {
        let Some(mut command) = unprivileged() else { break };
        let output = run(command.args(words), b"");
        fails(&output, 13, &[parts, &["permission denied"]].concat());
    }
    server.stop();
    if let Some(mut command) = unprivileged() {
        let cellar = cellar.to_str().unwrap();
        let output = run(command.args(["serve", "web", cellar, "0"]), b"");
        fails(&output, 13, &[cellar, "permission denied", "that you may enter"]);
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_folder_for_uploads_that_cannot_be_had_is_told_at_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let top = fresh_path("top");
    let [closed, file, link, new] = ["closed", "file", "link", "a/b"].map(|name| top.join(name));
    std::fs::create_dir_all(&closed).unwrap();
    std::fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    let below = [&closed, &file].map(|folder| folder.join("b/c"));
    let [in_closed, in_file] = below.each_ref().map(|path| path.to_str().unwrap());
    let [shut, file, link] = [&closed, &file, &link].map(|path| path.to_str().unwrap());
    let shut_above = format!("{in_closed} cannot be made: {shut}: permission denied");
    let file_above = format!("{in_file} cannot be made: {file} is not a folder");
    let rows: [(&str, i32, &[&str]); 7] = [
        (shut, 13, &[shut, "permission denied", "that you may write to"]),
        (in_closed, 13, &[&shut_above, "that you may write to"]),
        (file, 2, &[file, " is not a folder (write the folder first, then the address)"]),
        (in_file, 2, &[&file_above]),
        (link, 2, &[link, "no such file", "name another folder"]),
        ("", 2, &["\"\"", "no such file"]),
        ("9000", 2, &["9000", "write the folder first", "./9000"]),
    ];
    for (folder, code, parts) in rows {
        let Some(mut command) = unprivileged() else { return };
        let output = run(command.args(["serve", "upload", folder, "0"]).current_dir(&top), b"");
        fails(&output, code, parts);
    }
    assert_eq!(std::fs::read_dir(&top).unwrap().count(), 3, "something was made");
    // One that could be made is not, before it is needed.
    let server = support::Running::serve(&["upload", new.to_str().unwrap(), "0"]);
    assert!(!top.join("a").exists());
    server.stop();
    // Where nothing can be saved the board starts: nobody has asked for that yet.
    let Some(mut board) = unprivileged() else { return };
    board.args(["serve", "--json"]).current_dir(&closed);
    let board = support::Running::start(board, fresh_path("none"));
    board.out.wait_for("\"upload\"");
    board.stop();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_dir_all(&top).unwrap();
}

#[test]
fn workers_that_cannot_all_be_had_are_told_before_it_listens() {
    let limited = |files: &str, words: &[&str]| {
        let program = switchboard(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n $0 && exec \"$@\"", files]).arg(program.get_program());
        run(command.args(["serve", "echo", "0"]).args(words), b"")
    };
    let many = "too many open files (256 is the limit of this process: raise it by ulimit -n, or";
    let rows: [&[&str]; 5] = [
        &["--workers", "100000"],
        // There are descriptors for all accept loops, but not for all workers.
        &["--workers", "65"],
        &["--prefork", "100000"],
        &["--prefork", "2", "--workers", "100000"],
        &["--prefork", "2", "--workers", "65"],
    ];
    for words in rows {
        fails(&limited("256", words), 1, &[many, "try fewer workers)"]);
    }
    for engine in switchboard::Engine::ALL {
        let output = limited("12", &["--engine", engine.name()]);
        fails(&output, 1, &["too many open files (12 is the limit of this process"]);
    }
}

#[test]
fn a_name_nobody_knows_is_6() {
    for command in [&["connect"][..], &["serve", "echo"]] {
        // ".invalid" is reserved for names that do not exist. RFC 6761, 6.4.
        let args = [command, &["nobody.invalid:7007"]].concat();
        fails(&run(&mut switchboard(&args), b""), 6, &["nobody.invalid"]);
    }
    for words in [["connect", "-6", "127.0.0.1:7007"], ["bench", "-4", "[::1]:7007"]] {
        fails(&run(&mut switchboard(&words), b""), 6, &[words[2], words[1], "leave it out"]);
    }
    let output = run(&mut switchboard(&["serve", "echo", "-4", "[::1]:0"]), b"");
    fails(&output, 6, &["[::1]:0", "leave it out"]);
    for (words, part) in [
        (&["ping", ""][..], "cannot resolve \"\""),
        (&["resolve", "nobody.invalid"], "spelt right?"),
        (&["bench", "nobody.invalid:1"], "spelt right?"),
        (&["get", "http://nobody.invalid/"], "spelt right?"),
        (&["resolve", "127.0.0.1", "no-such-service"], "may also be a number"),
    ] {
        fails(&run(&mut switchboard(words), b""), 6, &[part]);
    }
}

#[test]
fn an_address_where_nobody_listens_is_7() {
    let (_held, port) = nobody();
    let address = format!("127.0.0.1:{port}");
    let output = run(&mut switchboard(&["connect", &address]), b"");
    fails(&output, 7, &[&format!("connect {address}: connection refused ("), "switchboard serve"]);
    let path = fresh_path("no-socket");
    fails(&run(&mut switchboard(&["connect", path.to_str().unwrap()]), b""), 7, &["no such"]);
    // A datagram is refused only after it was sent.
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    // It hears nobody but itself.
    udp.connect(udp.local_addr().unwrap()).unwrap();
    let address = format!("udp://{}", udp.local_addr().unwrap());
    let output = run(&mut switchboard(&["connect", &address]), b"hi");
    fails(&output, 7, &["connection refused (nobody listens there; try switchboard serve)"]);
}

#[test]
fn a_virtual_machine_that_is_not_there_is_asked_and_missed() {
    // Whether this kernel knows them or not: nothing of this machine listens at this port.
    let address = "vsock://1:4294967294";
    let output = run(&mut switchboard(&["connect", "--timeout", "5s", address]), b"");
    let code = output.status.code().unwrap();
    assert!([7, 13, 28].contains(&code), "{}", told(&output));
    fails(&output, code, &["connect ", address]);
}

#[test]
fn a_server_that_takes_nobody_in_is_28() {
    // A queue that is full: further handshakes are dropped, and not refused.
    let full = Socket::new(Family::INET, Type::STREAM, Default::default()).unwrap();
    full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.getsockname().unwrap().as_inet().unwrap();
    let wait = std::time::Duration::from_millis(200);
    let queued: Vec<_> =
        std::iter::from_fn(|| TcpStream::connect_timeout(&address, wait).ok()).take(10).collect();
    assert!(queued.len() < 10);
    let address = address.to_string();
    for command in [&["connect"][..], &["get"], &["send", "/dev/null"], &["bench"], &["chat"]] {
        let place = if command[0] == "send" { format!("{address}/x") } else { address.clone() };
        let words = [&["--timeout", "50ms"], command, &[&place]].concat();
        let output = run(&mut switchboard(&words), b"");
        fails(&output, 28, &["connect ", &address, "timed out (--timeout waits longer)"]);
    }
}

#[test]
fn a_peer_that_says_nothing_is_28_when_there_is_a_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let output = run(&mut switchboard(&["connect", "--timeout", "50ms", &address]), b"hi");
    fails(&output, 28, &["receive from", &address, "timed out (--timeout waits longer)"]);
}

#[test]
fn a_connection_that_breaks_is_56() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let resetting = std::thread::spawn(move || {
        let (peer, _) = listener.accept().unwrap();
        // Closing with input unread resets the connection.
        peer.peek(&mut [0]).unwrap();
    });
    let output = run(&mut switchboard(&["connect", &address]), b"unread");
    resetting.join().unwrap();
    fails(&output, 56, &["receive from", &address, "connection reset"]);
}

#[test]
fn output_that_cannot_be_written_is_23_but_a_closed_pipe_is_nothing() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = switchboard(&["services"]);
    let child = child.stdout(full()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    fails(&child.wait_with_output().unwrap(), 23, &["write stdout", "no space", "make room"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = switchboard(&["services"]);
    let child = child.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
}

#[test]
fn input_that_cannot_be_read_is_1() {
    let server = support::Running::serve(&["echo", "127.0.0.1:0"]);
    let folder = std::fs::File::open(std::env::temp_dir()).unwrap();
    let mut command = switchboard(&["connect", &server.port().to_string()]);
    let output = command.stdin(folder).output().unwrap();
    fails(&output, 1, &["read the input", "is a directory"]);
    server.stop();
}
