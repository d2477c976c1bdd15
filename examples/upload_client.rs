//! Sends a file to the upload server: size and name, wait for `go`, then the bytes.
//!
//! `upload_client FILE [HOST [PORT]]`. For [`upload_server`](upload_server.rs), chapter 10.

use socket::create_connection;
use std::error::Error;
use std::fs::File;
use std::io::BufRead;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let path = Path::new(args.get(1).ok_or("usage: upload_client FILE [HOST [PORT]]")?);
    let host = args.get(2).map_or("127.0.0.1", String::as_str);
    let port = args.get(3).map_or(Ok(8009), |port| port.parse())?;
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let name = path.file_name().ok_or("the path does not end in a name")?.to_string_lossy();

    let server = create_connection((host, port), &Default::default())?;
    server.send_all(format!("{size} {name}\n").as_bytes())?;
    let mut answers = server.reader()?.lines();
    let mut answer = || answers.next().ok_or("the server hung up")?.map_err(Box::<dyn Error>::from);
    let first = answer()?;
    if first != "go" {
        return Err(first.into());
    }
    server.sendfile(&file, 0, None)?;
    println!("{}", answer()?.replace(char::is_control, "?"));
    Ok(())
}
