//! The path of a server that died is taken over; that of one that lives is not, nor is a file that
//! is no socket.

use std::io::{self, ErrorKind, Write};

use crate::support::{Cell, Serving, ask, leave_dead, on_every};
use switchboard::Connection;

on_every! {
    transports {
        a_stale_path_is_taken_over
    }
}

fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    connection.write_all(line.as_bytes())
}

fn a_stale_path_is_taken_over(cell: Cell) {
    let place = cell.transport.place();
    let Some(path) = &place.path else {
        return; // what has no path leaves none behind
    };
    leave_dead(&place.text);
    assert!(path.exists());

    let server = Serving::start(cell.server(), |server| server.bind(&place.text, echo));
    let error = cell.server().bind(&place.text, echo).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    assert_eq!(ask(&server.client(), "alive\n", 6), "alive\n");
    server.stop().unwrap();

    std::fs::write(path, "precious").unwrap();
    let error = cell.server().bind(&place.text, echo).unwrap_err();
    assert!(error.to_string().contains("it is left alone"), "{error}");
    assert_eq!(std::fs::read(path).unwrap(), b"precious");
}
