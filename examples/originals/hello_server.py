"""The greeting server, a thread for each connection, as in Python; see hello_server.rs."""
import socket
import sys
import threading
import time


def tcplink(sock, addr):
    print("accept new connection from %s:%s..." % addr)
    sock.send(b"welcome!")
    while True:
        data = sock.recv(1024)
        time.sleep(1)
        if not data or data.decode("utf-8") == "exit":
            break
        sock.send(("hello, %s!" % data.decode("utf-8")).encode("utf-8"))
    sock.close()
    print("connection from %s:%s closed." % addr)


host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 9999

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind((host, port))
s.listen(5)
print("waiting for connection...")
while True:
    sock, addr = s.accept()
    t = threading.Thread(target=tcplink, args=(sock, addr))
    t.start()
