"""Talks with many clients at once, written anew since the document lost it; see chat_server.rs."""
import socketserver
import sys


class Chat(socketserver.StreamRequestHandler):
    def setup(self):
        super().setup()
        self.messages = 0

    def handle(self):
        self.wfile.write(b"what is your name?\n")
        name = self.rfile.readline().decode().strip()
        self.wfile.write(f"hello, {name}\n".encode())
        for line in self.rfile:
            if line.strip() == b"bye":
                break
            self.messages += 1
            print(f'"{name}" says "{line.decode().strip()}"')
            self.wfile.write(f"{name}, that was message {self.messages}\n".encode())
        print(f'"{name}" has left after {self.messages} messages')
        self.wfile.write(f"goodbye, {name}\n".encode())


host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8010
with socketserver.ThreadingTCPServer((host, port), Chat) as server:
    server.serve_forever()
