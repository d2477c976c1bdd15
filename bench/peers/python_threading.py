"""An echo server on Python's socketserver, as its documentation would have you write it.

The two departures are in Python's favour: a listen queue as long as its rivals' and TCP_NODELAY.
Usage: python_threading.py PORT_FILE (the port in decimal appears there once it listens).
"""

import os
import socket
import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        try:
            while data := self.request.recv(16 * 1024):
                self.request.sendall(data)
        except ConnectionError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096


with Server(("127.0.0.1", 0), Echo) as server:
    port_file = sys.argv[1]
    with open(port_file + ".new", "w") as file:
        file.write(f"{server.server_address[1]}\n")
    os.replace(port_file + ".new", port_file)
    server.serve_forever()
