"""The client of the echo server, as in Python; in Rust it is echo_client.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 50014

sockobj = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sockobj.connect((host, port))
sockobj.send(b"Hello,Server")
print(sockobj.recv(1024).decode())
sockobj.close()
