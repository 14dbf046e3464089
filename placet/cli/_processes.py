"""The processes that installed packages bring."""

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from pydantic import ValidationError

from placet.cli._output import USAGE, fail
from placet.model import first_error

if TYPE_CHECKING:  # it loads Temporal, which the console's first screen does without
    from placet.process import Process


def processes() -> Mapping[str, "Process"]:
    """All of them by name (entry points ``placet.processes``), each loaded when it is taken.

    So one whose code is broken, or lacks something here, stands in no other's way.
    """
    return _Installed()


def _why(error: Exception) -> str:
    """An error of a process's own code, in one line."""
    if isinstance(error, ValidationError):
        member, said = first_error(error)
        return f"{error.title}: {member}: {said}" if member else said
    said = (str(error).strip() or "no reason").splitlines()[0][:300]
    return f"{type(error).__name__}: {said}"


class _Installed(Mapping[str, "Process"]):
    def __init__(self) -> None:
        self._found = {each.name: each for each in entry_points(group="placet.processes")}

    def __getitem__(self, name: str) -> "Process":
        found = self._found[name]
        try:
            process: Process = found.load()
        except ModuleNotFoundError as error:
            raise fail(
                f"the process {name!r} can't be loaded here: there is no {error.name}; install "
                "what brings the process with all that it needs",
                USAGE,
            ) from None
        except Exception as error:  # noqa: BLE001 - the process's own code, which may raise anything
            raise fail(
                f"the process {name!r} can't be loaded: {_why(error)}; "
                f"python -c 'import {found.module}' shows where",
                USAGE,
            ) from None
        return process

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
