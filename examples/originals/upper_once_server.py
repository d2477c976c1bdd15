"""One client, one message, back in capitals, as in Python; in Rust it is upper_once_server.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.9"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888

phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.bind((host, port))
phone.listen(5)
print("等待中...")
conn, addr = phone.accept()
print("====>")
print("电话线路是:", conn)
print("客户端的手机号是:", addr)
data = conn.recv(1024)
print("客户端发来的消息是:", data)
conn.send(data.upper())
conn.close()
phone.close()
