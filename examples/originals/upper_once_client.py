"""Sends hello, prints the answer, hangs up, as in Python; in Rust it is upper_once_client.rs."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.9"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8888

phone = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
phone.connect((host, port))
phone.send("hello".encode("utf8"))
print("has send===========>")
data = phone.recv(1024)
print("has recv===========>")
print(data)
phone.close()
