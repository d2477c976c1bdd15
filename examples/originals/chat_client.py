"""A line from the server, a line to it, in turns, as in Python; in Rust it is chat_client.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8010

s = socket.create_connection((host, port))
for line in s.makefile("r", encoding="utf-8"):
    print(line.strip())
    if line.startswith("goodbye"):
        break
    msg = input(">>: ")
    s.sendall(msg.encode() + b"\n")
