"""The third improvement, the server that stays; in Rust it is upper_server.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.9"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888

phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
phone.bind((host, port))
phone.listen(5)
print("等待中...")
while True:
    conn, addr = phone.accept()
    print("====>")
    print("电话线路是:", conn)
    print("客户端的手机号是:", addr)
    while True:
        try:
            data = conn.recv(1024)
            if not data:
                break
            print("客户端发来的消息是:", data)
            conn.send(data.upper())
        except Exception:
            break
    conn.close()
