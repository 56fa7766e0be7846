"""The little of ELF and DWARF that turns addresses into names and lines.

Sources: System V ABI (ELF-64 object files) and DWARF version 4, section 6.2 (line number information).
"""

from __future__ import annotations

import bisect
import functools
import pathlib
import struct
from typing import NamedTuple

_STT_OBJECT, _STT_TLS = 1, 6


class Symbol(NamedTuple):
    name: str
    value: int
    size: int
    thread_local: bool


class Library:
    """One shared object, read from its file."""

    def __init__(self, path: str | pathlib.Path) -> None:
        self.data = pathlib.Path(path).read_bytes()
        if self.data[:5] != b"\x7fELF\x02":
            raise ValueError(f"{path} is not a 64-bit ELF file")
        (offset,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count, names_at = struct.unpack_from("<HHH", self.data, 0x3A)
        headers = [struct.unpack_from("<IIQQQQIIQQ", self.data, offset + i * size) for i in range(count)]
        names = self._bytes(headers[names_at])
        self.headers = headers
        self.sections = {self._text(names, header[0]): self._bytes(header) for header in headers}

    def _bytes(self, header: tuple[int, ...]) -> bytes:
        return b"" if header[1] == 8 else self.data[header[4] : header[4] + header[5]]

    @staticmethod
    def _text(table: bytes, at: int) -> str:
        return table[at : table.index(b"\0", at)].decode()

    @functools.cached_property
    def symbols(self) -> list[Symbol]:
        """Variables, thread-local ones among them (their value is an offset)."""
        table, names = self.sections.get(".symtab", b""), self.sections.get(".strtab", b"")
        found = []
        for name, info, _, section, value, size in struct.iter_unpack("<IBBHQQ", table):
            if section and info & 15 in (_STT_OBJECT, _STT_TLS):
                found.append(Symbol(self._text(names, name), value, size, info & 15 == _STT_TLS))
        return found

    @functools.cached_property
    def lines(self) -> LineTable:
        return LineTable(self.sections.get(".debug_line", b""))


def variables(path: str | pathlib.Path, prefix: str) -> dict[str, bytes]:
    """The initial values of the variables whose names begin with ``prefix``, of a shared object or a cubin."""
    library = Library(path)
    table, names = library.sections.get(".symtab", b""), library.sections.get(".strtab", b"")
    found = {}
    for name_at, info, _, section, value, size in struct.iter_unpack("<IBBHQQ", table):
        name = Library._text(names, name_at)
        if info & 15 == _STT_OBJECT and 0 < section < len(library.headers) and name.startswith(prefix):
            _, _, _, address, _, _, *_ = library.headers[section]
            data = library._bytes(library.headers[section])
            found[name] = data[value - address : value - address + size]
    return found


class LineTable:
    """Addresses of one library to (file, line)."""

    def __init__(self, section: bytes) -> None:
        rows: list[tuple[int, str, int]] = []
        at = 0
        while at < len(section):
            at = self._unit(section, at, rows)
        rows.sort(key=lambda row: row[0])
        self.rows = rows
        self.addresses = [row[0] for row in rows]

    def find(self, address: int) -> tuple[str, int] | None:
        """The line of the instruction at `address`; None outside the program."""
        row = bisect.bisect_right(self.addresses, address) - 1
        # Line 0 is code that the compiler made up; it belongs to what stands before it.
        while row >= 0 and self.rows[row][1] and not self.rows[row][2]:
            row -= 1
        if row < 0 or not self.rows[row][1]:
            return None
        return self.rows[row][1], self.rows[row][2]

    @staticmethod
    def _unit(data: bytes, at: int, rows: list[tuple[int, str, int]]) -> int:
        length, version, header_length = struct.unpack_from("<IHI", data, at)
        end = at + 4 + length
        if version not in (2, 3, 4):
            raise ValueError(f"line table version {version}: compile with -gdwarf-4")
        program = at + 10 + header_length
        cursor = _Cursor(data, at + 10)
        minimum = cursor.u8()
        if version >= 4:
            cursor.u8()  # operations per instruction: 1 but on VLIW machines
        cursor.u8()
        line_base, line_range, opcode_base = cursor.i8(), cursor.u8(), cursor.u8()
        lengths = [cursor.u8() for _ in range(opcode_base - 1)]
        folders = [""]
        while text := cursor.text():
            folders.append(text)
        files = [""]
        while text := cursor.text():
            folder = folders[cursor.uleb()]
            cursor.uleb()
            cursor.uleb()
            files.append(text if not folder or text.startswith(("/", "<")) else f"{folder}/{text}")
        cursor.at = program
        address, file, line = 0, 1, 1
        while cursor.at < end:
            opcode = cursor.u8()
            if opcode >= opcode_base:
                opcode -= opcode_base
                address += opcode // line_range * minimum
                line += line_base + opcode % line_range
                rows.append((address, files[file], line))
            elif opcode == 0:
                size = cursor.uleb()
                after = cursor.at + size
                code = cursor.u8()
                if code == 1:  # end of a sequence
                    rows.append((address, "", 0))
                    address, file, line = 0, 1, 1
                elif code == 2:
                    address = struct.unpack_from("<Q", data, cursor.at)[0]
                cursor.at = after
            elif opcode == 1:
                rows.append((address, files[file], line))
            elif opcode == 2:
                address += cursor.uleb() * minimum
            elif opcode == 3:
                line += cursor.sleb()
            elif opcode == 4:
                file = cursor.uleb()
            elif opcode == 8:
                address += (255 - opcode_base) // line_range * minimum
            elif opcode == 9:
                address += struct.unpack_from("<H", data, cursor.at)[0]
                cursor.at += 2
            else:
                for _ in range(lengths[opcode - 1]):
                    cursor.uleb()
        return int(end)


class _Cursor:
    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def u8(self) -> int:
        self.at += 1
        return int(self.data[self.at - 1])

    def i8(self) -> int:
        value = self.u8()
        return value - 256 if value > 127 else value

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def sleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value - (1 << shift) if byte & 64 else value

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        value = self.data[self.at : end].decode(errors="replace")
        self.at = end + 1
        return value
