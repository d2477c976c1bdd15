"""Sends a file, written anew since the document lost it; see upload_client.rs."""
import os
import socket
import sys

path = sys.argv[1]
host = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
port = int(sys.argv[3]) if len(sys.argv) > 3 else 8009

s = socket.create_connection((host, port))
answers = s.makefile("r", encoding="utf-8")
s.sendall(f"{os.path.getsize(path)} {os.path.basename(path)}\n".encode())
answer = answers.readline().strip()
if answer != "go":
    sys.exit(answer)
with open(path, "rb") as file:
    s.sendall(file.read())
print(answers.readline().strip())
