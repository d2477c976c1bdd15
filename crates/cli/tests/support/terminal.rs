//! The program at a terminal of its own, played by a script of what is seen and what is typed.

/// Runs a command on a terminal of its own: types each argument that follows, after the screen has
/// shown what it must show first, and prints what was on the screen and how it ended.
const TERMINAL: &str = r"
import os, pty, select, sys, termios, time
program, *script = sys.argv[1:]
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    for fd in range(3):
        os.dup2(slave, fd)
    import fcntl
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ['TERM'] = 'xterm'
    os.execv('/bin/sh', ['sh', '-c', 'exec ' + program])
screen = b''
def see(part):
    global screen
    start = time.monotonic()
    while part not in screen:
        assert time.monotonic() - start < 50, (part, screen)
        if select.select([master], [], [], 0.1)[0]:
            screen += os.read(master, 4096)
    screen = screen[screen.index(part) + len(part):]
shown = b''
for part, keys in zip(script[::2], script[1::2]):
    see(part.encode().decode('unicode_escape').encode('latin-1'))
    os.write(master, keys.encode().decode('unicode_escape').encode('latin-1'))
start, done = time.monotonic(), 0
while True:
    if select.select([master], [], [], 0.05)[0]:
        screen += os.read(master, 4096)
    elif done:
        break
    else:
        done, status = os.waitpid(pid, os.WNOHANG)
    assert time.monotonic() - start < 50, screen
after = termios.tcgetattr(slave)
# What it wrote may still be on its way, and comes before this.
os.write(slave, b'\0the end\0')
while b'\0the end\0' not in screen:
    screen += os.read(master, 4096)
screen = screen.replace(b'\0the end\0', b'')
print('ended', os.waitstatus_to_exitcode(status))
print('terminal', 'restored' if before == after else 'changed')
print('screen', screen)
";

/// Runs the program with these words, as a shell reads them, and plays the script: each thing to
/// see (with escapes) and what is then typed. Answers the last lines: how it ended, whether the
/// terminal was restored, what was on the screen after the last thing seen.
pub(crate) fn play(words: &str, script: &[&str]) -> Option<String> {
    play_behind("", words, script)
}

/// The same, with something in front of the program, such as `env NAME=VALUE`.
pub(crate) fn play_behind(before: &str, words: &str, script: &[&str]) -> Option<String> {
    let program = format!("{before} {} {words}", env!("CARGO_BIN_EXE_switchboard"));
    super::python(TERMINAL, &[&[program.as_str()], script].concat())
}
