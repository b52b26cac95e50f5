"""A terminal in small: what the explorer draws with, kept as rows of characters."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

COLUMNS, ROWS = 120, 40
SEQUENCE = re.compile(rb"\x1b\[([?<>=]?)([0-9;:]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78cM]")


class Screen:
    """The characters on screen, and the modes that must be given back."""

    def __init__(self):
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.modes = set()
        self.rest = b""
        self.frame = ""

    def text(self):
        """The last whole frame: half of the next one may be here."""
        return self.frame

    def feed(self, data):
        data, at = self.rest + data, 0
        self.rest = b""
        while at < len(data):
            if data[at] == 0x1B:
                found = SEQUENCE.match(data, at)
                if not found:
                    if len(data) - at < 64:
                        self.rest = data[at:]
                        return
                    at += 1
                    continue
                if found.group(3):
                    self.control(found.group(1), found.group(2), found.group(3))
                at = found.end()
            elif data[at] < 0x20:
                if data[at] == 0x0D:
                    self.column = 0
                elif data[at] == 0x0A:
                    self.row = min(self.row + 1, ROWS - 1)
                at += 1
            else:
                length = 1 if data[at] < 0x80 else 2 if data[at] < 0xE0 else 3 if data[at] < 0xF0 else 4
                if at + length > len(data):
                    self.rest = data[at:]
                    return
                self.put(data[at:at + length].decode(errors="replace"))
                at += length

    def put(self, character):
        if self.row < ROWS and self.column < COLUMNS:
            self.cells[self.row][self.column] = character
        self.column += 2 if unicodedata.east_asian_width(character) in "WF" else 1

    def control(self, mark, numbers, end):
        values = [int(number) if number.isdigit() else 0 for number in numbers.split(b";")]
        if end in b"Hf" and not mark:
            values += [1]
            self.row, self.column = max(values[0], 1) - 1, max(values[1], 1) - 1
        elif end == b"J":
            self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        elif end == b"K":
            self.cells[self.row][self.column:] = [" "] * (COLUMNS - self.column)
        elif end in (b"A", b"B", b"C", b"D"):
            by = max(values[0], 1)
            self.row = min(max(self.row + {b"A": -by, b"B": by}.get(end, 0), 0), ROWS - 1)
            self.column = max(self.column + {b"C": by, b"D": -by}.get(end, 0), 0)
        elif mark == b"?" and end in b"hl":
            for value in values:
                (self.modes.add if end == b"h" else self.modes.discard)(value)
            if end == b"l" and 2026 in values:
                self.frame = "\n".join("".join(row).rstrip() for row in self.cells)


class Explorer:
    """The program in a terminal of its own."""

    def __init__(self, place, *arguments, before=None, environment=None, cwd=None):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.nice(2)
            if before:
                before()
            os.chdir(cwd or place.root)
            os.execve(place.juror, [place.juror, *map(str, arguments)], place.environment(**(environment or {})))
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.modes_before = termios.tcgetattr(self.terminal)
        self.screen = Screen()
        self.status = None

    def text(self):
        return self.screen.text()

    def take(self, patience=0.0):
        """Whether there was output."""
        ready, _, _ = select.select([self.terminal], [], [], patience)
        if not ready:
            return False
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError:
            return False
        self.screen.feed(data)
        return bool(data)

    def press(self, keys):
        os.write(self.terminal, keys if isinstance(keys, bytes) else keys.encode())

    def lives(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is None

    def until(self, wished, until, patience=30.0):
        """Takes output until the screen is as wished; false at the moment `until` (of the monotonic clock), or if it ended."""
        end = min(until, time.monotonic() + patience)
        while not wished(self.text()):
            left = end - time.monotonic()
            if left <= 0:
                return False
            if not self.take(min(left, 0.05)) and not self.lives():
                while self.take():
                    pass
                return wished(self.text())
        return True

    def kill(self, how=signal.SIGKILL):
        """Kills it, takes its last output; whether it was alive."""
        if not self.lives():
            return False
        os.kill(self.pid, how)
        while self.lives():
            self.take(0.005)
        # What it had drawn before it died.
        while self.take():
            pass
        return os.WIFSIGNALED(self.status)

    def ends(self, patience=20.0):
        """Waits for the end; exit code, or the negative number of a signal."""
        end = time.monotonic() + patience
        while self.lives():
            if time.monotonic() > end:
                self.kill()
                self.close()
                return None
            self.take(0.02)
        while self.take():
            pass
        return os.waitstatus_to_exitcode(self.status)

    def given_back(self):
        """Whether the terminal is as it was before."""
        left = self.screen.modes & {1049, 1000, 1002, 1003, 1006, 2004, 2026}
        return not left and termios.tcgetattr(self.terminal)[3] == self.modes_before[3]

    def close(self):
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None
