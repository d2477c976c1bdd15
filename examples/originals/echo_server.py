"""The echo server with a time limit, as in Python; in Rust it is echo_server.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 50014

sockobj = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sockobj.bind((host, port))
sockobj.listen(5)

while True:
    print("I am listenning")
    conn, addr = sockobj.accept()
    print("Connected By:", addr)
    try:
        conn.settimeout(5)
        data = conn.recv(1024)
        if not data:
            break
        conn.send(b"Echo=>" + data)
    except socket.timeout:
        print("Time Out")
    conn.close()
