//! Takes files: the client says size and name, is told `go`, sends the bytes, is told `saved`.
//!
//! `upload_server [ADDRESS [FOLDER]]`. At most 16 MiB, only plain names, nothing is overwritten,
//! and a file that did not arrive whole is not kept.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use switchboard::{Connection, Engine, Server};

const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Size and name out of `11 hello.txt`, or what is wrong with it.
fn offer(line: &str) -> Result<(u64, &str), &'static str> {
    let (size, name) = line.trim_end().split_once(' ').ok_or("say SIZE NAME")?;
    let size = size.parse().map_err(|_| "the size is not a number")?;
    match name {
        _ if size > FILE_BYTES => Err("more than 16 MiB"),
        _ if name.starts_with('.') || name.contains(['/', '\0']) => Err("not a plain name"),
        _ => Ok((size, name)),
    }
}

fn upload(connection: &mut Connection, folder: &Path) -> io::Result<()> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let (size, name) = match offer(&line) {
        Ok(offer) => offer,
        Err(why) => return writeln!(connection, "no: {why}"),
    };
    let path = folder.join(name);
    let Ok(mut file) = File::create_new(&path) else {
        return writeln!(connection, "no: cannot make a new file of that name");
    };
    connection.reply(b"go\n")?;
    let copied = io::copy(&mut connection.take(size), &mut file);
    if !matches!(copied, Ok(count) if count == size) {
        std::fs::remove_file(&path)?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    println!("saved {name:?}, {size} bytes");
    writeln!(connection, "saved {name}, {size} bytes")
}

fn main() -> switchboard::Result {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:8009".into());
    let folder = args.next().unwrap_or(".".into());
    Server::new()
        .with_engine(Engine::Threads)
        .bind(address, move |c: &mut Connection| upload(c, folder.as_ref()))?
        .serve_forever()
}
