"""The processes that installed packages bring."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from placet.cli._brought import unloadable, why
from placet.cli._output import USAGE, CommandFailed, fail

if TYPE_CHECKING:  # it loads Temporal, which the console's first screen does without
    from placet.process import Process


def processes() -> Mapping[str, "Process"]:
    """All of them by name (entry points ``placet.processes``), each loaded when it is taken.

    So one whose code is broken, or lacks something here, stands in no other's way. Whatever its
    code raises, as it attaches, reads and writes, is a ``ValueError`` that says so.
    """
    return _Installed()


def process_named(name: str) -> "Process":
    """The process of this name.

    Raises:
        CommandFailed: there is none, or it can't be loaded.
    """
    found = processes().get(name)
    if found is None:
        raise fail(f"there is no process {name!r}; there are {sorted(processes())}", USAGE)
    return found


_T = TypeVar("_T")


def _checked(name: str, brought: object) -> "Process":
    # What brings a process has loaded it already.
    from placet.process import Attached, Paper, Process  # noqa: PLC0415

    if not isinstance(brought, Process):
        raise TypeError(f"it is no placet.process.Process, but a {type(brought).__name__}")
    if brought.name != name:
        raise ValueError(f"its definition calls it {brought.name!r}, and so must its entry point")
    read = brought.document
    return dataclasses.replace(
        brought,
        attach={each: _careful(name, call, Attached) for each, call in brought.attach.items()},
        attach_again={
            each: _careful(name, call, Attached) for each, call in brought.attach_again.items()
        },
        document=None if read is None else _careful(name, read, bytes),
        papers={each: _careful(name, call, Paper) for each, call in brought.papers.items()},
    )


def _careful(process: str, call: Callable[..., _T], kind: type[_T]) -> Callable[..., _T]:
    @functools.wraps(call)
    def careful(*given: Any) -> _T:
        try:
            made = call(*given)
        except (ValueError, OSError, CommandFailed):
            raise  # in words of its own
        except Exception as error:
            raise ValueError(f"the package of {process} failed: {why(error)}") from error
        if not isinstance(made, kind):
            said = type(made).__name__
            raise ValueError(f"the package of {process} gives no {kind.__name__}, but a {said}")
        return made

    return careful


class _Installed(Mapping[str, "Process"]):
    def __init__(self) -> None:
        self._found = {each.name: each for each in entry_points(group="placet.processes")}

    def __getitem__(self, name: str) -> "Process":
        found = self._found[name]
        try:
            return _checked(name, found.load())
        except Exception as error:  # noqa: BLE001 - the process's own code, which may raise anything
            raise fail(unloadable("process", found, error), USAGE) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
