"""Takes files from anybody, written anew since the document lost it; see upload_server.rs."""
import os
import socketserver
import sys

folder = sys.argv[3] if len(sys.argv) > 3 else "."


class Upload(socketserver.StreamRequestHandler):
    def handle(self):
        size, name = self.rfile.readline().decode().strip().split(" ", 1)
        self.wfile.write(b"go\n")
        left = int(size)
        with open(os.path.join(folder, name), "wb") as file:
            while left:
                data = self.rfile.read(min(left, 1024))
                file.write(data)
                left -= len(data)
        self.wfile.write(f"saved {name}, {size} bytes\n".encode())


host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8009
with socketserver.ThreadingTCPServer((host, port), Upload) as server:
    server.serve_forever()
