"""One of socketserver's servers, which shouts back what it hears, line by line.

Arguments: the name of the class, and PATH for a Unix one. It prints where it listens, and ends at
the end of its input.
"""

import socketserver
import sys
import threading


class ForkingUnixStreamServer(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    pass


class ForkingUnixDatagramServer(socketserver.ForkingMixIn, socketserver.UnixDatagramServer):
    pass


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Datagram(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.read().upper())


def main():
    name = sys.argv[1]
    kind = globals().get(name) or getattr(socketserver, name)
    address = sys.argv[2] if "Unix" in name else ("127.0.0.1", 0)
    handler = Datagram if "UDP" in name or "Datagram" in name else Stream
    with kind(address, handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        where = server.server_address
        print(where if isinstance(where, str) else "%s:%d" % where[:2], flush=True)
        sys.stdin.read()
        server.shutdown()
        serving.join()


main()
