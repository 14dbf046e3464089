"""The processes that installed packages bring."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it loads Temporal, which the console's first screen does without
    from placet.process import Process


def processes() -> Mapping[str, "Process"]:
    """All of them by name (entry points ``placet.processes``)."""
    return {each.name: each.load() for each in entry_points(group="placet.processes")}
