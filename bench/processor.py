"""Processor time by process, as Linux counts it; nothing elsewhere.

On a shared machine wall time says as much about the neighbours as about the program. Processor
time is what the program itself took, and adds up to what the two cores can carry.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

_PROC = Path("/proc")
_PARTS = {
    "start-dev": "temporal",
    "authority serve": "authority",
    "bench.worker": "worker",
}


def seconds() -> dict[str, float]:
    """Seconds of processor time so far: this process (``client``) and its children, by part."""
    if not _PROC.joinpath("self/stat").exists():
        return {}
    spent = {"client": _ticks(_PROC / "self") / os.sysconf("SC_CLK_TCK")}
    for folder in _PROC.iterdir():
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            if folder.name.isdigit() and _parent(folder) == os.getpid():
                command = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
                for mark, part in _PARTS.items():
                    if mark in command:
                        took = _ticks(folder) / os.sysconf("SC_CLK_TCK")
                        spent[part] = spent.get(part, 0.0) + took
    return spent


def milliseconds_each(
    before: Mapping[str, float], after: Mapping[str, float], count: int
) -> dict[str, float]:
    """Milliseconds of processor time between two looks, for each of ``count`` things."""
    return {part: (after[part] - before.get(part, 0.0)) * 1000 / count for part in after}


def _fields(folder: Path) -> list[str]:
    return folder.joinpath("stat").read_text().rpartition(")")[2].split()


def _parent(folder: Path) -> int:
    return int(_fields(folder)[1])


def _ticks(folder: Path) -> int:
    fields = _fields(folder)
    return int(fields[11]) + int(fields[12])  # in user mode, and in the kernel for it
