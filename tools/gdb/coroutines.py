"""Every suspended coroutine of a Switchboard program, in gdb, with its backtrace.

    (gdb) source tools/gdb/coroutines.py
    (gdb) coroutines              each coroutine of each worker, with its backtrace
    (gdb) coroutines echo         those in whose name this stands
    (gdb) coroutines -n           without backtraces

It reads memory only, so it works in a process that was attached to or is stopped, and in a core
file of the kernel's (gdb's own gcore leaves out memory with guard pages in it, which stacks have);
a program without debug information shows names of functions and no lines. It finds the
workers by the symbol SWITCHBOARD_COROUTINES (crates/coroutine/src/roster.rs, where the layouts are
explained). A coroutine that runs is its thread's own backtrace: gdb shows it as that thread.

How a backtrace is had: gdb unwinds a thread only. So the newest frame of the selected one is said,
for a moment, to have been called by the coroutine, with the registers that it left on its stack.

x86-64 only. What it deliberately does not do: change the program's memory or registers.
"""

import struct

import gdb
import gdb.unwinder

VERSION = 2
WORD = 8
STATES = {1: "ready", 2: "running", 3: "suspended", 4: "abandoned"}
# The frame below the function of a coroutine: beyond it lies the worker that resumed it last.
ROOT = "stack_init_trampoline"
MOST_FRAMES = 200
MOST_OF_A_NAME = 240
PAGE = 4096


def read(address, length):
    return bytes(gdb.selected_inferior().read_memory(address, length))


def words(address, count):
    return struct.unpack(f"<{count}Q", read(address, count * WORD))


class Root:
    """The layouts, and the first worker."""

    FIELDS = (
        "version chunk slot_bytes slot_state slot_id slot_fiber fiber_bytes workers"
    ).split()

    def __init__(self):
        try:
            address = int(gdb.parse_and_eval("(unsigned long) &SWITCHBOARD_COROUTINES"))
        except gdb.error as error:
            raise gdb.GdbError(f"no coroutines here: {error}")
        if words(address, 1)[0] != VERSION:
            raise gdb.GdbError("this script and the program are of different versions")
        for name, value in zip(self.FIELDS, words(address, len(self.FIELDS))):
            setattr(self, name, value)

    def each_worker(self):
        at = self.workers
        while at:
            at, thread, stack_bytes, stride, tables, count = words(at, 6)
            yield thread, stack_bytes, stride, words(tables, count)

    def each_coroutine(self, stack_bytes, stride, tables):
        """Slot and name stand at the top of the stack: crates/coroutine/src/stack/head.rs."""
        for start in tables:
            for index in range(self.chunk if start else 0):
                slot_at = start + (index + 1) * stride - self.slot_bytes
                try:
                    slot = read(slot_at, self.slot_bytes)
                except gdb.MemoryError:
                    continue  # Never touched, and so not in a core file.
                state = STATES.get(slot[self.slot_state])
                if state is None:
                    continue
                identity = struct.unpack_from("<Q", slot, self.slot_id)[0]
                fiber = struct.unpack_from(f"<{self.fiber_bytes // WORD}Q", slot, self.slot_fiber)
                stack = Stack(fiber, stack_bytes)
                yield identity, self.name(slot_at), state, stack

    def name(self, above):
        length = min(words(above - WORD, 1)[0], MOST_OF_A_NAME)
        return read(above - WORD - length, length).decode("utf-8", "replace")


class Stack:
    """A coroutine's stack, found among the words of its fiber: both ends, and where it stands."""

    def __init__(self, fiber, stack_bytes):
        # The base is somewhere in the last page, below the head.
        ends = ((word, word + stack_bytes) for word in fiber if word % PAGE == 0)
        bases = ((limit, [b for b in fiber if top - PAGE < b < top]) for limit, top in ends)
        self.limit, based = next(((limit, found) for limit, found in bases if found), (0, [0]))
        self.base = max(based)
        inside = [word for word in fiber if self.limit < word < self.base]
        # Where it began and where it is; equal before it began, and only one while it runs.
        self.pointer = min(inside) if len(inside) == 2 and len(set(inside)) == 2 else None

    def __contains__(self, address):
        return self.limit <= address < self.base


class Caller(gdb.unwinder.Unwinder):
    """Says of the newest frame that the coroutine has called it."""

    class Id:
        def __init__(self, sp, pc):
            self.sp, self.pc = sp, pc

    def __init__(self):
        super().__init__("switchboard-coroutine")
        self.enabled = False
        self.pointer = None

    def __call__(self, pending):
        if not self.enabled or pending.level() != 0:
            return None
        # What suspending pushes: corosensei, src/arch/x86_64.rs, `switch_yield`.
        rip, rbx, rbp = words(self.pointer, 3)
        word = gdb.lookup_type("unsigned long")
        # Frames have to lie one above the other, whatever stack they are on.
        here = self.Id(gdb.Value(self.pointer).cast(word), pending.read_register("rip"))
        info = pending.create_unwind_info(here)
        saved = {"rip": rip, "rbx": rbx, "rbp": rbp, "rsp": self.pointer + 3 * WORD}
        for register, value in saved.items():
            kind = pending.read_register(register).type
            info.add_saved_register(register, gdb.Value(value).cast(word).cast(kind))
        return info

    def frames(self, stack):
        """The frames of a suspended coroutine, as texts."""
        self.pointer, self.enabled = stack.pointer, True
        gdb.invalidate_cached_frames()
        try:
            frame, lines = gdb.newest_frame().older(), []
            while frame is not None and frame.is_valid() and len(lines) < MOST_FRAMES:
                name = frame.name() or "??"
                if frame.pc() == 0 or name == ROOT or int(frame.read_register("rsp")) not in stack:
                    break
                place = frame.find_sal()
                where = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
                lines.append(f"#{len(lines):<3}{frame.pc():#018x} in {name}{where}")
                frame = frame.older()
            return lines
        finally:
            self.enabled = False
            gdb.invalidate_cached_frames()


CALLER = Caller()
gdb.unwinder.register_unwinder(None, CALLER, replace=True)


class Coroutines(gdb.Command):
    """Every coroutine of every worker: coroutines [-n] [PART OF A NAME]"""

    def __init__(self):
        super().__init__("coroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.split()
        traces = "-n" not in wanted
        part = " ".join(word for word in wanted if word != "-n")
        if gdb.selected_thread() is None:
            raise gdb.GdbError("no process: run one, attach to one, or load a core file")
        root = Root()
        for thread, *stacks in root.each_worker():
            print(f"worker in thread {thread}")
            for identity, name, state, stack in root.each_coroutine(*stacks):
                if part not in name:
                    continue
                # A name may hold bytes of somebody else's.
                shown = name.encode("unicode_escape").decode("ascii")
                print(f'  coroutine {identity} "{shown}" {state}')
                if not traces:
                    continue
                if stack.pointer is None:
                    why = "it runs: see its thread" if state == "running" else "not begun"
                    print(f"    ({why})")
                    continue
                for line in CALLER.frames(stack) or ["(its stack is not in the core file)"]:
                    print(f"    {line}")


Coroutines()
