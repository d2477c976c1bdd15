"""Fetching a page by hand, as in Python; in Rust it is fetch_page.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "www.sina.com.cn"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 80
file = sys.argv[3] if len(sys.argv) > 3 else "sina.html"

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect((host, port))
s.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())

buffer = []
while True:
    d = s.recv(1024)
    if not d:
        break
    buffer.append(d)
data = b"".join(buffer)
s.close()

header, html = data.split(b"\r\n\r\n", 1)
print(header.decode("utf-8"))
with open(file, "wb") as f:
    f.write(html)
