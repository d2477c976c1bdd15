//! One client, one message, back in capitals, and that was all: a phone that takes one call.
//!
//! `upper_once_server [HOST [PORT]]`. Chapters 5 and 6; `upper_server` stays on the line.

use socket::names::inet_address;
use socket::{Family, Protocol, Socket, Type};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.9", String::as_str);
    let port = args.get(2).map_or(Ok(8888), |port| port.parse())?;

    let phone = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT)?;
    phone.bind(&inet_address(Family::INET, host, port)?)?;
    phone.listen(5)?;
    println!("等待中...");

    let (conn, addr) = phone.accept()?;
    let addr = addr.as_inet().expect("a client of an AF_INET socket has an IP address");
    println!("====>");
    println!("电话线路是: {conn}");
    println!("客户端的手机号是: ('{}', {})", addr.ip(), addr.port());

    let mut data = [0; 1024];
    let count = conn.recv(&mut data)?;
    println!("客户端发来的消息是: b'{}'", data[..count].escape_ascii());
    conn.send_all(&data[..count].to_ascii_uppercase())?;
    conn.close()?;
    phone.close()?;
    Ok(())
}
