//! nginx as the contestant of the web cell, configured as well as we know how, in two ways: files
//! by `sendfile` with the head in the same packet (`tcp_nopush`), or read into a buffer and written
//! with the head by one call, which for small files is less work.
//!
//! One process and no logging of requests; files stay open and are not looked at again for a
//! minute; a connection may ask as often as it likes. `master_process off` leaves the one worker
//! alone, so that it ends with the process that started it; how it serves is the same.

use crate::beside::Foreign;
use std::ffi::OsString;
use std::path::Path;

/// Both ways. What is given is the folder of the files.
pub(crate) const ROWS: &[Foreign] = &[
    Foreign { name: "nginx", configuration: by_sendfile, ..NGINX },
    Foreign { name: "nginx-buffered", configuration: by_buffer, ..NGINX },
];

const NGINX: Foreign = Foreign {
    name: "nginx",
    paths: &["/usr/sbin/nginx", "/usr/local/sbin/nginx"],
    version: "-v",
    configuration: by_sendfile,
    arguments: &["-e", "stderr", "-c"],
};

fn by_sendfile(port: u16, folder: &Path, given: &[OsString]) -> String {
    configuration(port, folder, given, "sendfile on; tcp_nopush on; sendfile_max_chunk 2m;")
}

fn by_buffer(port: u16, folder: &Path, given: &[OsString]) -> String {
    configuration(port, folder, given, "sendfile off; output_buffers 2 512k;")
}

fn configuration(port: u16, folder: &Path, given: &[OsString], way: &str) -> String {
    let folder = folder.display();
    let site = given.first().map(Path::new).unwrap_or(Path::new("/nonexistent")).display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path \"{folder}/{name}\";\n"))
        .concat();
    format!(
        "user root;\ndaemon off;\nmaster_process off;\nworker_processes 1;\n\
         pid \"{folder}/pid\";\nerror_log stderr error;\n\
         events {{ worker_connections 4096; use epoll; multi_accept on; }}\n\
         http {{\n  {way}\n{temporary}  access_log off;\n  server_tokens off;\n  \
         tcp_nodelay on;\n  keepalive_timeout 3600s;\n  keepalive_requests 1000000000;\n  \
         open_file_cache max=1000 inactive=60s;\n  open_file_cache_valid 60s;\n  \
         open_file_cache_min_uses 1;\n  types {{ application/octet-stream bin; }}\n  \
         server {{ listen 127.0.0.1:{port} backlog=4096; root \"{site}\"; }}\n}}\n"
    )
}
