#!/usr/bin/env python3
"""Draws board.svg, the picture of the README: the board at a terminal, with a few visitors.

    python3 docs/pictures/board.py [PROGRAM] [PICTURE]

PROGRAM is target/release/switchboard unless given, PICTURE is board.svg beside this file. What is
drawn is what the program wrote to a terminal of its own, colours included. It runs in a network of
its own (`unshare -rn`), where every port is free, and with two workers, so that only one thing
depends on the machine: how long each visit took. Those times are replaced by the ones below, and
the picture changes only when the program does; a test draws it again and compares.

It deliberately knows nothing of terminals but lines and colours: the board moves no cursor.
"""

import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from fcntl import ioctl
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
COLUMNS, LINES = 96, 40
PATIENCE = 30

# Says that this is the second run, with a network of its own.
OWN_NETWORK = "BOARD_HAS_OWN_NETWORK"

# How long the visits took, in the order in which they end.
TIMES = ["48ms", "2.1ms", "4.6ms", "3.2s"]

# The size of a character and of what is around the text, in the picture's units.
WIDE, HIGH, MARGIN, BAR = 8.4, 19, 22, 38

# Colours: of the picture's light form and of its dark one.
PALETTE = {
    "card": ("#fbfbf9", "#15181d"),
    "edge": ("#d5d5cf", "#343a43"),
    "bar": ("#efefeb", "#1d2127"),
    "text": ("#24292f", "#d3d7dd"),
    "faint": ("#6a717a", "#8a929d"),
    "green": ("#116329", "#6cc783"),
    "yellow": ("#7d4e00", "#dcb465"),
    "red": ("#b3261e", "#f08a80"),
}
# What the program paints with, and how it is drawn.
PAINTS = {"faint": "2", "red": "31", "green": "32", "yellow": "33"}
CLASSES = {"1": "bold", **{code: name for name, code in PAINTS.items()}}


class Board:
    """The program at a terminal of its own."""

    def __init__(self, program, folder):
        self.screen = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = {"TERM": "xterm-256color", "SWITCHBOARD_WORKERS": "2"}
            os.execve(program, ["switchboard", "serve"], environment)
        ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))

    def see(self, part, count=1):
        """Waits until this has been on the screen so often."""
        end = time.monotonic() + PATIENCE
        while plain(self.text()).count(part) < count:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                sys.exit(f"board.py: no {part!r} on the screen:\n{self.text()}")
            self.screen += os.read(self.terminal, 65536)

    def text(self):
        return self.screen.decode(errors="replace").replace("\r\n", "\n")

    def end(self):
        os.kill(self.pid, signal.SIGTERM)
        while True:
            try:
                if not os.read(self.terminal, 65536):
                    break
            except OSError:
                break
        os.waitpid(self.pid, 0)


