"""One client at a time, as in Python; in Rust it is single_thread_server.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 9999

sk = socket.socket()
sk.bind((host, port))
sk.listen(5)
while True:
    print("server waiting...")
    conn, addr = sk.accept()
    client_data = conn.recv(1024)
    print(str(client_data, "utf8"))
    conn.sendall(bytes("不要回答,不要回答,不要回答", "utf8"))
    conn.close()
