//! One thread, one client at a time: whoever comes second waits until the first has been served.
//!
//! `single_thread_server [HOST [PORT]]`. The contrast to `threaded_echo_server`, chapter 11.

use socket::{ServerOptions, create_server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(1).map_or("127.0.0.1", String::as_str);
    let port = args.get(2).map_or(Ok(9999), |port| port.parse())?;

    let options = ServerOptions { backlog: 5, ..Default::default() };
    let sk = create_server((host, port), &options)?;
    loop {
        println!("server waiting...");
        let (conn, _addr) = sk.accept()?;
        let mut client_data = [0; 1024];
        let count = conn.recv(&mut client_data)?;
        let text = String::from_utf8_lossy(&client_data[..count]);
        println!("{}", text.trim_end().replace(char::is_control, "?"));
        conn.send_all("不要回答,不要回答,不要回答".as_bytes())?;
        conn.close()?;
    }
}
