//! Third improvement: the server stays. Every message of a client, and one client after the other.
//!
//! `upper_server [HOST [PORT]]`. A client that closes or vanishes ends its own conversation only.
//! There is one conversation at a time; the next client waits in the backlog (chapter 11).

use socket::names::inet_address;
use socket::{Family, Protocol, Socket, Type};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.9", String::as_str);
    let port = args.get(2).map_or(Ok(8888), |port| port.parse())?;

    let phone = Socket::new(Family::INET, Type::STREAM, Protocol::DEFAULT)?;
    phone.set_so_reuseaddr(true)?; // before bind, or it comes too late
    phone.bind(&inet_address(Family::INET, host, port)?)?;
    phone.listen(5)?;
    println!("等待中...");

    // 链接循环: one client after the other.
    loop {
        let (conn, addr) = phone.accept()?;
        let addr = addr.as_inet().expect("a client of an AF_INET socket has an IP address");
        println!("====>");
        println!("电话线路是: {conn}");
        println!("客户端的手机号是: ('{}', {})", addr.ip(), addr.port());

        // 通信循环: one message after the other. Zero bytes: it has closed. An error: it is gone.
        let mut data = [0; 1024];
        while let Ok(count @ 1..) = conn.recv(&mut data) {
            println!("客户端发来的消息是: b'{}'", data[..count].escape_ascii());
            if conn.send_all(&data[..count].to_ascii_uppercase()).is_err() {
                break;
            }
        }
        drop(conn);
    }
}
