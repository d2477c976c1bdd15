//! Shows the states of both ends of a connection, as the kernel has them in `/proc/net/tcp`.
//!
//! `states`. It takes a free port and connects to itself. A state is read when it has stopped
//! changing, so those of a moment (`SYN_SENT`, `FIN_WAIT1`, `LAST_ACK`) are not among them.

use socket::{TcpListener, TcpStream};
use std::time::Duration;
use std::{fs, io, thread};

/// What the kernel's numbers mean, from 1 on. include/net/tcp_states.h.
const STATES: &str = "ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE \
                      CLOSE_WAIT LAST_ACK LISTEN CLOSING";

/// The state of the end with port `own` whose peer has port `peer`; `-` if there is none.
fn state(own: u16, peer: u16) -> io::Result<&'static str> {
    let ends = [format!(":{own:04X}"), format!(":{peer:04X}")];
    for line in fs::read_to_string("/proc/net/tcp")?.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        if columns[1].ends_with(&ends[0]) && columns[2].ends_with(&ends[1]) {
            let number = usize::from_str_radix(columns[3], 16).map_err(io::Error::other)?;
            return Ok(STATES.split(' ').nth(number - 1).unwrap_or("?"));
        }
    }
    Ok("-")
}

/// Prints both ends, once they are as they were 100 ms ago.
fn show(what: &str, client: u16, server: u16) -> io::Result<()> {
    let mut before = ["", ""];
    loop {
        let now = [state(client, server)?, state(server, client)?];
        if now == before {
            println!("{what:<34} {:<12} {}", now[0], now[1]);
            return Ok(());
        }
        before = now;
        thread::sleep(Duration::from_millis(100));
    }
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let server = listener.local_addr()?.port();
    println!("{:<34} {:<12} server", "", "client");
    println!("{:<34} {:<12} {}", "listen", "", state(server, 0)?);
    let client_end = TcpStream::connect(("127.0.0.1", server))?;
    let client = client_end.local_addr()?.port();
    show("connect; nobody has accepted", client, server)?;
    let (server_end, _) = listener.accept()?;
    show("accept", client, server)?;
    drop(client_end);
    show("the client closes", client, server)?;
    drop(server_end);
    show("the server closes", client, server)
}
