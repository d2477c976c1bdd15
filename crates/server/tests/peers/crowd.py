"""Two hundred connections at once, by asyncio: each says lines and gets its own back.

Arguments: HOST PORT, or PATH, or @NAME.
"""

import asyncio
import sys

CROWD = 200
LINES = 5


def connect():
    if len(sys.argv) == 3:
        return asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    name = sys.argv[1]
    return asyncio.open_unix_connection("\0" + name[1:] if name.startswith("@") else name)


async def member(number):
    reader, writer = await connect()
    for turn in range(LINES):
        line = f"{number} says {turn}\n".encode() * (number % 7 + 1)
        writer.write(line)
        await writer.drain()
        answer = await reader.readexactly(len(line))
        if answer != line:
            sys.exit(f"{answer!r} is not {line!r}")
    writer.write_eof()
    if await reader.read() != b"":
        sys.exit("there is more than was said")
    writer.close()
    await writer.wait_closed()


async def main():
    await asyncio.gather(*(member(number) for number in range(CROWD)))
    print("fine")


asyncio.run(asyncio.wait_for(main(), 150))
