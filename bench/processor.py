"""Processor time and memory by process, as Linux counts them; nothing elsewhere.

On a shared machine wall time says as much about the neighbours as about the program. Processor
time is what the program itself took, and adds up to what the two cores can carry.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
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
    for part, folder, _ in _children():
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            took = _ticks(folder) / os.sysconf("SC_CLK_TCK")
            spent[part] = spent.get(part, 0.0) + took
    return spent


def resident() -> dict[str, float]:
    """MiB in memory now, by part; of the two workers, the governed one."""
    if not _PROC.joinpath("self/stat").exists():
        return {}
    held: dict[str, float] = {}
    for part, folder, command in _children():
        if part != "worker" or "bench.worker governed" in command:
            held[part] = resident_of(int(folder.name))
    return held


def resident_of(process: int) -> float:
    """MiB in memory now of one process; 0 where Linux does not count it."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(_PROC.joinpath(f"{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


def seconds_of(process: int) -> float:
    """Seconds of processor time so far of one process; 0 where Linux does not count it."""
    with contextlib.suppress(OSError, ValueError):
        return _ticks(_PROC / str(process)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def process_of(part: str) -> int:
    """The process of a part; of the two workers, the governed one.

    Raises:
        LookupError: there is none, or not Linux.
    """
    for each, folder, command in _children():
        if each == part and (part != "worker" or "bench.worker governed" in command):
            return int(folder.name)
    raise LookupError(f"no process of {part}")


def threads(process: int) -> dict[int, float]:
    """Seconds of processor time so far of each of a process's threads."""
    found: dict[int, float] = {}
    for folder in _PROC.joinpath(f"{process}/task").iterdir():
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            found[int(folder.name)] = _ticks(folder) / os.sysconf("SC_CLK_TCK")
    return found


def _children() -> Iterator[tuple[str, Path, str]]:
    """This process's children: what part each is, its folder, and its command."""
    for folder in _PROC.iterdir():
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            if folder.name.isdigit() and _parent(folder) == os.getpid():
                command = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
                yield from (
                    (part, folder, command) for mark, part in _PARTS.items() if mark in command
                )


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
