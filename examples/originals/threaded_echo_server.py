"""The echo server on socketserver, which spins after a client; see threaded_echo_server.rs."""
import socketserver
import sys


class MyTcpServer(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            print("NEW:", self.client_address)
            Server_recv = self.request.recv(1024)
            print("client:", Server_recv.decode())
            self.request.send(Server_recv)


host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 5007
with socketserver.ThreadingTCPServer((host, port), MyTcpServer) as server:
    server.serve_forever()