def visit(port, own_port):
    """A visitor, from a port that the picture is to show."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE, ("127.0.0.1", own_port))


def until(client, part):
    """Reads until this has come."""
    got = b""
    while part not in got:
        piece = client.recv(4096)
        if not piece:
            sys.exit(f"board.py: {part!r} did not come, but {got!r}")
        got += piece


def ask(port, own_port, request):
    """Sends a request and reads all of the answer."""
    with visit(port, own_port) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass


def play(board):
    """What happens while the picture is taken; each step is seen before the next."""
    board.see("Ctrl-C ends it.")
    ann = visit(6667, 52144)
    until(ann, b"?")
    ann.sendall(b"ann\n")
    board.see("open (chat)")
    ask(7007, 52152, b"hello, board\n" * 8)
    board.see(" close ", 1)
    ask(8000, 52160, b"GET / HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\n\r\n")
    board.see(" close ", 2)
    head = b"PUT /holiday.jpg HTTP/1.1\r\nHost: localhost:8001\r\nConnection: close\r\n"
    photo = bytes(1_843_200)
    ask(8001, 52168, head + b"Content-Length: %d\r\n\r\n" % len(photo) + photo)
    board.see(" close ", 3)
    bob = visit(6667, 52176)
    until(bob, b"?")
    bob.sendall(b"bob\nis anybody here?\n/quit\n")
    board.see(" close ", 4)
    return ann


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def steady(text):
    """The text with the times of TIMES."""
    times = iter(TIMES)
    return re.sub(r"(close\S*) \S+ in", lambda found: f"{found[1]} {next(times)} in", text)


def pieces(line):
    """The line as (column, text, class), and its length."""
    column, drawn = 0, ""
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if code:
            drawn = CLASSES.get(code[1], "")
            continue
        # What stands apart is placed by itself, so that columns stay columns in any font.
        for found in re.finditer(r"\S+(?: \S+)*", part):
            yield column + found.start(), found[0], drawn
        column += len(part)


def style():
    def rules(form):
        colour = {name: both[form] for name, both in PALETTE.items()}
        return (
            f".card{{fill:{colour['card']};stroke:{colour['edge']}}}"
            f".bar{{fill:{colour['bar']}}}.line{{stroke:{colour['edge']}}}"
            f".dot{{fill:{colour['edge']}}}text{{fill:{colour['text']}}}"
            + "".join(f".{name}{{fill:{colour[name]}}}" for name in PAINTS)
        )

    fonts = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
    return (
        f"text{{font:14px {fonts};white-space:pre}}.bold{{font-weight:700}}"
        + rules(0)
        + f"@media (prefers-color-scheme:dark){{{rules(1)}}}"
    )


def svg(lines):
    """The picture of these lines."""
    wide = round(COLUMNS * WIDE + 2 * MARGIN)
    high = BAR + 2 * MARGIN + len(lines) * HIGH - 10
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        f'width="{wide}" height="{high}" role="img" aria-labelledby="title">',
        "<!-- Drawn by docs/pictures/board.py; change that and draw it again. -->",
        '<title id="title">switchboard serve at a terminal: a table of services, their addresses '
        "and a line to try each, then a line for every connection</title>",
        f"<style>{style()}</style>",
        f'<rect class="card" x=".5" y=".5" width="{wide - 1}" height="{high - 1}" rx="10"/>',
        f'<path class="bar" d="M1 {BAR}V10.5A9.5 9.5 0 0 1 10.5 1H{wide - 10.5}'
        f'A9.5 9.5 0 0 1 {wide - 1} 10.5V{BAR}Z"/>',
        f'<path class="line" d="M1 {BAR}H{wide - 1}"/>',
    ]
    out += [f'<circle class="dot" cx="{x}" cy="{BAR / 2}" r="6"/>' for x in (24, 44, 64)]
    for row, line in enumerate(lines):
        y = BAR + MARGIN + row * HIGH + 11
        for column, text, drawn in pieces(line):
            x, width = MARGIN + column * WIDE, len(text) * WIDE
            kind = f' class="{drawn}"' if drawn else ""
            out.append(
                f'<text{kind} x="{x:.1f}" y="{y}" textLength="{width:.1f}">{escape(text)}</text>'
            )
    return "\n".join([*out, "</svg>", ""])


def main(program, picture):
    with tempfile.TemporaryDirectory() as folder:
        board = Board(program, folder)
        guest = play(board)
        text = steady(board.text())
        guest.close()
        board.end()
    prompt = "\x1b[32m$\x1b[0m \x1b[1mswitchboard serve\x1b[0m"
    lines = [prompt, *text.rstrip("\n").split("\n")]
    longest = max(len(plain(line)) for line in lines)
    if longest > COLUMNS:
        sys.exit(f"board.py: a line has {longest} characters, the picture {COLUMNS} columns")
    Path(picture).write_text(svg(lines), encoding="utf-8")


def in_own_network(arguments):
    """Runs this script again where it has all ports to itself; answers how that ended."""
    inside = 'ip link set lo up && exec "$@"'
    command = ["unshare", "-rn", "sh", "-c", inside, "sh", sys.executable, __file__, *arguments]
    return subprocess.run(command, env={**os.environ, OWN_NETWORK: "1"}).returncode


if __name__ == "__main__":
    program, picture = HERE.parent.parent / "target/release/switchboard", HERE / "board.svg"
    if len(sys.argv) > 1:
        program = Path(sys.argv[1]).resolve()
    if len(sys.argv) > 2:
        picture = Path(sys.argv[2]).resolve()
    if not program.is_file():
        sys.exit(f"board.py: there is no {program} (try cargo build --release)")
    if OWN_NETWORK not in os.environ:
        sys.exit(in_own_network([str(program), str(picture)]))
    main(program, picture)
