"""A web server in a few lines, written anew since the document lost it; see web_server.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8080

sk = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sk.bind((host, port))
sk.listen(5)
while True:
    conn, addr = sk.accept()
    request = conn.recv(1024).decode()
    print(request.splitlines()[0])
    conn.send(b"HTTP/1.1 200 OK\r\n\r\n")
    conn.send(b"<h1>Hello, World</h1>\n")
    conn.close()
