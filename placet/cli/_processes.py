"""The processes that installed packages bring."""

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from placet.cli._brought import unloadable
from placet.cli._output import USAGE, fail

if TYPE_CHECKING:  # it loads Temporal, which the console's first screen does without
    from placet.process import Process


def processes() -> Mapping[str, "Process"]:
    """All of them by name (entry points ``placet.processes``), each loaded when it is taken.

    So one whose code is broken, or lacks something here, stands in no other's way.
    """
    return _Installed()


def _checked(name: str, brought: object) -> "Process":
    from placet.process import Process  # noqa: PLC0415 - what brings one has loaded it already

    if not isinstance(brought, Process):
        raise TypeError(f"it is no placet.process.Process, but a {type(brought).__name__}")
    if brought.name != name:
        raise ValueError(f"its definition calls it {brought.name!r}, and so must its entry point")
    return brought


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
