"""A client that knows nothing of us: whether an echo gives back what it was given.

Arguments: stream | seqpacket | datagram, then the family's address: HOST PORT, PATH or @NAME.
"""

import random
import socket
import sys

SIZES = [1, 2, 100, 255, 1000, 4095, 4096, 8191, 8192]


def address_of(words):
    if len(words) == 2:
        host, port = words[0], int(words[1])
        return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, port)
    name = words[0]
    return socket.AF_UNIX, ("\0" + name[1:] if name.startswith("@") else name)


def same(left, right, what):
    if left != right:
        sys.exit(f"{what}: {left[:60]!r} is not {right[:60]!r}")


def exactly(client, length):
    parts = []
    while length:
        part = client.recv(65536)
        if not part:
            sys.exit(f"the end came {length} bytes early")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def connection(client, bytes_of):
    for size in SIZES:
        sent = bytes_of(size)
        client.sendall(sent)
        same(exactly(client, size), sent, f"{size} bytes")
    client.shutdown(socket.SHUT_WR)
    same(client.recv(1), b"", "the end")


def datagrams(client, bytes_of):
    for size in [0] + SIZES:
        sent = bytes_of(size)
        client.send(sent)
        answer, sender = client.recvfrom(65536)
        same(answer, sent, f"{size} bytes")
        same(str(sender), str(client.getpeername()), "the sender")


def main():
    kind = sys.argv[1]
    family, address = address_of(sys.argv[2:])
    types = {"stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET}
    numbers = random.Random(7)
    for _ in range(3):
        with socket.socket(family, types.get(kind, socket.SOCK_DGRAM)) as client:
            client.settimeout(20)
            if kind == "datagram" and family == socket.AF_UNIX:
                client.bind("")
            client.connect(address)
            (datagrams if kind == "datagram" else connection)(client, numbers.randbytes)
    print("fine")


main()
