"""An echo server on asyncio's transports and protocols, the form its documentation calls fast.

asyncio sets TCP_NODELAY by itself; the listen queue is as long as its rivals'.
Usage: python_asyncio.py asyncio|uvloop PORT_FILE (the port in decimal appears there once it
listens).
"""

import asyncio
import os
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main(port_file):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    with open(port_file + ".new", "w") as file:
        file.write(f"{server.sockets[0].getsockname()[1]}\n")
    os.replace(port_file + ".new", port_file)
    await server.serve_forever()


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.run(main(sys.argv[2]))
else:
    asyncio.run(main(sys.argv[2]))
